// Looks, from beside, at a migration's statements: who keeps them waiting, and how far they are.
#pragma once

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "migration/v1/error.pb.h"
#include "migration/v1/operation.pb.h"
#include "service/base/mutex.h"
#include "service/database/database.h"
#include "service/execute/executor.h"
#include "service/execute/phase_estimate.h"

namespace migd {

// Which of our statements runs.
struct StatementPlace {
  std::string revision = {};
  // From 1; 0 for the service's own writes at the end of a step.
  int statement_index = 0;
  int statement_count = 0;
  // How much data there is for its COPY; 0 if it is none. PostgreSQL does not know beforehand.
  int64_t copy_bytes = 0;
};

// Thread-safe. A statement that has been running for a while is looked at once a second by another
// session: LockWait is emitted when those in its way change, and they are ended if that is asked
// for; StatementProgress when PostgreSQL tells of progress, and it is not what was told before.
class StatementMonitor {
 public:
  struct Settings {
    // The process id of the session that is looked at.
    int pid = 0;
    // Of that session; zero for none. The first look comes well before it runs out.
    absl::Duration lock_timeout;
    bool terminate_blockers = false;
  };

  // Both must outlive it. Emits on a thread of its own.
  StatementMonitor(Database& database, Settings settings, const EventSink& sink);
  ~StatementMonitor();

  // While a Watch lives, a statement runs. One at a time.
  class Watch {
   public:
    Watch(StatementMonitor& monitor, StatementPlace place) : monitor_(monitor) {
      monitor_.Begin(std::move(place));
    }
    ~Watch() { monitor_.End(); }
    // The statement has ended, and another one runs.
    void Next(StatementPlace place) { monitor_.Begin(std::move(place)); }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    StatementMonitor& monitor_;
  };

  // Who was in the way of the last statement when it was last looked at; nobody if nobody was.
  std::vector<migration::v1::Blocker> blockers() const;

 private:
  // A statement that runs.
  struct Running {
    // Counts the statements, to tell one from the next.
    int64_t number = 0;
    StatementPlace place;
    absl::Time start;
  };

  void Run();
  void Begin(StatementPlace place);
  void End();
  // Looks once at a statement. Not under the mutex: it waits for PostgreSQL.
  void Look(const Running& statement);
  void ReportLocks(const Running& statement, const LockState& state);
  void ReportProgress(const Running& statement, migration::v1::StatementProgress progress);
  bool IsRunning(const Running& statement) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Terminate(const StatementPlace& place, const LockState& state);

  Database& database_;
  const Settings settings_;
  const EventSink& sink_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::optional<Running> running_ ABSL_GUARDED_BY(mutex_);
  int64_t statements_ ABSL_GUARDED_BY(mutex_) = 0;
  // The thread waits for a statement to begin; otherwise it looks again by itself.
  bool idle_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<migration::v1::Blocker> blockers_ ABSL_GUARDED_BY(mutex_);
  // Of the statement that was looked at last. Used by the thread alone.
  migration::v1::StatementProgress told_;
  PhaseEstimate estimate_;
  std::thread thread_;  // last: runs with everything above in place
};

}  // namespace migd
