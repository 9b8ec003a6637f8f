// Runs one step of a plan.
#pragma once

#include <string>
#include <vector>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/database/database.h"
#include "service/execute/cancellation.h"
#include "service/execute/executor.h"
#include "service/execute/interrupter.h"
#include "service/execute/lock_monitor.h"
#include "service/plan/plan.h"
#include "service/script/script_directory.h"

namespace migd {

// Runs the steps of one operation on its session. Used by one thread; everything passed in must
// outlive it.
class StepRunner {
 public:
  StepRunner(Session& session, const ScriptSet& scripts, const ExecuteRequest& request,
             Cancellation& cancellation, Interrupter& interrupter, LockMonitor& monitor,
             const EventSink& sink);

  // Runs `step`, which leads to `resulting_rows`, and emits the events of its statements. A step
  // that runs into the lock timeout is tried again, as often as the request says; in the pauses the
  // session is in no transaction, hence holds no locks but the mutex. On failure the session is in
  // no transaction any more, and the status tells what stays. `finished` names the revisions that
  // the operation finished before, for that report.
  absl::Status Run(const Step& step, const VersionRows& resulting_rows,
                   const std::vector<std::string>& finished);

 private:
  // What is the same for all statements of the step that runs.
  struct Context {
    const Step& step;
    const VersionRows& resulting_rows;
    const std::vector<std::string>& finished;
    const MigrationFile* file;  // null for a stamp
    const Section* section;     // null for a stamp
    absl::Time start_time;
    // Those that can no longer be rolled back.
    int finished_statements = 0;
    // A statement ended the transaction that was to keep the section whole.
    bool transaction_ended = false;
    // Whether a statement is under way.
    bool statement_runs = false;
  };

  // Runs the step once.
  absl::Status Attempt(const Step& step, const VersionRows& resulting_rows,
                       const std::vector<std::string>& finished);
  // Whether the step leaves nothing when it fails, so that it can be run again from its beginning.
  bool CanRepeat(const Step& step) const;
  // Waits before the attempt that follows `failed`, the number of attempts so far. False if the
  // operation is to stop.
  bool PauseAfter(int failed, const Step& step, const absl::Status& status);
  absl::Status RunTransactional(Context& context);
  absl::Status RunOneByOne(Context& context);
  absl::Status RunStatements(Context& context);
  absl::Status RunStatement(Context& context, const Statement& statement, int index);
  // Returns how many objects the statement skips.
  absl::StatusOr<int> ReportSkipped(const Context& context, const Statement& statement, int index);
  absl::Status CheckTransaction(Context& context, const Statement& statement, int index);
  // Writes the rows and the log entry of the step, and commits.
  absl::Status Finish(Context& context);
  absl::Status WriteVersionAndLog(const Context& context);
  absl::Status FailureOf(const Context& context, const Statement& statement, int index,
                         const ServerError& error) const;
  // `status` of a failed step, with what the step knows: whether it was cancelled, what stays.
  absl::Status Explained(const absl::Status& status, const Context& context) const;
  absl::Status Cancelled(const Context& context) const;
  migration::v1::StatementFailure Describe(const Context& context, const Statement& statement,
                                           int index, const ServerError& error) const;
  std::string StateAfterFailure(const Context& context) const;

  Session& session_;
  const ScriptSet& scripts_;
  const ExecuteRequest& request_;
  Cancellation& cancellation_;
  Interrupter& interrupter_;
  LockMonitor& monitor_;
  const EventSink& sink_;
  absl::BitGen random_;
};

}  // namespace migd
