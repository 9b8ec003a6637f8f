// Runs the steps of a plan.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "service/database/database.h"
#include "service/execute/cancellation.h"
#include "service/execute/executor.h"
#include "service/execute/interrupter.h"
#include "service/execute/statement_monitor.h"
#include "service/execute/step_journal.h"
#include "service/plan/plan.h"
#include "service/script/script_directory.h"

namespace migd {

// Told of the steps of a plan, by their index from 0. Each may be left out.
struct StepListener {
  // Before anything of a step; what is not OK ends the run.
  std::function<absl::Status(size_t step)> before = nullptr;
  // Before anything of the first step outlives its transaction. What is not OK within `patience`
  // ends the run, and nothing stays; but a step that holds locks (it has ended, or has held them
  // for ExecuteRequest::patience_with_locks) is rolled back, this is asked once more without them,
  // with infinite patience, which it need not have, and the step is tried again.
  std::function<absl::Status(absl::Duration patience)> before_commit = nullptr;
  std::function<void(size_t step)> on_started = nullptr;
  // The step is committed, and with it the version table.
  std::function<void(size_t step, absl::Duration duration)> on_finished = nullptr;
};

// Runs the steps of one operation on its session. Used by one thread; everything passed in must
// outlive it.
class StepRunner {
 public:
  StepRunner(Session& session, const ScriptSet& scripts, const ExecuteRequest& request,
             Cancellation& cancellation, Interrupter& interrupter, StatementMonitor& monitor,
             const EventSink& sink);
  ~StepRunner();

  // Runs the steps of `plan` in their order, until one fails, and emits the events of their
  // statements. A step that runs into the lock timeout is tried again, as often as the request
  // says; in the pauses the session is in no transaction, hence holds no locks but the mutex. On
  // failure the session is in no transaction any more, and the status tells what stays. `journal`
  // is what earlier runs of the steps have left.
  absl::Status Run(const Plan& plan, Journal journal, const StepListener& listener);

  // The revisions of the steps that were finished, in their order.
  const std::vector<std::string>& finished() const { return finished_; }

 private:
  // A step that runs, and what is the same for all its statements.
  struct Context {
    const size_t index;
    const Step& step;
    const VersionRows resulting_rows;
    const MigrationFile* file;  // null for a stamp
    const Section* section;     // null for a stamp
    StepJournal journal;
    absl::Time start_time;
    // Those that can no longer be rolled back.
    int finished_statements = 0;
    // A statement ended the transaction that was to keep the section whole.
    bool transaction_ended = false;
    // Whether a statement is under way.
    bool statement_runs = false;
    absl::Time statement_start_time = absl::InfinitePast();
    // The statement passed over last, done by an earlier run, has left a transaction open behind
    // it.
    bool chained = false;
    // Once all of the step is written: a commit is not interrupted.
    absl::optional<Interrupter::Hold> commit_hold = absl::nullopt;
    // The lock timeout is in force.
    bool locks_are_bound = true;
    // What a concurrent build that did not finish has left; empty if nothing.
    std::string invalid_index = "";
    // How many objects that the statement at hand drops are not there.
    int missing_objects = 0;
    // The statement at hand is not to be sent: what it makes is there.
    bool left_out = false;
  };

  // What of a step is sent together: `count` statements of its section from `first`, counted from
  // 0.
  struct PartExtent {
    // The COMMIT of the step before.
    bool commits = false;
    // What begins the transaction.
    bool begins_step = false;
    size_t first = 0;
    size_t count = 0;
    // What the service writes itself.
    bool ends_step = false;
  };
  class PartRun;
  // The step that comes next.
  struct StepAhead;

  // Runs what is not finished, each step once.
  absl::Status RunRest();
  // Runs a step up to its COMMIT, which is sent with the beginning of the next one: a step that
  // came to this is ready_.
  absl::Status Attempt(size_t index);
  // `rows` are those that the steps before leave.
  std::unique_ptr<Context> Prepare(size_t index, VersionRows rows) const;
  // Asks before the first commit whether there may be one.
  absl::Status AllowCommit(absl::Duration patience);
  // For how long a step that may not be committed yet may still hold its locks.
  absl::Duration RestOfPatience(const Context& context) const;
  // Asks at once if it has held them for too long.
  absl::Status CheckPatience(const Context& context);
  // Gives up a step that may not be committed yet, and attempts it again when it may.
  absl::Status AttemptWhenAllowed(const Context& context);
  // Ends the transaction of a step that goes no further, if there is one.
  void EndTransaction();
  // Commits the step that is ready_, if there is one.
  absl::Status CommitReady();
  // What the server made of the COMMIT of the step that is ready_: if it is done, the step is
  // finished.
  absl::Status SettleReady(const StatementResult& committed);
  // A step begins, unless it is tried again.
  void Start(Context& context);
  // Whether the step leaves nothing when it fails.
  bool IsTransactional(const Step& step) const;
  // Waits before the attempt that follows `failed`, the number of attempts so far. False if the
  // operation is to stop.
  bool PauseAfter(int failed, const Step& step, const absl::Status& status);
  // `status` is why the attempt before has failed.
  void ReportRetried(const Step& step, absl::Duration pause, const absl::Status& status);
  // `first_part` if it is on its way already.
  absl::Status RunTransactional(Context& context, std::unique_ptr<PartRun> first_part);
  // How many of `statements`, from the first, can be sent together.
  size_t CountTogether(absl::Span<const Statement> statements) const;
  // What of the section can be sent together from statement `first` on, counted from 0.
  PartExtent ExtentFrom(const Context& context, size_t first) const;
  std::unique_ptr<PartRun> FirstPart(Context& context, bool commits);
  // The first part of the step behind that of `context`, to be sent with its COMMIT: Attempt goes
  // on with it. Null if nothing can be sent yet.
  const StepPart* PrepareBehind(const Context& context);
  absl::Status RunOneByOne(Context& context);
  // Runs a statement in whatever transaction there is.
  absl::Status RunStatement(Context& context, const Statement& statement, int index);
  // The following are for sections outside a transaction.
  //
  // Compares what earlier runs have left with the file, and says where this one goes on.
  absl::Status CheckJournal(Context& context);
  absl::Status Decide(Context& context, int index, JournalDecision decision);
  // Runs a statement such that the journal tells the next run about it, unless it is done already.
  absl::Status RunJournaled(Context& context, const Statement& statement, int index);
  // Sets or lifts the lock timeout, for statements from here on.
  absl::Status BoundLocks(Context& context, bool bound);
  absl::Status RunInMode(Context& context, RunMode mode, const Statement& statement, int index);
  // Finds out what became of a statement at which an earlier run was cut off: true if it is done,
  // false if it is to be run.
  absl::StatusOr<bool> Settle(Context& context, const Statement& statement, int index);
  // What the catalogue says. Sets `index_name` to the index that it was asked for.
  absl::StatusOr<bool> IsDone(const Statement& statement, std::string& index_name);
  // In a transaction of its own, with its entry in the journal.
  absl::Status RunInTransaction(Context& context, const Statement& statement, int index);
  // Between two entries.
  absl::Status RunAlone(Context& context, const Statement& statement, int index);
  // In or at the border of a transaction that the section has begun.
  absl::Status RunInOwnTransaction(Context& context, const Statement& statement, int index);
  // Remembers the INVALID index that a concurrent build which failed has left, for who is told.
  void NoteInvalidIndex(Context& context, const Statement& statement);
  // Makes sure that a concurrent build meets no INVALID index of its name: drops its own. How the
  // index stands then; nothing if the statement is no such build.
  absl::StatusOr<absl::optional<ObjectState>> MakeRoomFor(Context& context,
                                                          const Statement& statement, int index);

  // Sends a statement and waits for its end, passing notices on.
  absl::StatusOr<StatementResult> Send(Context& context, const Statement& statement, int index,
                                       int skipped);
  void ReportFinished(const Context& context, const Statement& statement, int index,
                      const StatementResult& result);
  void ReportSettled(const Context& context, int index, migration::v1::Settlement settlement,
                     absl::string_view index_name = "");
  // Reports what the statement skips, and returns how much that is. `built` is how the index of a
  // concurrent build stands, if that is known.
  absl::StatusOr<int> LookForSkipped(Context& context, const Statement& statement, int index,
                                     absl::optional<ObjectState> built = absl::nullopt);
  void ReportSkipped(Context& context, int index, const std::vector<GuardedObject>& skipped);
  // Those of `objects` that the statement passes over, or would, as they stand. InvalidIndex.
  absl::StatusOr<std::vector<GuardedObject>> SkippedAmong(
      const Context& context, const Statement& statement, int index,
      const std::vector<GuardedObject>& objects,
      const std::vector<absl::optional<ObjectState>>& states) const;
  // The same for objects that are looked up for it.
  absl::StatusOr<std::vector<GuardedObject>> FindSkipped(const Context& context,
                                                         const Statement& statement, int index,
                                                         const std::vector<GuardedObject>& objects,
                                                         absl::optional<ObjectState> built);
  absl::Status CheckTransaction(Context& context, const Statement& statement, int index);
  // Writes the rows and the log entry of the step.
  absl::Status Finish(Context& context);
  StepEnd EndOf(const Context& context) const;
  absl::Status FailureOf(const Context& context, const Statement& statement, int index,
                         const ServerError& error) const;
  // `status` of a failed step, with what the step knows: whether it was cancelled, what stays.
  absl::Status Explained(const absl::Status& status, const Context& context) const;
  absl::Status Cancelled(const Context& context) const;
  migration::v1::StatementFailure Describe(const Context& context, const Statement& statement,
                                           int index, const ServerError& error) const;
  std::string StateAfterFailure(const Context& context) const;
  // What becomes of a section outside a transaction.
  static std::string NextRun(const Context& context);

  Session& session_;
  const ScriptSet& scripts_;
  const ExecuteRequest& request_;
  Cancellation& cancellation_;
  Interrupter& interrupter_;
  StatementMonitor& monitor_;
  const EventSink& sink_;
  // Of the request; 0 once it is used.
  int skip_statement_;
  absl::BitGen random_;

  // Of the run.
  const Plan* plan_ = nullptr;
  Journal journal_;
  const StepListener* listener_ = nullptr;
  bool may_commit_ = false;
  // It was asked, and refused.
  bool may_not_commit_ = false;
  // Which one of the step that runs this is, for whatever reason those before have failed.
  int attempt_ = 1;
  // How many steps have begun.
  size_t started_ = 0;
  std::vector<std::string> finished_;
  // Behind those.
  VersionRows rows_;
  // All of the step is written, and nobody has said yet whether it was committed.
  std::unique_ptr<Context> ready_;
  // Once it may be on its way.
  std::unique_ptr<StepAhead> ahead_;
};

}  // namespace migd
