#include "service/execute/step_runner.h"

#include <algorithm>
#include <utility>

#include "absl/memory/memory.h"
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

// Of a section with more, a part at a time is made ready to be sent.
constexpr size_t kMostTogether = 10000;

// To make more of the next step ready to be sent would keep a COMMIT waiting.
constexpr size_t kMostAheadOfCommit = 64;

// Between two attempts of a step that runs into the lock timeout.
constexpr absl::Duration kLongestPause = absl::Seconds(15);

// SQLSTATE query_canceled: a cancel request, or statement_timeout.
constexpr absl::string_view kQueryCanceled = "57014";

constexpr char kAtCommit[] = "at COMMIT, where deferred constraints are checked";

// The statement does not run in a transaction block, or it ends a transaction by itself. 25001
// active_sql_transaction, 2D000 invalid_transaction_termination.
bool RefusesTransaction(const ServerError& error) {
  return error.sqlstate == "25001" || error.sqlstate == "2D000";
}

// Statement `index` of the section; where the file begins, if it has no such statement.
Statement StatementAt(const Section& section, int index) {
  const auto at = static_cast<size_t>(index) - 1;
  if (at < section.statements.size()) return section.statements[at];
  Statement beginning;
  beginning.line = 1;
  return beginning;
}

absl::Span<const Statement> StatementsOf(const Section* section) {
  return section == nullptr ? absl::Span<const Statement>() : section->statements;
}

// PostgreSQL says by a notice of this kind that it skipped what exists; ObjectSkipped says it
// better. 42P07 duplicate_table (also index, view, sequence), 42701 column, 42P06 schema, 42710
// object.
bool IsSkipNotice(const ServerNotice& notice) {
  return notice.severity == "NOTICE" && (notice.sqlstate == "42P07" || notice.sqlstate == "42701" ||
                                         notice.sqlstate == "42P06" || notice.sqlstate == "42710");
}

// What DROP ... IF EXISTS says of each object that is not there, before anything else, has no code
// of its own.
bool MayTellOfMissing(const ServerNotice& notice) {
  return notice.severity == "NOTICE" && notice.sqlstate == "00000";
}

std::string Public(absl::string_view text) {
  return Shortened(MaskPasswords(text), kLongestNotice);
}

// Passes the notices of one statement on, up to a limit.
class NoticeRelay {
 public:
  NoticeRelay(Session& session, const EventSink& sink, std::string revision, int index)
      : session_(session), sink_(sink), revision_(std::move(revision)), index_(index) {
    session_.SetNoticeHandler([this](const ServerNotice& notice) { Relay(notice); });
  }
  ~NoticeRelay() {
    session_.SetNoticeHandler(nullptr);
    if (count_ > kMostNotices) {
      Emit(
          {"INFO", "", absl::StrCat(count_ - kMostNotices, " more notices were left out"), "", ""});
    }
  }
  NoticeRelay(const NoticeRelay&) = delete;
  NoticeRelay& operator=(const NoticeRelay&) = delete;

  // What the statement skips has been told already: how much there is, and how much of it is
  // because it is missing.
  void LeaveOut(int skipped, int missing) {
    skips_reported_ = skipped > 0;
    missing_reported_ = missing;
  }

 private:
  void Relay(const ServerNotice& notice) {
    if (skips_reported_ && IsSkipNotice(notice)) return;
    if (missing_reported_ > 0 && MayTellOfMissing(notice)) {
      --missing_reported_;
      return;
    }
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
  bool skips_reported_ = false;
  int missing_reported_ = 0;
  int count_ = 0;
};

// What is left of a step whose transaction did not come to its end.
std::string RolledBack(const Step& step) {
  return step.direction == Step::Direction::kDowngrade
             ? absl::StrCat(step.revision, " is still applied: its downgrade was rolled back")
             : absl::StrCat("nothing of ", step.revision, " remains: it was rolled back");
}

}  // namespace

// A part of a step, from when it is made ready to be sent.
class StepRunner::PartRun {
 public:
  // All must outlive it.
  PartRun(StepRunner& runner, Context& context, const PartExtent& extent);
  PartRun(const PartRun&) = delete;
  PartRun& operator=(const PartRun&) = delete;

  const StepPart& part() const { return part_; }
  bool ends_step() const { return extent_.ends_step; }
  // Behind the last of its statements, in the section.
  size_t end() const { return extent_.first + extent_.count; }

  // Runs it, and tells of what happens meanwhile.
  absl::Status Run();

 private:
  int IndexOf(size_t i) const { return static_cast<int>(extent_.first + i) + 1; }
  StatementPlace PlaceOf(size_t i) const;
  void BeginStatement(size_t i);
  absl::Status OnCommit(const StatementResult& committed);
  absl::Status OnLookup(size_t i, const std::vector<absl::optional<ObjectState>>& states);
  absl::Status OnStatement(size_t i, const StatementResult& result);

  StepRunner& runner_;
  Context& context_;
  const PartExtent extent_;
  StepPart part_;
  std::vector<std::vector<GuardedObject>> guarded_;
  // While it runs.
  absl::optional<StatementMonitor::Watch> watch_;
  absl::optional<NoticeRelay> relay_;
  bool all_have_run_ = false;
};

struct StepRunner::StepAhead {
  std::unique_ptr<Context> context;
  std::unique_ptr<PartRun> first_part;
};

StepRunner::StepRunner(Session& session, const ScriptSet& scripts, const ExecuteRequest& request,
                       Cancellation& cancellation, Interrupter& interrupter,
                       StatementMonitor& monitor, const EventSink& sink)
    : session_(session),
      scripts_(scripts),
      request_(request),
      cancellation_(cancellation),
      interrupter_(interrupter),
      monitor_(monitor),
      sink_(sink),
      skip_statement_(request.decisions.skip_statement) {}

StepRunner::~StepRunner() = default;

absl::Status StepRunner::Run(const Plan& plan, Journal journal, const StepListener& listener) {
  plan_ = &plan;
  journal_ = std::move(journal);
  listener_ = &listener;
  may_commit_ = listener.before_commit == nullptr;
  rows_ = plan.starting_rows;
  for (int attempt = 1;; ++attempt) {
    const size_t finished = finished_.size();
    absl::Status status = RunRest();
    if (errors::ReasonOf(status) != migration::v1::ERROR_REASON_LOCK_TIMEOUT) return status;
    if (finished_.size() > finished) attempt = 1;
    status = errors::WithBlockers(status, monitor_.blockers());
    if (attempt > request_.lock_retries) return status;
    const Step& step = plan.steps[finished_.size()];
    if (!PauseAfter(attempt, step, status)) {
      return errors::OperationCancelled(
          absl::StrCat(cancellation_.why(), "; ",
                       IsTransactional(step) ? RolledBack(step) : std::string(status.message())));
    }
    // A transaction that was rolled back has left nothing; otherwise this attempt has done more.
    if (IsTransactional(step)) continue;
    auto found = session_.ReadJournal();
    if (!found.ok()) return found.status();
    journal_ = *std::move(found);
  }
}

absl::Status StepRunner::RunRest() {
  for (size_t index = finished_.size(); index < plan_->steps.size(); ++index) {
    // What is on its way already ends by itself.
    if (cancellation_.requested() && ahead_ == nullptr) {
      const absl::Status status = CommitReady();
      return status.ok() ? errors::OperationCancelled(cancellation_.why()) : status;
    }
    const absl::Status status = Attempt(index);
    if (!status.ok()) return status;
  }
  return CommitReady();
}

bool StepRunner::IsTransactional(const Step& step) const {
  const Section* section = SectionOf(scripts_, step);
  return section == nullptr || section->transactional;
}

bool StepRunner::PauseAfter(int failed, const Step& step, const absl::Status& status) {
  // Full jitter: those who were in one another's way do not meet again at the same moment.
  const absl::Duration most =
      std::min(request_.first_lock_pause * (1 << std::min(failed - 1, 10)), kLongestPause);
  const absl::Duration pause = most * absl::Uniform(random_, 0.0, 1.0);
  ReportRetried(step, pause, status);
  return !cancellation_.WaitFor(pause);
}

void StepRunner::ReportRetried(const Step& step, absl::Duration pause, const absl::Status& status) {
  OperationEvent event;
  migration::v1::StepRetried& retried = *event.mutable_step_retried();
  retried.set_revision(step.revision);
  retried.set_attempt(++attempt_);
  retried.set_most_attempts(std::max(attempt_, request_.lock_retries + 1));
  *retried.mutable_pause() = ToProtoDuration(pause);
  *retried.mutable_error() = errors::ToProto(status);
  sink_(std::move(event));
}

std::unique_ptr<StepRunner::Context> StepRunner::Prepare(size_t index, VersionRows rows) const {
  const Step& step = plan_->steps[index];
  ApplyWrites(step.writes, rows);
  const auto file = scripts_.graph().Find(step.revision);
  const JournalKey key = {step.revision, step.direction};
  const auto found = journal_.find(key);
  StepJournal journal(session_, key, found == journal_.end() ? SectionJournal() : found->second,
                      request_.operation);
  return absl::WrapUnique(new Context{index, step, std::move(rows),
                                      file ? &scripts_.file(*file) : nullptr,
                                      SectionOf(scripts_, step), std::move(journal), absl::Now()});
}

absl::Status StepRunner::Attempt(size_t index) {
  absl::Status status = listener_->before ? listener_->before(index) : absl::OkStatus();
  if (!status.ok()) {
    const absl::Status committed = CommitReady();
    return committed.ok() ? status : committed;
  }
  const std::unique_ptr<StepAhead> ahead = std::move(ahead_);
  std::unique_ptr<Context> context =
      ahead != nullptr ? std::move(ahead->context)
                       : Prepare(index, ready_ == nullptr ? rows_ : ready_->resulting_rows);
  const bool transactional = IsTransactional(context->step);
  // Only what begins with BEGIN can come behind a COMMIT that may yet fail.
  if (!transactional) status = CommitReady();
  if (status.ok() && !transactional) status = AllowCommit(absl::InfiniteDuration());
  if (!status.ok()) return status;
  if (ready_ == nullptr) Start(*context);

  status = transactional ? RunTransactional(
                               *context, ahead == nullptr ? nullptr : std::move(ahead->first_part))
                         : RunOneByOne(*context);
  if (status.ok()) status = AllowCommit(RestOfPatience(*context));
  if (status.ok()) {
    ready_ = std::move(context);
    ready_->commit_hold.emplace(interrupter_);
    return status;
  }
  if (may_not_commit_) return AttemptWhenAllowed(*context);
  ahead_.reset();
  // The one before if its COMMIT has failed.
  const std::unique_ptr<Context> failed =
      ready_ == nullptr ? std::move(context) : std::move(ready_);
  EndTransaction();
  return Explained(status, *failed);
}

void StepRunner::EndTransaction() {
  if (!session_.InTransaction()) return;
  Interrupter::Hold hold(interrupter_);
  // What went wrong is known to the caller; a rollback that fails means that the connection is
  // gone, and then the server rolls back by itself.
  session_.Rollback().IgnoreError();
}

void StepRunner::Start(Context& context) {
  context.start_time = absl::Now();
  if (context.index < started_) return;
  started_ = context.index + 1;
  if (listener_->on_started) listener_->on_started(context.index);
}

absl::Status StepRunner::AllowCommit(absl::Duration patience) {
  if (may_commit_) return absl::OkStatus();
  const absl::Status status = listener_->before_commit(patience);
  may_commit_ = status.ok();
  may_not_commit_ = !may_commit_;
  return status;
}

absl::Duration StepRunner::RestOfPatience(const Context& context) const {
  const absl::Duration held = absl::Now() - context.start_time;
  return std::max(request_.patience_with_locks - held, absl::ZeroDuration());
}

absl::Status StepRunner::CheckPatience(const Context& context) {
  return may_commit_ || RestOfPatience(context) > absl::ZeroDuration()
             ? absl::OkStatus()
             : AllowCommit(absl::ZeroDuration());
}

absl::Status StepRunner::AttemptWhenAllowed(const Context& context) {
  may_not_commit_ = false;
  EndTransaction();
  if (cancellation_.requested()) return Cancelled(context);
  ReportRetried(context.step, absl::ZeroDuration(), errors::PlanNotStored());
  const absl::Status allowed = AllowCommit(absl::InfiniteDuration());
  if (allowed.ok()) return Attempt(context.index);
  return cancellation_.requested()
             ? Cancelled(context)
             : errors::WithState(allowed, context.step.revision, StateAfterFailure(context));
}

absl::Status StepRunner::CommitReady() {
  if (ready_ == nullptr) return absl::OkStatus();
  const auto committed = session_.Commit();
  const absl::Status status =
      committed.ok() ? SettleReady(*committed)
                     : errors::OutcomeUnknown(ready_->step.revision, committed.status());
  if (status.ok()) return status;
  const std::unique_ptr<Context> failed = std::move(ready_);
  return Explained(status, *failed);
}

absl::Status StepRunner::SettleReady(const StatementResult& committed) {
  ready_->commit_hold.reset();
  if (!committed.error) {
    rows_ = ready_->resulting_rows;
    finished_.push_back(ready_->step.revision);
    attempt_ = 1;
    const std::unique_ptr<Context> done = std::move(ready_);
    if (listener_->on_finished) {
      listener_->on_finished(done->index, absl::Now() - done->start_time);
    }
    return absl::OkStatus();
  }
  ServerError error = *committed.error;
  if (error.context.empty()) error.context = kAtCommit;
  if (ready_->section == nullptr || ready_->section->statements.empty()) {
    return errors::VersionRowMismatch(ready_->step.revision, error.message);
  }
  error.position = 0;
  return FailureOf(*ready_, ready_->section->statements.back(),
                   static_cast<int>(ready_->section->statements.size()), error);
}

absl::Status StepRunner::Explained(const absl::Status& status, const Context& context) const {
  const migration::v1::ErrorReason reason = errors::ReasonOf(status);
  // A request to cancel ends the service's own queries as a timeout would.
  if (reason == migration::v1::ERROR_REASON_STATEMENT_TIMEOUT && cancellation_.requested()) {
    return Cancelled(context);
  }
  if (reason == migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE) {
    return errors::ConnectionLost(context.step.revision, status, StateAfterFailure(context));
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

absl::Status StepRunner::RunTransactional(Context& context, std::unique_ptr<PartRun> first_part) {
  if (!context.journal.found().empty() && !request_.decisions.resume) {
    const absl::Status status = CommitReady();
    if (!status.ok()) return status;
    Start(context);
    return errors::JournalMismatch(
        Describe(context, StatementAt(*context.section, 1), 0, {}),
        "its section was transaction:false, and statements of it were run one by one");
  }
  const absl::Span<const Statement> statements = StatementsOf(context.section);
  std::unique_ptr<PartRun> part = std::move(first_part);
  if (part == nullptr) part = FirstPart(context, /*commits=*/ready_ != nullptr);
  while (true) {
    absl::Status status = part->Run();
    if (!status.ok()) return status;
    size_t next = part->end();
    if (next == statements.size()) return part->ends_step() ? absl::OkStatus() : Finish(context);
    if (cancellation_.requested()) return Cancelled(context);
    status = RunStatement(context, statements[next], static_cast<int>(next) + 1);
    if (status.ok()) status = CheckPatience(context);
    if (!status.ok()) return status;
    ++next;
    part = std::make_unique<PartRun>(*this, context, ExtentFrom(context, next));
  }
}

size_t StepRunner::CountTogether(absl::Span<const Statement> statements) const {
  // Who looks at each statement, before and after it, has to be waited for.
  if (request_.observer != nullptr ||
      request_.existing_objects == migration::v1::EXISTING_OBJECTS_SKIP) {
    return 0;
  }
  const auto most = statements.subspan(0, kMostTogether);
  const auto end = std::find_if_not(most.begin(), most.end(), RunsTogether);
  return static_cast<size_t>(end - most.begin());
}

StepRunner::PartExtent StepRunner::ExtentFrom(const Context& context, size_t first) const {
  const absl::Span<const Statement> statements = StatementsOf(context.section);
  PartExtent extent;
  extent.first = first;
  extent.count = CountTogether(statements.subspan(first));
  // What an earlier run has left in the journal is removed before the end.
  extent.ends_step = first + extent.count == statements.size() && context.journal.found().empty();
  return extent;
}

std::unique_ptr<StepRunner::PartRun> StepRunner::FirstPart(Context& context, bool commits) {
  PartExtent extent = ExtentFrom(context, 0);
  extent.begins_step = true;
  extent.commits = commits;
  return std::make_unique<PartRun>(*this, context, extent);
}

const StepPart* StepRunner::PrepareBehind(const Context& context) {
  const size_t index = context.index + 1;
  if (index == plan_->steps.size() || !IsTransactional(plan_->steps[index]) || listener_->before ||
      cancellation_.requested()) {
    return nullptr;
  }
  auto ahead = std::make_unique<StepAhead>();
  ahead->context = Prepare(index, context.resulting_rows);
  const Context& next = *ahead->context;
  if (!next.journal.found().empty() || StatementsOf(next.section).size() > kMostAheadOfCommit) {
    return nullptr;
  }
  ahead->first_part = FirstPart(*ahead->context, /*commits=*/true);
  ahead_ = std::move(ahead);
  return &ahead_->first_part->part();
}

StepRunner::PartRun::PartRun(StepRunner& runner, Context& context, const PartExtent& extent)
    : runner_(runner), context_(context), extent_(extent) {
  if (extent.begins_step) part_.begin = runner.request_.timeouts;
  if (extent.count > 0) {
    part_.statements = StatementsOf(context.section).subspan(extent.first, extent.count);
  }
  for (const Statement& statement : part_.statements) {
    guarded_.push_back(GuardedObjects(statement.text));
  }
  part_.lookups = guarded_;
  part_.on_lookup = [this](size_t i, const std::vector<absl::optional<ObjectState>>& states) {
    return OnLookup(i, states);
  };
  if (extent.commits) {
    part_.on_commit = [this](const StatementResult& committed) { return OnCommit(committed); };
  }
  if (!extent.ends_step) return;
  part_.end = runner.EndOf(context);
  if (!runner.may_commit_) return;
  // A step whose statements have run is committed, whatever is requested from then on.
  part_.is_committed = true;
  part_.next = [this] { return runner_.PrepareBehind(context_); };
}

StatementPlace StepRunner::PartRun::PlaceOf(size_t i) const {
  const std::string& revision = context_.step.revision;
  // Behind the last statement, the service's own writes.
  if (i >= extent_.count) return {revision};
  return {revision, IndexOf(i), static_cast<int>(context_.section->statements.size())};
}

void StepRunner::PartRun::BeginStatement(size_t i) {
  if (i < extent_.count) {
    relay_.emplace(runner_.session_, runner_.sink_, context_.step.revision, IndexOf(i));
  }
  context_.statement_start_time = absl::Now();
}

absl::Status StepRunner::PartRun::OnCommit(const StatementResult& committed) {
  const absl::Status status = runner_.SettleReady(committed);
  if (!status.ok()) return status;
  if (runner_.cancellation_.requested()) {
    return errors::OperationCancelled(runner_.cancellation_.why());
  }
  runner_.Start(context_);
  watch_->Next(PlaceOf(0));
  BeginStatement(0);
  return absl::OkStatus();
}

absl::Status StepRunner::PartRun::OnLookup(size_t i,
                                           const std::vector<absl::optional<ObjectState>>& states) {
  const auto skipped =
      runner_.SkippedAmong(context_, part_.statements[i], IndexOf(i), guarded_[i], states);
  if (!skipped.ok()) return skipped.status();
  runner_.ReportSkipped(context_, IndexOf(i), *skipped);
  relay_->LeaveOut(static_cast<int>(skipped->size()), context_.missing_objects);
  return absl::OkStatus();
}

absl::Status StepRunner::PartRun::OnStatement(size_t i, const StatementResult& result) {
  const Statement& statement = part_.statements[i];
  if (result.error) return runner_.FailureOf(context_, statement, IndexOf(i), *result.error);
  watch_->Next(PlaceOf(i + 1));
  // What it has to say of notices left out comes before the end of their statement.
  relay_.reset();
  runner_.ReportFinished(context_, statement, IndexOf(i), result);
  BeginStatement(i + 1);
  all_have_run_ = i + 1 == extent_.count;
  if (runner_.cancellation_.requested() && !all_have_run_) return runner_.Cancelled(context_);
  return runner_.CheckPatience(context_);
}

absl::Status StepRunner::PartRun::Run() {
  if (!extent_.begins_step && extent_.count == 0 && !extent_.ends_step) return absl::OkStatus();
  watch_.emplace(runner_.monitor_,
                 extent_.commits ? StatementPlace{runner_.ready_->step.revision} : PlaceOf(0));
  if (!extent_.commits) BeginStatement(0);
  const absl::Status status = runner_.session_.RunPart(
      part_, [this](size_t i, const StatementResult& result) { return OnStatement(i, result); });
  relay_.reset();
  watch_.reset();
  const Context* ready = runner_.ready_.get();
  const bool may_be_committed = ready != nullptr || (part_.is_committed && all_have_run_);
  if (may_be_committed &&
      errors::ReasonOf(status) == migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE) {
    return errors::OutcomeUnknown((ready == nullptr ? context_ : *ready).step.revision, status);
  }
  return status;
}

absl::Status StepRunner::RunOneByOne(Context& context) {
  absl::Status status = session_.SetTimeouts(request_.timeouts);
  if (status.ok()) status = CheckJournal(context);
  if (!status.ok()) return status;
  int index = 0;
  for (const Statement& statement : context.section->statements) {
    if (cancellation_.requested()) return Cancelled(context);
    status = RunJournaled(context, statement, ++index);
    if (!status.ok()) return status;
    // What is inside a transaction of the section's own can still be rolled back.
    if (!session_.InTransaction()) context.finished_statements = index;
  }
  status = session_.ResetSettings();
  if (status.ok()) status = session_.Begin();
  if (status.ok()) status = Finish(context);
  return status;
}

absl::Status StepRunner::CheckJournal(Context& context) {
  const Section& section = *context.section;
  const SectionJournal& found = context.journal.found();
  context.finished_statements = NextStatement(section, found) - 1;
  const int count = static_cast<int>(section.statements.size());
  for (auto difference = FindDifference(section, found, 1); difference;
       difference = FindDifference(section, found, difference->statement + 1)) {
    const int index = difference->statement;
    const bool skip = skip_statement_ == index;
    if (!skip && !request_.decisions.resume) {
      return errors::JournalMismatch(Describe(context, StatementAt(section, index), index, {}),
                                     difference->problem);
    }
    const absl::Status status =
        Decide(context, index, skip ? JournalDecision::kSkip : JournalDecision::kRun);
    if (!status.ok()) return status;
  }

  if (found.empty()) return absl::OkStatus();
  context.finished_statements = NextStatement(section, found) - 1;
  OperationEvent event;
  migration::v1::StepResumed& resumed = *event.mutable_step_resumed();
  resumed.set_revision(context.step.revision);
  resumed.set_next_statement(NextStatement(section, found));
  resumed.set_statement_count(count);
  resumed.set_operation(found.rbegin()->second.operation);
  sink_(std::move(event));
  return absl::OkStatus();
}

absl::Status StepRunner::Decide(Context& context, int index, JournalDecision decision) {
  const std::vector<Statement>& statements = context.section->statements;
  const absl::Status status =
      index > static_cast<int>(statements.size())
          ? context.journal.DecideRemoved(index, decision)
          : context.journal.Decide(index, statements[static_cast<size_t>(index) - 1], decision);
  if (!status.ok()) return status;
  const bool skip = decision == JournalDecision::kSkip;
  if (skip) skip_statement_ = 0;
  ReportSettled(context, index,
                skip ? migration::v1::SETTLEMENT_SKIPPED_BY_DECISION
                     : migration::v1::SETTLEMENT_RUN_BY_DECISION);
  return absl::OkStatus();
}

absl::Status StepRunner::RunJournaled(Context& context, const Statement& statement, int index) {
  const RunMode mode = RunModeOf(statement.text);
  const JournalEntry* entry = context.journal.Find(index);
  bool done = entry != nullptr && entry->state != JournalEntry::State::kStarted;
  if (entry != nullptr && !done) {
    const auto settled = Settle(context, statement, index);
    if (!settled.ok()) return settled.status();
    done = *settled;
  }
  if (done && mode != RunMode::kSession) {
    context.chained = ChainsTransaction(statement.text);
    return absl::OkStatus();
  }
  // What sets the session up is run even if it stood in a transaction that is done.
  if (done) return RunStatement(context, statement, index);

  if (std::exchange(context.chained, false)) {
    const absl::Status status = session_.Begin();
    if (!status.ok()) return status;
  }
  // A concurrent build waits for every transaction that is older than itself; a lock timeout would
  // end it halfway, and what waits does not stand in anybody's way.
  const absl::Status status = BoundLocks(context, !IsConcurrent(statement.text));
  return status.ok() ? RunInMode(context, mode, statement, index) : status;
}

absl::Status StepRunner::BoundLocks(Context& context, bool bound) {
  if (std::exchange(context.locks_are_bound, bound) == bound) return absl::OkStatus();
  return session_.SetLockTimeout(bound ? request_.timeouts.lock_timeout : absl::ZeroDuration());
}

absl::Status StepRunner::RunInMode(Context& context, RunMode mode, const Statement& statement,
                                   int index) {
  if (session_.InTransaction()) return RunInOwnTransaction(context, statement, index);
  switch (mode) {
    case RunMode::kSession:
      return RunStatement(context, statement, index);
    case RunMode::kTransactionControl:
      return RunInOwnTransaction(context, statement, index);
    case RunMode::kInTransaction:
      return RunInTransaction(context, statement, index);
    case RunMode::kAlone:
      break;
  }
  return RunAlone(context, statement, index);
}

absl::StatusOr<bool> StepRunner::Settle(Context& context, const Statement& statement, int index) {
  const bool skip = skip_statement_ == index;
  if (skip || request_.decisions.resume) {
    const absl::Status status =
        Decide(context, index, skip ? JournalDecision::kSkip : JournalDecision::kRun);
    if (!status.ok()) return status;
    return skip;
  }
  const bool looked_up = ConcurrentBuildOf(statement.text) || ConcurrentDropOf(statement.text);
  if (!looked_up && !IsRepeatable(statement.text)) {
    return errors::StatementOutcomeUnknown(Describe(context, statement, index, {}),
                                           context.journal.Find(index)->operation);
  }
  std::string index_name;
  const auto done = IsDone(statement, index_name);
  if (!done.ok()) return done.status();
  if (*done) {
    const absl::Status status = context.journal.Finish(index, statement);
    if (!status.ok()) return status;
  }
  ReportSettled(context, index,
                *done ? migration::v1::SETTLEMENT_FOUND_DONE : migration::v1::SETTLEMENT_RUN_AGAIN,
                index_name);
  return *done;
}

absl::StatusOr<bool> StepRunner::IsDone(const Statement& statement, std::string& index_name) {
  if (const auto build = ConcurrentBuildOf(statement.text)) {
    const auto found = session_.InspectBuild(*build);
    if (!found.ok()) return found.status();
    index_name = found->name;
    if (found->state != ObjectState::kPresent) return false;
    return session_.MatchesBuild(*build);
  }
  if (const auto dropped = ConcurrentDropOf(statement.text)) {
    const auto state = session_.Inspect(*dropped);
    if (!state.ok()) return state.status();
    index_name = dropped->DisplayName();
    return *state == ObjectState::kMissing;
  }
  return false;
}

absl::Status StepRunner::RunStatement(Context& context, const Statement& statement, int index) {
  const auto skipped = LookForSkipped(context, statement, index);
  if (!skipped.ok()) return skipped.status();
  const auto result = Send(context, statement, index, *skipped);
  if (!result.ok()) return result.status();
  if (result->error) return FailureOf(context, statement, index, *result->error);
  const absl::Status status = CheckTransaction(context, statement, index);
  if (!status.ok()) return status;
  ReportFinished(context, statement, index, *result);
  return absl::OkStatus();
}

absl::Status StepRunner::RunInOwnTransaction(Context& context, const Statement& statement,
                                             int index) {
  context.journal.Collect(index, statement);
  absl::Status status = IsCommit(statement.text) && session_.InTransaction()
                            ? context.journal.FinishCollected()
                            : absl::OkStatus();
  if (status.ok()) status = RunStatement(context, statement, index);
  // What was rolled back, or is prepared, is done too: the section has gone on from there.
  if (status.ok() && !session_.InTransaction()) status = context.journal.FinishCollected();
  return status;
}

absl::Status StepRunner::RunInTransaction(Context& context, const Statement& statement, int index) {
  const auto skipped = LookForSkipped(context, statement, index);
  if (!skipped.ok()) return skipped.status();
  absl::Status status = session_.Begin();
  if (!status.ok()) return status;
  const auto result = Send(context, statement, index, *skipped);
  if (!result.ok()) return result.status();
  if (result->error && RefusesTransaction(*result->error)) {
    status = session_.Rollback();
    return status.ok() ? RunAlone(context, statement, index) : status;
  }
  if (result->error) return FailureOf(context, statement, index, *result->error);

  Interrupter::Hold hold(interrupter_);
  status = context.journal.Finish(index, statement);
  if (!status.ok()) return status;
  context.statement_runs = true;
  auto committed = session_.Commit();
  if (!committed.ok()) return committed.status();
  context.statement_runs = false;
  if (committed->error) {
    if (committed->error->context.empty()) committed->error->context = kAtCommit;
    committed->error->position = 0;
    return FailureOf(context, statement, index, *committed->error);
  }
  ReportFinished(context, statement, index, *result);
  return absl::OkStatus();
}

absl::Status StepRunner::RunAlone(Context& context, const Statement& statement, int index) {
  const auto built = MakeRoomFor(context, statement, index);
  if (!built.ok()) return built.status();
  const auto skipped = LookForSkipped(context, statement, index, *built);
  if (!skipped.ok()) return skipped.status();

  absl::Status status = context.journal.Start(index, statement);
  if (!status.ok()) return status;
  const auto result = Send(context, statement, index, *skipped);
  if (!result.ok()) return result.status();
  Interrupter::Hold hold(interrupter_);
  if (result->error) {
    // If the entry cannot be removed, the next run asks; the failure is told now.
    context.journal.Fail(index).IgnoreError();
    NoteInvalidIndex(context, statement);
    return FailureOf(context, statement, index, *result->error);
  }
  status = context.journal.Finish(index, statement);
  if (status.ok()) status = CheckTransaction(context, statement, index);
  if (!status.ok()) return status;
  ReportFinished(context, statement, index, *result);
  return absl::OkStatus();
}

void StepRunner::NoteInvalidIndex(Context& context, const Statement& statement) {
  const auto build = ConcurrentBuildOf(statement.text);
  if (!build) return;
  const auto found = session_.InspectBuild(*build);
  if (found.ok() && found->state == ObjectState::kInvalidIndex) context.invalid_index = found->name;
}

absl::StatusOr<absl::optional<ObjectState>> StepRunner::MakeRoomFor(Context& context,
                                                                    const Statement& statement,
                                                                    int index) {
  const auto build = ConcurrentBuildOf(statement.text);
  if (!build) return absl::optional<ObjectState>();
  const auto found = session_.InspectBuild(*build);
  if (!found.ok()) return found.status();
  if (found->state != ObjectState::kInvalidIndex) return absl::make_optional(found->state);
  if (found->builder_pid != 0) {
    return errors::IndexBeingBuilt(Describe(context, statement, index, {}), found->name,
                                   found->builder_pid);
  }
  const auto matches = session_.MatchesBuild(*build);
  if (!matches.ok()) return matches.status();
  if (!*matches) {
    return errors::InvalidIndex(Describe(context, statement, index, {}), found->name,
                                "it is not known to be the one that this statement makes");
  }
  const std::string sql = absl::StrCat("DROP INDEX CONCURRENTLY ", found->name);
  Statement drop;
  drop.text = sql;
  const auto dropped = session_.Execute(drop);
  if (!dropped.ok()) return dropped.status();
  if (dropped->error) {
    ServerError error = *dropped->error;
    error.position = 0;
    if (error.context.empty()) error.context = sql;
    return FailureOf(context, statement, index, error);
  }
  ReportSettled(context, index, migration::v1::SETTLEMENT_INVALID_INDEX_DROPPED, found->name);
  return absl::make_optional(ObjectState::kMissing);
}

absl::StatusOr<StatementResult> StepRunner::Send(Context& context, const Statement& statement,
                                                 int index, int skipped) {
  context.statement_start_time = absl::Now();
  if (context.left_out) return StatementResult();
  NoticeRelay relay(session_, sink_, context.step.revision, index);
  relay.LeaveOut(skipped, context.missing_objects);
  const StatementMonitor::Watch watch(
      monitor_, {context.step.revision, index, static_cast<int>(context.section->statements.size()),
                 static_cast<int64_t>(statement.copy_data.value_or("").size())});
  absl::Status observed =
      request_.observer == nullptr ? absl::OkStatus() : request_.observer->Before(session_);
  if (!observed.ok()) return observed;
  context.statement_start_time = absl::Now();
  context.statement_runs = true;
  auto result = session_.Execute(statement);
  if (result.ok()) context.statement_runs = false;
  if (request_.observer != nullptr) {
    observed = request_.observer->After(session_, result.ok() ? &*result : nullptr);
    if (result.ok() && !observed.ok()) return observed;
  }
  return result;
}

void StepRunner::ReportFinished(const Context& context, const Statement& statement, int index,
                                const StatementResult& result) {
  OperationEvent event;
  migration::v1::StatementFinished& finished = *event.mutable_statement_finished();
  finished.set_revision(context.step.revision);
  finished.set_statement_index(index);
  finished.set_statement_count(static_cast<int>(context.section->statements.size()));
  *finished.mutable_duration() = ToProtoDuration(absl::Now() - context.statement_start_time);
  finished.set_rows(result.rows);
  finished.set_command_tag(result.command_tag);
  finished.set_line(statement.line);
  sink_(std::move(event));
}

void StepRunner::ReportSettled(const Context& context, int index,
                               migration::v1::Settlement settlement, absl::string_view index_name) {
  OperationEvent event;
  migration::v1::StatementSettled& settled = *event.mutable_statement_settled();
  settled.set_revision(context.step.revision);
  settled.set_statement_index(index);
  settled.set_statement_count(static_cast<int>(context.section->statements.size()));
  settled.set_settlement(settlement);
  settled.set_index_name(std::string(index_name));
  sink_(std::move(event));
}

absl::StatusOr<std::vector<GuardedObject>> StepRunner::SkippedAmong(
    const Context& context, const Statement& statement, int index,
    const std::vector<GuardedObject>& objects,
    const std::vector<absl::optional<ObjectState>>& states) const {
  std::vector<GuardedObject> skipped;
  for (size_t i = 0; i < objects.size(); ++i) {
    if (!states[i]) continue;
    const bool creates = objects[i].guard == GuardedObject::Guard::kIfNotExists;
    if (creates && *states[i] == ObjectState::kInvalidIndex) {
      return errors::InvalidIndex(Describe(context, statement, index, {}), objects[i].DisplayName(),
                                  "it would be passed over");
    }
    if (creates == (*states[i] != ObjectState::kMissing)) skipped.push_back(objects[i]);
  }
  return skipped;
}

absl::StatusOr<std::vector<GuardedObject>> StepRunner::FindSkipped(
    const Context& context, const Statement& statement, int index,
    const std::vector<GuardedObject>& objects, absl::optional<ObjectState> built) {
  std::vector<absl::optional<ObjectState>> states;
  for (const GuardedObject& object : objects) {
    const absl::StatusOr<absl::optional<ObjectState>> state =
        built ? built : session_.Inspect(object);
    if (!state.ok()) return state.status();
    states.push_back(*state);
  }
  return SkippedAmong(context, statement, index, objects, states);
}

absl::StatusOr<int> StepRunner::LookForSkipped(Context& context, const Statement& statement,
                                               int index, absl::optional<ObjectState> built) {
  context.left_out = false;
  auto skipped = FindSkipped(context, statement, index, GuardedObjects(statement.text), built);
  if (!skipped.ok()) return skipped.status();
  if (request_.existing_objects == migration::v1::EXISTING_OBJECTS_SKIP) {
    const std::vector<GuardedObject> created = CreatedObjects(statement.text);
    const auto present = FindSkipped(context, statement, index, created, built);
    if (!present.ok()) return present.status();
    context.left_out = !created.empty() && present->size() == created.size();
    if (context.left_out) skipped = *present;
  }
  ReportSkipped(context, index, *skipped);
  return static_cast<int>(skipped->size());
}

void StepRunner::ReportSkipped(Context& context, int index,
                               const std::vector<GuardedObject>& skipped) {
  context.missing_objects = 0;
  for (const GuardedObject& object : skipped) {
    const bool creates = object.guard == GuardedObject::Guard::kIfNotExists;
    if (!creates) ++context.missing_objects;
    OperationEvent event;
    migration::v1::ObjectSkipped& out = *event.mutable_object_skipped();
    out.set_revision(context.step.revision);
    out.set_statement_index(index);
    out.set_object_kind(object.kind);
    out.set_object_name(object.DisplayName());
    out.set_reason(creates ? migration::v1::SKIP_REASON_EXISTS
                           : migration::v1::SKIP_REASON_MISSING);
    sink_(std::move(event));
  }
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
  absl::Status status = context.journal.Close();
  if (!status.ok()) return status;
  PartExtent extent;
  extent.ends_step = true;
  return PartRun(*this, context, extent).Run();
}

StepEnd StepRunner::EndOf(const Context& context) const {
  return {context.step.writes,
          {context.step.revision, context.step.direction,
           context.section == nullptr ? "" : context.file->checksum(), request_.operation,
           context.start_time, context.resulting_rows}};
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
  failure.mutable_finished_revisions()->Assign(finished_.begin(), finished_.end());
  return failure;
}

std::string StepRunner::StateAfterFailure(const Context& context) const {
  const std::string& revision = context.step.revision;
  const bool transactional = context.section == nullptr || context.section->transactional;
  const int finished = context.finished_statements;
  std::string state;
  if (transactional && !context.transaction_ended) {
    state = context.journal.found().empty()
                ? RolledBack(context.step)
                : absl::StrCat("what an earlier run did of ", revision, " stays");
  } else if (finished == 0) {
    state = absl::StrCat("no statement of ", revision, " finished");
  } else {
    state = absl::StrCat(finished == 1 ? "statement 1" : absl::StrCat("statements 1 to ", finished),
                         " of ", revision, finished == 1 ? " stays: " : " stay: ",
                         context.transaction_ended ? "the transaction was ended by a statement"
                                                   : "the section is transaction:false",
                         ", and the version table does not name it");
  }
  if (context.section != nullptr && !context.section->transactional) {
    absl::StrAppend(&state, NextRun(context));
  }
  if (!context.invalid_index.empty()) {
    absl::StrAppend(
        &state, "; the build has left index ", context.invalid_index,
        " INVALID: every write keeps it up, no query uses it. The next run drops it and "
        "builds it again; to be rid of it before: DROP INDEX CONCURRENTLY ",
        context.invalid_index);
  }
  if (!finished_.empty()) {
    absl::StrAppend(&state, "; finished before: ", absl::StrJoin(finished_, ", "));
  }
  return state;
}

std::string StepRunner::NextRun(const Context& context) {
  if (context.statement_runs) {
    return "; whether the next statement finished is not known: the next run finds out, or asks";
  }
  const int finished = context.finished_statements;
  if (finished == 0) return "";
  if (finished == static_cast<int>(context.section->statements.size())) {
    return "; the next run has only the version table left to write";
  }
  return absl::StrCat("; the next run goes on with statement ", finished + 1);
}

}  // namespace migd
