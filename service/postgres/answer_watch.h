// Notices that PostgreSQL does not answer, where no timeout of its own does.
#pragma once

#include <list>
#include <thread>

#include "absl/time/time.h"
#include "service/base/mutex.h"
#include "service/base/unique_fd.h"

namespace migd {

// A PostgreSQL that is frozen keeps no statement_timeout, and its kernel answers for it, so nothing
// else would end the wait for an answer. This shuts down connections that were in use for too long:
// libpq then reports a lost connection to whoever waits on one. Thread-safe.
class AnswerWatch {
 public:
  // How often it looks: a limit is exceeded by less than that.
  static constexpr absl::Duration kInterval = absl::Seconds(5);

  // `interval` only differs in tests.
  explicit AnswerWatch(absl::Duration interval = kInterval);
  // After the last use.
  ~AnswerWatch();

  // The use of a connection while this lives.
  class Use {
   public:
    // `socket` may be closed, and even be another's, before the use is over: it is held by a
    // descriptor of its own.
    Use(AnswerWatch& watch, int socket, absl::Duration limit);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    friend class AnswerWatch;

    AnswerWatch& watch_;
    const UniqueFd socket_;
    const absl::Time deadline_;
    std::list<Use*>::iterator place_;
  };

 private:
  void Run();

  const absl::Duration interval_;
  Mutex mutex_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<Use*> uses_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: runs with everything above in place
};

}  // namespace migd
