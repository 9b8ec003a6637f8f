#include "service/execute/step_runner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/base/redact.h"
#include "service/base/utf8.h"
#include "service/execute/failure_report.h"
#include "service/execute/plan_report.h"

namespace migd {
namespace {

using migration::v1::OperationEvent;

// A statement can raise notices without end, and of any size; a watcher needs the first of them,
// and their beginning.
constexpr int kMostNotices = 100;
constexpr size_t kLongestNotice = 4000;

// Between two attempts of a step that runs into the lock timeout.
constexpr absl::Duration kLongestPause = absl::Seconds(15);

// SQLSTATE query_canceled: a cancel request, or statement_timeout.
constexpr absl::string_view kQueryCanceled = "57014";

// PostgreSQL says by a notice of this kind that it skipped what exists; ObjectSkipped says it
// better. 42P07 duplicate_table (also index, view, sequence), 42701 column, 42P06 schema, 42710
// object.
bool IsSkipNotice(const ServerNotice& notice) {
  return notice.severity == "NOTICE" && (notice.sqlstate == "42P07" || notice.sqlstate == "42701" ||
                                         notice.sqlstate == "42P06" || notice.sqlstate == "42710");
}

std::string Public(absl::string_view text) {
  return Shortened(MaskPasswords(text), kLongestNotice);
}

// Passes the notices of one statement on, up to a limit.
class NoticeRelay {
 public:
  // `skips_reported`: what the statement skips has been told already.
  NoticeRelay(Session& session, const EventSink& sink, std::string revision, int index,
              bool skips_reported)
      : session_(session),
        sink_(sink),
        revision_(std::move(revision)),
        index_(index),
        skips_reported_(skips_reported) {
    session_.SetNoticeHandler([this](const ServerNotice& notice) { Relay(notice); });
  }
  ~NoticeRelay() {
    session_.SetNoticeHandler(nullptr);
    if (count_ > kMostNotices) {
      Emit(
          {"INFO", "", absl::StrCat(count_ - kMostNotices, " more notices were left out"), "", ""});
    }
  }

 private:
  void Relay(const ServerNotice& notice) {
    if (skips_reported_ && IsSkipNotice(notice)) return;
    if (++count_ <= kMostNotices) Emit(notice);
  }

  void Emit(const ServerNotice& notice) {
    OperationEvent event;
    migration::v1::Notice& out = *event.mutable_notice();
    out.set_revision(revision_);
    out.set_statement_index(index_);
    out.set_severity(notice.severity);
    out.set_sqlstate(notice.sqlstate);
    out.set_message(Public(notice.message));
    out.set_detail(Public(notice.detail));
    out.set_hint(Public(notice.hint));
    sink_(std::move(event));
  }

  Session& session_;
  const EventSink& sink_;
  const std::string revision_;
  const int index_;
  const bool skips_reported_;
  int count_ = 0;
};

}  // namespace

StepRunner::StepRunner(Session& session, const ScriptSet& scripts, const ExecuteRequest& request,
                       Cancellation& cancellation, Interrupter& interrupter, LockMonitor& monitor,
                       const EventSink& sink)
    : session_(session),
      scripts_(scripts),
      request_(request),
      cancellation_(cancellation),
      interrupter_(interrupter),
      monitor_(monitor),
      sink_(sink) {}

absl::Status StepRunner::Run(const Step& step, const VersionRows& resulting_rows,
                             const std::vector<std::string>& finished) {
  for (int attempt = 1;; ++attempt) {
    absl::Status status = Attempt(step, resulting_rows, finished);
    if (errors::ReasonOf(status) != migration::v1::ERROR_REASON_LOCK_TIMEOUT) return status;
    status = errors::WithBlockers(status, monitor_.blockers());
    if (attempt > request_.lock_retries || !CanRepeat(step)) return status;
    if (!PauseAfter(attempt, step, status)) {
      return errors::OperationCancelled(
          absl::StrCat(cancellation_.why(), "; nothing of ", step.revision, " remains"));
    }
  }
}

bool StepRunner::CanRepeat(const Step& step) const {
  const Section* section = SectionOf(scripts_, step);
  return section == nullptr || section->transactional;
}

bool StepRunner::PauseAfter(int failed, const Step& step, const absl::Status& status) {
  // Full jitter: those who were in one another's way do not meet again at the same moment.
  const absl::Duration most =
      std::min(request_.first_lock_pause * (1 << std::min(failed - 1, 10)), kLongestPause);
  const absl::Duration pause = most * absl::Uniform(random_, 0.0, 1.0);
  OperationEvent event;
  migration::v1::StepRetried& retried = *event.mutable_step_retried();
  retried.set_revision(step.revision);
  retried.set_attempt(failed + 1);
  retried.set_most_attempts(request_.lock_retries + 1);
  *retried.mutable_pause() = ToProtoDuration(pause);
  *retried.mutable_error() = errors::ToProto(status);
  sink_(std::move(event));
  return !cancellation_.WaitFor(pause);
}

absl::Status StepRunner::Attempt(const Step& step, const VersionRows& resulting_rows,
                                 const std::vector<std::string>& finished) {
  const auto index = scripts_.graph().Find(step.revision);
  Context context{step,
                  resulting_rows,
                  finished,
                  index ? &scripts_.file(*index) : nullptr,
                  SectionOf(scripts_, step),
                  absl::Now()};
  absl::Status status = session_.SetTimeouts(request_.timeouts);
  if (!status.ok()) return status;
  const bool transactional = context.section == nullptr || context.section->transactional;
  status = transactional ? RunTransactional(context) : RunOneByOne(context);
  if (status.ok()) return status;
  if (session_.InTransaction()) {
    Interrupter::Hold hold(interrupter_);
    // What went wrong is in `status`; a rollback that fails means that the connection is gone, and
    // then the server rolls back by itself.
    session_.Rollback().IgnoreError();
  }
  return Explained(status, context);
}

absl::Status StepRunner::Explained(const absl::Status& status, const Context& context) const {
  const migration::v1::ErrorReason reason = errors::ReasonOf(status);
  // A request to cancel ends the service's own queries as a timeout would.
  if (reason == migration::v1::ERROR_REASON_STATEMENT_TIMEOUT && cancellation_.requested()) {
    return Cancelled(context);
  }
  if (reason == migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE) {
    return errors::ConnectionLost(context.step.revision, status.message(),
                                  StateAfterFailure(context));
  }
  // A statement's failure and a cancellation have the state in them; after an unknown outcome there
  // is none to tell.
  if (errors::ToProto(status).has_statement_failure() ||
      reason == migration::v1::ERROR_REASON_OPERATION_CANCELLED ||
      reason == migration::v1::ERROR_REASON_OUTCOME_UNKNOWN) {
    return status;
  }
  return errors::WithState(status, context.step.revision, StateAfterFailure(context));
}

absl::Status StepRunner::RunTransactional(Context& context) {
  absl::Status status = session_.Begin();
  if (status.ok()) status = RunStatements(context);
  if (status.ok()) status = Finish(context);
  return status;
}

absl::Status StepRunner::RunOneByOne(Context& context) {
  absl::Status status = RunStatements(context);
  if (!status.ok()) return status;
  status = session_.ResetSettings();
  if (status.ok()) status = session_.Begin();
  if (status.ok()) status = Finish(context);
  return status;
}

absl::Status StepRunner::RunStatements(Context& context) {
  if (context.section == nullptr) return absl::OkStatus();
  int index = 0;
  for (const Statement& statement : context.section->statements) {
    if (cancellation_.requested()) return Cancelled(context);
    absl::Status status = RunStatement(context, statement, ++index);
    if (!status.ok()) return status;
    // What is inside a transaction, the step's or the section's own, can still be rolled back.
    if (!session_.InTransaction()) context.finished_statements = index;
  }
  return absl::OkStatus();
}

absl::Status StepRunner::RunStatement(Context& context, const Statement& statement, int index) {
  const auto skipped = ReportSkipped(context, statement, index);
  if (!skipped.ok()) return skipped.status();

  // A concurrent build waits for every transaction that is older than itself; a lock timeout would
  // end it halfway, and what waits does not stand in anybody's way.
  const bool unbounded_locks = !context.section->transactional && IsConcurrent(statement.text);
  absl::Status status =
      unbounded_locks ? session_.SetLockTimeout(absl::ZeroDuration()) : absl::OkStatus();
  if (!status.ok()) return status;

  const absl::Time start = absl::Now();
  absl::StatusOr<StatementResult> result;
  {
    NoticeRelay relay(session_, sink_, context.step.revision, index, *skipped > 0);
    const LockMonitor::Watch watch(
        monitor_,
        {context.step.revision, index, static_cast<int>(context.section->statements.size())});
    context.statement_runs = true;
    result = session_.Execute(statement);
  }
  if (!result.ok()) return result.status();
  context.statement_runs = false;
  if (result->error) return FailureOf(context, statement, index, *result->error);
  status = CheckTransaction(context, statement, index);
  if (!status.ok()) return status;
  if (unbounded_locks) {
    status = session_.SetLockTimeout(request_.timeouts.lock_timeout);
    if (!status.ok()) return status;
  }

  OperationEvent event;
  migration::v1::StatementFinished& finished = *event.mutable_statement_finished();
  finished.set_revision(context.step.revision);
  finished.set_statement_index(index);
  finished.set_statement_count(static_cast<int>(context.section->statements.size()));
  *finished.mutable_duration() = ToProtoDuration(absl::Now() - start);
  finished.set_rows(result->rows);
  finished.set_command_tag(result->command_tag);
  finished.set_line(statement.line);
  sink_(std::move(event));
  return absl::OkStatus();
}

absl::StatusOr<int> StepRunner::ReportSkipped(const Context& context, const Statement& statement,
                                              int index) {
  int count = 0;
  for (const GuardedObject& object : GuardedObjects(statement.text)) {
    const auto state = session_.Inspect(object);
    if (!state.ok()) return state.status();
    if (!state->has_value()) continue;
    const bool creates = object.guard == GuardedObject::Guard::kIfNotExists;
    if (creates && **state == ObjectState::kInvalidIndex) {
      return errors::InvalidIndex(Describe(context, statement, index, {}), object.DisplayName());
    }
    if (creates != (**state != ObjectState::kMissing)) continue;
    OperationEvent event;
    migration::v1::ObjectSkipped& skipped = *event.mutable_object_skipped();
    skipped.set_revision(context.step.revision);
    skipped.set_statement_index(index);
    skipped.set_object_kind(object.kind);
    skipped.set_object_name(object.DisplayName());
    skipped.set_reason(creates ? migration::v1::SKIP_REASON_EXISTS
                               : migration::v1::SKIP_REASON_MISSING);
    sink_(std::move(event));
    ++count;
  }
  return count;
}

absl::Status StepRunner::CheckTransaction(Context& context, const Statement& statement, int index) {
  const bool last = index == static_cast<int>(context.section->statements.size());
  const bool open = session_.InTransaction();
  ServerError problem;
  if (context.section->transactional && !open) {
    context.finished_statements = index;
    context.transaction_ended = true;
    problem.message = "the statement ended the transaction that keeps the revision whole";
  } else if (!context.section->transactional && last && open) {
    problem.message = "the section ends inside a transaction that it began";
  } else {
    return absl::OkStatus();
  }
  return FailureOf(context, statement, index, problem);
}

absl::Status StepRunner::Finish(Context& context) {
  absl::Status status = WriteVersionAndLog(context);
  if (!status.ok()) return status;
  Interrupter::Hold hold(interrupter_);
  const auto committed = session_.Commit();
  if (!committed.ok()) {
    return errors::OutcomeUnknown(context.step.revision, committed.status().message());
  }
  if (!committed->error) return absl::OkStatus();
  ServerError error = *committed->error;
  if (error.context.empty()) error.context = "at COMMIT, where deferred constraints are checked";
  if (context.section == nullptr || context.section->statements.empty()) {
    return errors::VersionRowMismatch(context.step.revision, error.message);
  }
  error.position = 0;
  return FailureOf(context, context.section->statements.back(),
                   static_cast<int>(context.section->statements.size()), error);
}

absl::Status StepRunner::WriteVersionAndLog(const Context& context) {
  absl::Status status = session_.ResetSettings();
  if (!status.ok()) return status;
  const auto holds_mutex = session_.HoldsMutex();
  if (!holds_mutex.ok()) return holds_mutex.status();
  if (!*holds_mutex) return errors::MutexLost(context.step.revision);
  const LockMonitor::Watch watch(monitor_, {context.step.revision, 0, 0});
  for (const VersionWrite& write : context.step.writes) {
    status = session_.WriteVersion(write, context.step.revision);
    if (!status.ok()) return status;
  }
  return session_.AppendLog({context.step.revision, context.step.direction,
                             context.section == nullptr ? "" : context.file->checksum(),
                             request_.operation, context.start_time, context.resulting_rows});
}

absl::Status StepRunner::Cancelled(const Context& context) const {
  return errors::OperationCancelled(
      absl::StrCat(cancellation_.why(), "; ", StateAfterFailure(context)));
}

absl::Status StepRunner::FailureOf(const Context& context, const Statement& statement, int index,
                                   const ServerError& error) const {
  if (cancellation_.requested() && error.sqlstate == kQueryCanceled) {
    return Cancelled(context);
  }
  const migration::v1::StatementFailure failure = Describe(context, statement, index, error);
  return error.sqlstate.empty() ? errors::TransactionBroken(failure)
                                : errors::StatementFailed(failure);
}

migration::v1::StatementFailure StepRunner::Describe(const Context& context,
                                                     const Statement& statement, int index,
                                                     const ServerError& error) const {
  migration::v1::StatementFailure failure = DescribeFailure(*context.file, statement, error);
  failure.set_statement_index(index);
  failure.set_statement_count(static_cast<int>(context.section->statements.size()));
  failure.set_state(StateAfterFailure(context));
  failure.mutable_finished_revisions()->Assign(context.finished.begin(), context.finished.end());
  return failure;
}

std::string StepRunner::StateAfterFailure(const Context& context) const {
  const std::string& revision = context.step.revision;
  const bool transactional = context.section == nullptr || context.section->transactional;
  const int finished = context.finished_statements;
  std::string state;
  if (transactional && !context.transaction_ended) {
    state = absl::StrCat("nothing of ", revision, " remains: it was rolled back");
  } else if (finished == 0) {
    state = absl::StrCat("no statement of ", revision, " finished");
  } else {
    state = absl::StrCat(finished == 1 ? "statement 1" : absl::StrCat("statements 1 to ", finished),
                         " of ", revision, finished == 1 ? " stays: " : " stay: ",
                         context.transaction_ended ? "the transaction was ended by a statement"
                                                   : "the section is transaction:false",
                         ", and the version table does not name it");
  }
  if (context.statement_runs && context.section != nullptr && !context.section->transactional) {
    absl::StrAppend(&state, "; whether the next statement finished is not known");
  }
  if (!context.finished.empty()) {
    absl::StrAppend(&state, "; finished before: ", absl::StrJoin(context.finished, ", "));
  }
  return state;
}

}  // namespace migd
