// Events as short lines, so that a test can show the whole course of an operation.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "migration/v1/operation.pb.h"

namespace migd {

// What happened, without times and ids.
inline std::string Brief(const migration::v1::OperationEvent& event) {
  using migration::v1::OperationEvent;
  switch (event.kind_case()) {
    case OperationEvent::kOperationAccepted:
      return absl::StrCat("accepted ", absl::StrJoin(event.operation_accepted().targets(), ","));
    case OperationEvent::kWaitingForMutex: {
      const auto& waiting = event.waiting_for_mutex();
      return waiting.holder_operation().empty()
                 ? absl::StrCat("waiting for pid ", waiting.holder_pid())
                 : absl::StrCat("waiting for operation ", waiting.holder_operation());
    }
    case OperationEvent::kPlan:
      return absl::StrCat("plan", event.plan().steps().empty() ? "" : " ",
                          absl::StrJoin(event.plan().steps(), " ",
                                        [](std::string* out, const migration::v1::Step& step) {
                                          absl::StrAppend(out, step.revision());
                                        }));
    case OperationEvent::kStepStarted:
      return absl::StrCat("start ", event.step_started().step().revision(), " ",
                          event.step_started().step_index(), "/",
                          event.step_started().step_count());
    case OperationEvent::kStatementFinished: {
      const auto& statement = event.statement_finished();
      return absl::StrCat("statement ", statement.revision(), " ", statement.statement_index(), "/",
                          statement.statement_count(), " ", statement.command_tag());
    }
    case OperationEvent::kObjectSkipped: {
      const auto& skipped = event.object_skipped();
      return absl::StrCat(
          "skip ", skipped.object_kind(), " ", skipped.object_name(), " ",
          skipped.reason() == migration::v1::SKIP_REASON_EXISTS ? "exists" : "missing");
    }
    case OperationEvent::kNotice:
      return absl::StrCat("notice ", event.notice().severity(), " ", event.notice().message());
    case OperationEvent::kStepFinished:
      return absl::StrCat("finish ", event.step_finished().revision(), " {",
                          absl::StrJoin(event.step_finished().resulting_revisions(), ","), "}");
    case OperationEvent::kOperationFinished:
      return absl::StrCat(
          "end ", migration::v1::Operation::State_Name(event.operation_finished().state()), " {",
          absl::StrJoin(event.operation_finished().resulting_revisions(), ","), "}");
    case OperationEvent::kLockWait:
      return absl::StrCat("blocked ", event.lock_wait().revision(), " ",
                          event.lock_wait().statement_index(), " by ",
                          absl::StrJoin(event.lock_wait().blockers(), ",",
                                        [](std::string* out, const migration::v1::Blocker& b) {
                                          absl::StrAppend(out, b.pid());
                                        }));
    case OperationEvent::kStepRetried:
      return absl::StrCat("retry ", event.step_retried().revision(), " ",
                          event.step_retried().attempt(), "/",
                          event.step_retried().most_attempts());
    case OperationEvent::kBlockerTerminated:
      return absl::StrCat("terminated ", event.blocker_terminated().blocker().pid(),
                          event.blocker_terminated().terminated() ? "" : " in vain");
    case OperationEvent::kStepResumed:
      return absl::StrCat("resume ", event.step_resumed().revision(), " ",
                          event.step_resumed().next_statement(), "/",
                          event.step_resumed().statement_count());
    case OperationEvent::kStatementSettled: {
      const auto& settled = event.statement_settled();
      return absl::StrCat("settle ", settled.revision(), " ", settled.statement_index(), " ",
                          migration::v1::Settlement_Name(settled.settlement()));
    }
    case OperationEvent::kOperationSnapshot:
      return absl::StrCat("snapshot ", migration::v1::Operation::State_Name(
                                           event.operation_snapshot().operation().state()));
    case OperationEvent::kHeartbeat:
      return "heartbeat";
    case OperationEvent::kOperationInterrupted:
      return absl::StrCat("interrupted ", event.operation_interrupted().attempt(), "/",
                          event.operation_interrupted().most_attempts());
    case OperationEvent::kOperationResumed:
      return absl::StrCat("resumed ", event.operation_resumed().attempt(), "/",
                          event.operation_resumed().most_attempts());
    case OperationEvent::kStatementProgress:
      return absl::StrCat("progress ", event.statement_progress().command(), " ",
                          event.statement_progress().phase());
    case OperationEvent::kLintFinding:
      return absl::StrCat("lint ", event.lint_finding().rule(), " ",
                          event.lint_finding().revision(), ":", event.lint_finding().line());
    case OperationEvent::kChecksumAccepted:
      return absl::StrCat("accept checksum ", event.checksum_accepted().revision());
    case OperationEvent::kBackupStarted:
      return "backup begins";
    case OperationEvent::kBackupProgress:
      return "backup goes on";
    case OperationEvent::kBackupFinished:
      return "backup done";
    case OperationEvent::kSchemaCompared:
      return absl::StrCat("compared ", event.schema_compared().differences_size(), " different",
                          event.schema_compared().has_error() ? ", failed" : "");
    case OperationEvent::kDriftReported:
      return absl::StrCat("drift ", event.drift_reported().difference_count());
    case OperationEvent::kBatch:
    case OperationEvent::KIND_NOT_SET:
      break;
  }
  return "nothing";
}

}  // namespace migd
