#include "client/progress_text.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/lock_text.h"
#include "client/operation_report.h"
#include "client/safety_text.h"
#include "client/statement_progress_text.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {
namespace {

using migration::v1::Direction;
using migration::v1::Notice;
using migration::v1::ObjectSkipped;
using migration::v1::Operation;
using migration::v1::OperationAccepted;
using migration::v1::OperationEvent;
using migration::v1::StatementSettled;
using migration::v1::Step;
using migration::v1::StepFinished;
using migration::v1::StepResumed;

constexpr int kMaxRemarksPerStep = 5;
constexpr absl::Duration kProgressIsFresh = absl::Seconds(5);

std::string RunningVerb(Direction direction) {
  switch (direction) {
    case migration::v1::DIRECTION_DOWNGRADE:
      return "Reverting";
    case migration::v1::DIRECTION_STAMP:
      return "Stamping";
    default:
      return "Applying";
  }
}

std::string FinishedVerb(Direction direction) {
  switch (direction) {
    case migration::v1::DIRECTION_DOWNGRADE:
      return "Reverted";
    case migration::v1::DIRECTION_STAMP:
      return "Stamped";
    default:
      return "Applied";
  }
}

std::string RevisionName(const std::string& revision) {
  return revision.empty() ? "base" : Escape(revision);
}

std::string StepName(const Step& step) {
  return absl::StrCat(RevisionName(step.revision()), step.message().empty() ? "" : " ",
                      Escape(step.message()));
}

std::string SkipText(const ObjectSkipped& skipped) {
  return absl::StrCat(Escape(skipped.object_kind()), " ", Escape(skipped.object_name()),
                      skipped.reason() == migration::v1::SKIP_REASON_MISSING ? " does not exist"
                                                                             : " exists already");
}

std::string NoticeText(const Notice& notice) {
  return absl::StrCat(Escape(notice.severity()), ": ", Escape(notice.message()));
}

// What an earlier run did is done; or all of it is, but for the version table.
std::string ResumeText(const StepResumed& resumed) {
  const bool all = resumed.next_statement() > resumed.statement_count();
  return absl::StrCat(RevisionName(resumed.revision()),
                      all ? std::string(" behind its last statement")
                          : absl::StrCat(" at statement ", resumed.next_statement(), " of ",
                                         resumed.statement_count()),
                      ", where operation ", Escape(resumed.operation()), " was cut off");
}

std::string SettlementText(const StatementSettled& settled) {
  const std::string statement = absl::StrCat("statement ", settled.statement_index());
  const std::string index = Escape(settled.index_name());
  switch (settled.settlement()) {
    case migration::v1::SETTLEMENT_FOUND_DONE:
      return absl::StrCat(statement, " had finished, as the catalogue shows",
                          index.empty() ? "" : ": ", index);
    case migration::v1::SETTLEMENT_RUN_AGAIN:
      return absl::StrCat(statement, " is run again");
    case migration::v1::SETTLEMENT_RUN_BY_DECISION:
      return absl::StrCat(statement, " is run, as --resume says");
    case migration::v1::SETTLEMENT_SKIPPED_BY_DECISION:
      return absl::StrCat(statement, " counts as done, as --skip-statement says");
    case migration::v1::SETTLEMENT_INVALID_INDEX_DROPPED:
      return absl::StrCat("dropped INVALID index ", index, ", which ", statement, " builds again");
    default:
      return statement;
  }
}

std::string InterruptedText(const migration::v1::OperationInterrupted& interrupted) {
  if (interrupted.handed_over()) {
    return absl::StrCat(Escape(interrupted.server()),
                        " stops, and has handed it over: it goes on there or elsewhere");
  }
  return absl::StrCat("attempt ", interrupted.attempt(), " of ", interrupted.most_attempts(),
                      " on ", Escape(interrupted.server()), ": ",
                      Escape(interrupted.error().message()));
}

std::string ResumedText(const migration::v1::OperationResumed& resumed) {
  return absl::StrCat("by ", Escape(resumed.server()), ", attempt ", resumed.attempt(), " of ",
                      resumed.most_attempts());
}

std::string Fraction(int index, int count) { return absl::StrCat(index, "/", count); }

}  // namespace

std::vector<std::string> LiveProgress::Consume(const OperationEvent& event) {
  const absl::Time time = ToTime(event.time());
  switch (event.kind_case()) {
    case OperationEvent::kOperationAccepted: {
      since_ = time;
      introduced_ = true;
      const std::string& database = event.operation_accepted().database();
      return {Line("Started", absl::StrCat("operation ", Escape(event.operation()),
                                           database.empty() ? "" : " on ", Escape(database)))};
    }
    case OperationEvent::kWaitingForMutex:
      if (!waiting_.has_value()) since_ = time;
      waiting_ = event.waiting_for_mutex();
      return {};
    case OperationEvent::kPlan:
      waiting_.reset();
      step_count_ = event.plan().steps_size();
      return {};
    case OperationEvent::kStepStarted:
      waiting_.reset();
      step_.emplace().started = event.step_started();
      since_ = time;
      remarks_of_step_ = 0;
      return {};
    case OperationEvent::kStatementFinished:
      Proceed(event.statement_finished().statement_index() + 1);
      since_ = time;
      return {};
    case OperationEvent::kObjectSkipped:
      return Remark("Skipped", SkipText(event.object_skipped()));
    case OperationEvent::kNotice:
      return Remark("Notice", NoticeText(event.notice()));
    case OperationEvent::kLockWait:
      if (event.lock_wait().blockers().empty()) return {};
      return {Line("Blocked", LockWaitText(event.lock_wait()))};
    case OperationEvent::kStepRetried:
      Proceed(1);
      return {Line("Retrying", RetryText(event.step_retried()))};
    case OperationEvent::kBlockerTerminated:
      return {Line("Terminated", TerminatedText(event.blocker_terminated()))};
    case OperationEvent::kStepResumed:
      Proceed(event.step_resumed().next_statement());
      return {Line("Resuming", ResumeText(event.step_resumed()))};
    case OperationEvent::kStatementSettled:
      return {Line("Settled", SettlementText(event.statement_settled()))};
    case OperationEvent::kStepFinished:
      return Finish(event.step_finished());
    case OperationEvent::kOperationFinished:
      return End(event);
    case OperationEvent::kOperationInterrupted:
      step_.reset();
      waiting_.reset();
      backup_.reset();
      return {Line("Interrupted", InterruptedText(event.operation_interrupted()))};
    case OperationEvent::kOperationResumed:
      return {Line("Resumed", ResumedText(event.operation_resumed()))};
    case OperationEvent::kStatementProgress: {
      // What was seen of a statement may arrive when the next one runs.
      const auto& progress = event.statement_progress();
      if (step_.has_value() && step_->statement == progress.statement_index()) {
        step_->progress = progress;
        step_->progress_time = time;
      }
      return {};
    }
    case OperationEvent::kOperationSnapshot:
      since_ = time;
      return TakeUp(event.operation_snapshot().operation());
    case OperationEvent::kLintFinding:
      return {Line("Lint", FindingText(event.lint_finding()))};
    case OperationEvent::kChecksumAccepted:
      return {Line("Accepted", ChecksumAcceptedText(event.checksum_accepted()))};
    case OperationEvent::kBackupStarted:
      backup_.emplace();
      since_ = time;
      return {Line("Backup", BackupStartedText(event.backup_started()))};
    case OperationEvent::kBackupProgress:
      // The last of it may arrive when the backup is done.
      if (backup_.has_value()) backup_ = event.backup_progress();
      return {};
    case OperationEvent::kBackupFinished:
      backup_.reset();
      return {Line("Backup", BackupText(event.backup_finished()))};
    case OperationEvent::kSchemaCompared:
      return {Line("Compared", SchemaComparedText(event.schema_compared()))};
    case OperationEvent::kDriftReported:
    case OperationEvent::kBatch:
    case OperationEvent::kHeartbeat:
    case OperationEvent::KIND_NOT_SET:
      break;
  }
  return {};
}

void LiveProgress::Proceed(int statement) {
  if (!step_.has_value()) return;
  step_->statement = statement;
  step_->progress.reset();
}

std::vector<std::string> LiveProgress::TakeUp(const Operation& operation) {
  step_count_ = operation.step_count();
  step_.reset();
  waiting_.reset();
  if (operation.has_waiting_for_mutex()) waiting_ = operation.waiting_for_mutex();
  if (operation.has_position()) {
    const migration::v1::Position& position = operation.position();
    RunningStep running;
    running.started.set_step_index(position.step_index());
    running.started.set_step_count(operation.step_count());
    Step& step = *running.started.mutable_step();
    step.set_revision(position.revision());
    step.set_direction(position.direction());
    step.set_statement_count(position.statement_count());
    running.statement = position.finished_statement_count() + 1;
    if (position.has_progress()) {
      running.progress = position.progress();
      running.progress_time = since_;
    }
    step_ = std::move(running);
    if (position.has_step_start_time()) since_ = ToTime(position.step_start_time());
    if (position.has_statement_start_time()) since_ = ToTime(position.statement_start_time());
  }
  if (introduced_) return {};
  introduced_ = true;
  return {Line("Watching",
               absl::StrCat("operation ", Escape(operation.operation()), " on ",
                            Escape(operation.database()), ": ", OperationSummary(operation)))};
}

std::string LiveProgress::LiveLine(absl::Time now) const {
  const std::string elapsed = style_.Dim(WholeSeconds(now - since_));
  if (waiting_.has_value()) {
    return Line("Waiting", absl::StrCat("for ", HolderText(*waiting_), "  ", elapsed));
  }
  if (backup_.has_value()) {
    return Line("Backing up", absl::StrCat(BackupProgressText(*backup_), "  ", elapsed));
  }
  if (!step_.has_value()) return "";

  const Step& step = step_->started.step();
  std::string text = StepName(step);
  if (step.statement_count() > 0) {
    const int statement = std::min(step_->statement, step.statement_count());
    absl::StrAppend(&text, "  [", Fraction(statement, step.statement_count()), "]");
  }
  absl::StrAppend(&text, "  ", elapsed);
  if (step_->progress.has_value()) {
    const std::string phase = PhaseText(*step_->progress);
    // Progress is told when there is some: without, the estimate does not hold.
    const bool advances = now - step_->progress_time < kProgressIsFresh;
    absl::StrAppend(&text, phase.empty() ? "" : "  ", phase,
                    advances ? RemainingText(*step_->progress) : "");
  }
  if (step_->started.step_count() > 1) {
    const std::string place =
        absl::StrCat("revision ", step_->started.step_index(), " of ", step_->started.step_count());
    absl::StrAppend(&text, "  ", style_.Dim(place));
  }
  return Line(RunningVerb(step.direction()), text);
}

std::string LiveProgress::Line(const std::string& verb, const std::string& text) const {
  constexpr int kVerbWidth = 11;
  const std::string aligned = PadLeft(verb, kVerbWidth);
  const bool remarkable = verb == "Waiting" || verb == "Skipped" || verb == "Notice" ||
                          verb == "Blocked" || verb == "Retrying" || verb == "Terminated" ||
                          verb == "Resuming" || verb == "Settled" || verb == "Interrupted";
  return absl::StrCat(remarkable ? style_.Warning(aligned) : style_.Good(aligned), "  ", text);
}

std::vector<std::string> LiveProgress::Remark(const std::string& verb, const std::string& text) {
  if (++remarks_of_step_ > kMaxRemarksPerStep) return {};
  return {Line(verb, text)};
}

std::vector<std::string> LiveProgress::Finish(const StepFinished& step) {
  std::vector<std::string> lines;
  if (remarks_of_step_ > kMaxRemarksPerStep) {
    lines.push_back(Line(
        "Notice", absl::StrCat("and ", remarks_of_step_ - kMaxRemarksPerStep, " more like these")));
  }
  const bool known = step_.has_value() && step_->started.step().revision() == step.revision();
  const std::string name = known ? StepName(step_->started.step()) : RevisionName(step.revision());
  lines.push_back(
      Line(FinishedVerb(step.direction()),
           absl::StrCat(name, "  ", style_.Dim(ShortDuration(ToDuration(step.duration()))))));
  step_.reset();
  remarks_of_step_ = 0;
  return lines;
}

std::vector<std::string> LiveProgress::End(const OperationEvent& event) {
  const auto& finished = event.operation_finished();
  step_.reset();
  waiting_.reset();
  if (finished.state() == Operation::STATE_SUCCEEDED) return {};
  const std::string done = step_count_ == 0 ? Count(finished.finished_step_count(), "revision")
                                            : absl::StrCat(finished.finished_step_count(), " of ",
                                                           Count(step_count_, "revision"));
  return {Line("Finished",
               absl::StrCat("operation ", Escape(event.operation()), ": ",
                            StateName(finished.state()), " after ",
                            ShortDuration(ToDuration(finished.duration())), ", ", done, " done"))};
}

std::vector<std::string> LogProgress::Consume(const OperationEvent& event) {
  const auto line = [&event](absl::string_view verb, absl::string_view text) {
    constexpr int kVerbWidth = 8;
    return std::vector<std::string>{
        absl::StrCat(LogTime(ToTime(event.time())), " ", PadRight(verb, kVerbWidth), " ", text)};
  };
  switch (event.kind_case()) {
    case OperationEvent::kOperationAccepted: {
      const auto& accepted = event.operation_accepted();
      introduced_ = true;
      return line("accepted", absl::StrCat("operation=", Escape(event.operation()),
                                           " database=", Escape(accepted.database()),
                                           " action=", ActionName(accepted.action()),
                                           " targets=", NameList(accepted.targets())));
    }
    case OperationEvent::kWaitingForMutex:
      return line("waiting", absl::StrCat("for ", HolderText(event.waiting_for_mutex())));
    case OperationEvent::kPlan:
      return line("planned",
                  absl::StrCat("steps=", event.plan().steps_size(),
                               " from=", NameList(event.plan().starting_revisions(), "base"),
                               " to=", NameList(event.plan().resulting_revisions(), "base")));
    case OperationEvent::kStepStarted: {
      const Step& step = event.step_started().step();
      direction_ = step.direction();
      last_statement_line_ = ToTime(event.time());
      const std::string statement =
          step.statement_count() == 0
              ? ""
              : absl::StrCat(" statement=", Fraction(1, step.statement_count()));
      return line(absl::AsciiStrToLower(RunningVerb(direction_)),
                  absl::StrCat(RevisionName(step.revision()), statement));
    }
    case OperationEvent::kStatementFinished:
      return Advance(event);
    case OperationEvent::kObjectSkipped:
      return line("skipped", absl::StrCat(Escape(event.object_skipped().revision()), " ",
                                          SkipText(event.object_skipped())));
    case OperationEvent::kNotice:
      return line("notice",
                  absl::StrCat(Escape(event.notice().revision()), " ", NoticeText(event.notice())));
    case OperationEvent::kLockWait:
      return line("blocked", absl::StrCat(Escape(event.lock_wait().revision()),
                                          " statement=", event.lock_wait().statement_index(), " ",
                                          LockWaitText(event.lock_wait())));
    case OperationEvent::kStepRetried:
      return line("retrying", absl::StrCat(Escape(event.step_retried().revision()), " ",
                                           RetryText(event.step_retried())));
    case OperationEvent::kBlockerTerminated:
      return line("terminated", TerminatedText(event.blocker_terminated()));
    case OperationEvent::kStepResumed:
      return line("resuming", ResumeText(event.step_resumed()));
    case OperationEvent::kStatementSettled:
      return line("settled", absl::StrCat(Escape(event.statement_settled().revision()), " ",
                                          SettlementText(event.statement_settled())));
    case OperationEvent::kStepFinished: {
      const StepFinished& step = event.step_finished();
      return line(absl::AsciiStrToLower(FinishedVerb(step.direction())),
                  absl::StrCat(RevisionName(step.revision()),
                               " duration=", ShortDuration(ToDuration(step.duration()))));
    }
    case OperationEvent::kOperationFinished: {
      const auto& finished = event.operation_finished();
      // The result says it already.
      if (finished.state() == Operation::STATE_SUCCEEDED) return {};
      return line(StateName(finished.state()),
                  absl::StrCat("operation=", Escape(event.operation()),
                               " steps=", finished.finished_step_count(),
                               " duration=", ShortDuration(ToDuration(finished.duration()))));
    }
    case OperationEvent::kOperationInterrupted:
      return line("cut off", InterruptedText(event.operation_interrupted()));
    case OperationEvent::kOperationResumed:
      return line("resumed", ResumedText(event.operation_resumed()));
    case OperationEvent::kStatementProgress:
      return Tell(event);
    case OperationEvent::kOperationSnapshot:
      return TakeUp(event);
    case OperationEvent::kLintFinding:
      return line("lint", FindingText(event.lint_finding()));
    case OperationEvent::kChecksumAccepted:
      return line("accepted", ChecksumAcceptedText(event.checksum_accepted()));
    case OperationEvent::kBackupStarted:
      return line("backup", BackupStartedText(event.backup_started()));
    case OperationEvent::kBackupFinished:
      return line("backup", BackupText(event.backup_finished()));
    case OperationEvent::kSchemaCompared:
      return line("compared", SchemaComparedText(event.schema_compared()));
    case OperationEvent::kBackupProgress:
      return TellBackup(event);
    case OperationEvent::kDriftReported:
    case OperationEvent::kBatch:
    case OperationEvent::kHeartbeat:
    case OperationEvent::KIND_NOT_SET:
      break;
  }
  return {};
}

std::vector<std::string> LogProgress::Tell(const OperationEvent& event) {
  constexpr absl::Duration kBetweenLines = absl::Seconds(10);
  const auto& progress = event.statement_progress();
  const absl::Time time = ToTime(event.time());
  const bool same_phase = progress.revision() == told_.revision() &&
                          progress.statement_index() == told_.statement_index() &&
                          progress.command() == told_.command() &&
                          progress.phase() == told_.phase();
  if (same_phase && time - last_progress_line_ < kBetweenLines) return {};
  told_ = progress;
  last_progress_line_ = time;
  return {
      absl::StrCat(LogTime(time), " progress ", RevisionName(progress.revision()),
                   " statement=", Fraction(progress.statement_index(), progress.statement_count()),
                   " ", ProgressText(progress))};
}

std::vector<std::string> LogProgress::TellBackup(const OperationEvent& event) {
  constexpr absl::Duration kBetweenLines = absl::Seconds(10);
  const auto& progress = event.backup_progress();
  const absl::Time time = ToTime(event.time());
  if (progress.phase() == backup_phase_ && time - last_progress_line_ < kBetweenLines) return {};
  backup_phase_ = progress.phase();
  last_progress_line_ = time;
  return {absl::StrCat(LogTime(time), " backup   ", BackupProgressText(progress))};
}

std::vector<std::string> LogProgress::TakeUp(const OperationEvent& event) {
  const Operation& operation = event.operation_snapshot().operation();
  direction_ = operation.position().direction();
  if (introduced_) return {};
  introduced_ = true;
  const std::string position = PositionText(operation);
  return {absl::StrCat(
      LogTime(ToTime(event.time())), " watching operation=", Escape(operation.operation()),
      " database=", Escape(operation.database()), " action=", ActionName(operation.action()),
      " targets=", NameList(operation.targets()), " state=", StateName(operation.state()),
      position.empty() ? "" : " at ", position)};
}

std::vector<std::string> LogProgress::Advance(const OperationEvent& event) {
  constexpr absl::Duration kBetweenLines = absl::Seconds(1);
  const auto& statement = event.statement_finished();
  const absl::Time time = ToTime(event.time());
  const bool last = statement.statement_index() >= statement.statement_count();
  if (last || time - last_statement_line_ < kBetweenLines) return {};
  last_statement_line_ = time;
  return {absl::StrCat(LogTime(time), " ", absl::AsciiStrToLower(RunningVerb(direction_)), " ",
                       RevisionName(statement.revision()), " statement=",
                       Fraction(statement.statement_index() + 1, statement.statement_count()))};
}

std::vector<std::string> FeedProgress::Consume(const OperationEvent& event) {
  if (event.operation().empty()) return {};
  constexpr size_t kMostKnown = 1000;
  if (known_.size() > kMostKnown) {
    absl::erase_if(known_,
                   [](const auto& pair) { return pair.second.outcome.finished.has_value(); });
  }
  Known& known = known_[event.operation()];
  const bool was_finished = known.outcome.finished.has_value();
  if (!known.outcome.Add(event)) return {};
  std::vector<std::string> lines = known.progress.Consume(event);
  if (known.outcome.finished.has_value() && !was_finished) {
    const auto& finished = *known.outcome.finished;
    lines = {absl::StrCat(
        LogTime(ToTime(event.time())), " ", PadRight(StateName(finished.state()), 8),
        " database=", Escape(known.outcome.accepted.value_or(OperationAccepted()).database()),
        " steps=", finished.finished_step_count(),
        " at=", NameList(finished.resulting_revisions(), "base"),
        " duration=", ShortDuration(ToDuration(finished.duration())))};
    if (finished.has_error()) {
      absl::StrAppend(&lines.back(), " error=", Escape(finished.error().message()));
    }
  }
  // The id goes behind the time.
  for (std::string& line : lines) {
    line.insert(line.find(' '), absl::StrCat(" ", Escape(event.operation())));
  }
  return lines;
}

}  // namespace migctl
