// Who is at the other end of a unix socket.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "service/access/policy.h"
#include "service/base/mutex.h"
#include "service/base/unique_fd.h"

namespace migd {

// gRPC calls the peer of a connection that was accepted elsewhere "fd:N"; this knows whose
// connection N is. Thread-safe.
//
// A call can still wait for its handler when its connection is closed already, and N that of
// somebody else. So a number that was one user's becomes another's only a good while after it is
// found to be free.
class UnixPeers {
 public:
  static constexpr absl::Duration kQuarantine = absl::Minutes(10);

  // `clock` is for tests.
  explicit UnixPeers(absl::Time (*clock)() = &absl::Now) : clock_(clock) {}

  // Takes note that `connection` is one of the user `uid`, and returns it, maybe under another
  // number. None if the process has no descriptor for that.
  UniqueFd Register(UniqueFd connection, uid_t uid);

  // By the peer of a call ("fd:7"): "unix:USER" if the user has a name, and "unix:UID". Anonymous
  // if it is no such connection.
  PrincipalNames NamesOf(absl::string_view peer) const;

 private:
  struct Entry {
    uid_t uid = 0;
    PrincipalNames names;
    // When the connection was found to be closed.
    absl::Time closed = absl::InfiniteFuture();
  };

  // Whether `descriptor`, which was just opened, may be a connection of `uid`.
  bool MayBecome(int descriptor, uid_t uid) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Time (*const clock_)();
  mutable Mutex mutex_;
  // By descriptor. Never removed: there are no more of them than descriptors.
  std::map<int, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

// "unix:USER" and "unix:UID"; only the second for a user without a name, and for one whose name
// reads like another's number.
PrincipalNames NamesOfUser(uid_t uid);

}  // namespace migd
