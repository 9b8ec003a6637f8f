// Takes a database from where it is to where it was told to be, one step at a time.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "migration/v1/access.pb.h"
#include "migration/v1/finding.pb.h"
#include "migration/v1/operation.pb.h"
#include "migration/v1/revision.pb.h"
#include "service/execute/cancellation.h"
#include "service/execute/workspace.h"
#include "service/plan/plan.h"

namespace migd {

// What the caller has decided about a section outside a transaction that is half done.
struct RunDecisions {
  // Run the statements in question.
  bool resume = false;
  // Take this one as done; 0 for none.
  int skip_statement = 0;

  friend bool operator==(const RunDecisions&, const RunDecisions&) = default;
};

// Looks at the session before and after each statement of a migration, in the transaction of the
// statement if there is one. What is not OK ends the run. Called on the thread that runs it.
class StatementObserver {
 public:
  virtual ~StatementObserver() = default;
  virtual absl::Status Before(Session& session) = 0;
  // `result` is null if the connection is lost.
  virtual absl::Status After(Session& session, const StatementResult* result) = 0;
};

// What to run.
struct ExecuteRequest {
  migration::v1::Action action = migration::v1::ACTION_UNSPECIFIED;
  std::vector<std::string> targets;
  // Stamp only: empty the version table first.
  bool purge = false;
  Timeouts timeouts;
  // How often a step that ran into the lock timeout is tried again, and how long the first pause
  // may be. It is a random part of that, and may be twice as long each time after.
  int lock_retries = 0;
  absl::Duration first_lock_pause = absl::Seconds(1);
  // End the sessions that are in the way.
  bool terminate_blockers = false;
  // When to stop waiting for the mutex; InfiniteFuture waits without end.
  absl::Time mutex_deadline = absl::InfiniteFuture();
  // Runs the plan with this plan_hash, or whose hash begins so, or none; any if empty.
  std::string plan_hash;
  // What confirms that the plan may destroy what it destroys.
  std::string confirmation;
  // Who asked for it, and what they are on the database; see GuardedCall.
  std::string requested_by;
  migration::v1::Role requester_role = migration::v1::ROLE_UNSPECIFIED;
  // The id of the operation: shown to others, and written to the log.
  std::string operation;
  // The trace that it belongs to, shown to others with the operation; empty for none.
  std::string trace_id;
  // What to do with statements of an earlier run that are in question.
  RunDecisions decisions;
  // Upgrade only: what becomes of a CREATE whose object is there.
  migration::v1::ExistingObjects existing_objects = migration::v1::EXISTING_OBJECTS_FAIL;
  // Whether the schema is compared with what the files make; see schema_check.h.
  migration::v1::SchemaCheck schema_check = migration::v1::SCHEMA_CHECK_REPORT;
  // Upgrade only: symbols of revisions whose files are accepted as they are.
  std::vector<std::string> accept_checksums;
  // What lint may stop, and how serious its rules are. ReadRunOptions sets them.
  migration::v1::LintGate lint_gate = migration::v1::LINT_GATE_OFF;
  std::map<std::string, migration::v1::Severity> lint_severities;
  // The plan of an earlier attempt that was cut off: what is left of it is run, instead of planning
  // anew from targets that may be relative. Without steps if there was none.
  migration::v1::Plan earlier_plan;
  // When a backup is made, at least: the settings of the database may demand more.
  migration::v1::BackupMode backup = migration::v1::BACKUP_MODE_UNSPECIFIED;
  // How thoroughly it is verified, at least.
  migration::v1::BackupVerification backup_verification =
      migration::v1::BACKUP_VERIFICATION_UNSPECIFIED;
  // An earlier attempt has made one.
  bool has_backup = false;
  // Null if nobody looks.
  StatementObserver* observer = nullptr;
  // As StepListener::before_commit. Called once the plan was emitted, and not if there is nothing
  // to do; before a backup, too.
  std::function<absl::Status(absl::Duration patience)> before_first_commit;
  // For how long a step holds locks while it may not be committed. Others would wait behind it; and
  // it may be in the way of what it waits for, where PostgreSQL sees no deadlock.
  absl::Duration patience_with_locks = absl::Seconds(1);
};

// How it went.
struct ExecuteResult {
  absl::Status status;
  // The rows after the last step that was finished; those found if none was. Empty if they were
  // never read.
  VersionRows rows;
  int finished_steps = 0;
};

// Takes each event as it happens, without operation, sequence and time. Called on the thread that
// runs the operation and on the one that watches its statements; must not block.
using EventSink = std::function<void(migration::v1::OperationEvent)>;

// Runs `request`: takes the mutex (polling; the version table is read only under it), plans, and
// runs the steps of the plan. A transactional step is one transaction with its write to the version
// table and its log entry; the statements of another run one by one, and the version table is
// written when all are done. Stops at the first failure: the step that failed leaves nothing (if
// transactional), those before it stay. The next run of a section outside a transaction goes on
// with the first statement that is not known to be done, by the journal in the database.
//
// A request to cancel ends the statement that runs, and rolls its step back; it does not disturb a
// commit, nor the version write that follows the last statement of a step.
ExecuteResult Execute(Workspace& workspace, const ExecuteRequest& request,
                      Cancellation& cancellation, const EventSink& sink);

}  // namespace migd
