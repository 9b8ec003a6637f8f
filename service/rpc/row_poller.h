// The rows of a database's version table, read again and again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/base/mutex.h"
#include "service/database/database.h"

namespace migd {

// Reads the rows once per interval for everybody who wants them, and only while somebody does. It
// has a thread of its own, so that a database that is slow or does not answer holds up nobody else.
// Thread-safe.
class RowPoller {
 public:
  // What was read, or why nothing was. Readings are counted from 1.
  struct Reading {
    int64_t number = 0;
    absl::StatusOr<VersionRows> rows;
  };

  // `database` must outlive it. `on_reading` is called after each reading, on the poller's thread,
  // and may call back.
  RowPoller(Database& database, absl::Duration interval,
            std::function<void(const Reading&)> on_reading);
  // Ends, and waits for a reading that is under way.
  ~RowPoller();

  // Reads no more from now on. For many that end together: their waiting does not add up.
  void End();

  // Somebody wants the rows from now on, until Leave. They are read soon, and the number of the
  // first reading that begins after this call is returned: those before it may be out of date.
  int64_t Join();
  void Leave();

  // The newest reading; null before the first.
  std::shared_ptr<const Reading> newest() const;

 private:
  void Run();
  // Waits until it is time to read, and returns the number of the reading; 0 at the end.
  int64_t AwaitTurn();

  Database& database_;
  const absl::Duration interval_;
  const std::function<void(const Reading&)> on_reading_;

  mutable Mutex mutex_;
  CondVar changed_;
  int members_ ABSL_GUARDED_BY(mutex_) = 0;
  // Somebody has joined since the last reading began.
  bool newcomers_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  // How many readings have begun, and when the last one ended.
  int64_t begun_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time last_end_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // Behind the last reading, for who joins.
  absl::Duration pause_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Reading> newest_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: runs with everything above in place
};

}  // namespace migd
