#include "service/operation/operation_log.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/base/redact.h"
#include "service/base/trace_context.h"
#include "service/operation/operation_state.h"

namespace migd {
namespace {

using migration::v1::OperationEvent;

std::string Metadata(const migration::v1::Error& error, const std::string& key) {
  const auto found = error.metadata().find(key);
  return found == error.metadata().end() ? "" : found->second;
}

LogFields FieldsOfError(const migration::v1::Error& error) {
  const std::string sqlstate = Metadata(error, "sqlstate");
  return {{"reason", error.reason()},
          {"sqlstate", sqlstate},
          {"revision", Metadata(error, "revision")},
          {"error", MaskValues(error.message(), sqlstate)}};
}

std::string Seconds(const google::protobuf::Duration& duration) {
  return absl::StrCat(absl::ToDoubleSeconds(FromProtoDuration(duration)));
}

// The words of `DIRECTION_UPGRADE` and the like.
std::string Word(absl::string_view name, absl::string_view prefix) {
  absl::ConsumePrefix(&name, prefix);
  return absl::AsciiStrToLower(name);
}

void LogEnd(const migration::v1::Operation& operation,
            const migration::v1::OperationFinished& end) {
  LogFields fields = FieldsOf(
      operation, {{"action", ActionWord(operation.action())},
                  {"state", Word(migration::v1::Operation::State_Name(end.state()), "STATE_")},
                  {"steps", absl::StrCat(end.finished_step_count())},
                  {"revisions", absl::StrJoin(end.resulting_revisions(), ",")},
                  {"seconds", Seconds(end.duration())}});
  if (end.state() == migration::v1::Operation::STATE_SUCCEEDED) {
    return LogInfo("operation finished", fields);
  }
  for (auto& field : FieldsOfError(end.error())) fields.push_back(std::move(field));
  const bool is_cancelled = end.state() == migration::v1::Operation::STATE_CANCELLED;
  LogWarning(is_cancelled           ? "operation cancelled"
             : IsRefused(operation) ? "operation refused"
                                    : "operation failed",
             fields);
}

}  // namespace

LogFields FieldsOf(const migration::v1::Operation& operation) {
  return {{"operation", operation.operation()},
          {"request", operation.request_id()},
          {"database", operation.database()},
          {"principal", operation.requested_by()},
          {"trace_id", TraceIdOf(operation.traceparent())}};
}

LogFields FieldsOf(const migration::v1::Operation& operation, const LogFields& more) {
  LogFields fields = FieldsOf(operation);
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

LogFields FieldsOf(const absl::Status& status) { return FieldsOfError(errors::ToProto(status)); }

std::string ActionWord(migration::v1::Action action) {
  return Word(migration::v1::Action_Name(action), "ACTION_");
}

bool IsLogged(const OperationEvent& event) {
  return event.has_operation_accepted() || event.has_operation_resumed() ||
         event.has_step_finished() || event.has_step_retried() || event.has_operation_finished();
}

void LogEvent(const migration::v1::Operation& operation, const OperationEvent& event) {
  switch (event.kind_case()) {
    case OperationEvent::kOperationAccepted:
      return LogInfo("operation accepted",
                     FieldsOf(operation, {{"action", ActionWord(operation.action())},
                                          {"targets", absl::StrJoin(operation.targets(), ",")}}));
    case OperationEvent::kOperationResumed:
      return LogInfo(
          "operation taken up again",
          FieldsOf(operation, {{"action", ActionWord(operation.action())},
                               {"targets", absl::StrJoin(operation.targets(), ",")},
                               {"attempt", absl::StrCat(event.operation_resumed().attempt())}}));
    case OperationEvent::kStepFinished: {
      const migration::v1::StepFinished& step = event.step_finished();
      return LogInfo(
          "revision finished",
          FieldsOf(operation, {{"revision", step.revision()},
                               {"direction", Word(migration::v1::Direction_Name(step.direction()),
                                                  "DIRECTION_")},
                               {"step", absl::StrCat(step.step_index(), "/", step.step_count())},
                               {"seconds", Seconds(step.duration())}}));
    }
    case OperationEvent::kStepRetried: {
      const migration::v1::StepRetried& retried = event.step_retried();
      const bool is_lock_timeout = retried.error().reason() == "LOCK_TIMEOUT";
      return LogWarning(is_lock_timeout ? "revision is tried again after a lock timeout"
                                        : "revision is tried again once its plan is stored",
                        FieldsOf(operation, {{"revision", retried.revision()},
                                             {"attempt", absl::StrCat(retried.attempt())}}));
    }
    case OperationEvent::kOperationFinished:
      return LogEnd(operation, event.operation_finished());
    default:
      return;
  }
}

}  // namespace migd
