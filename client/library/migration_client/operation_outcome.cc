#include "migration_client/operation_outcome.h"

#include <algorithm>

#include "migration_client/proto_time.h"

namespace migration_client {
namespace {

using migration::v1::Operation;
using migration::v1::OperationAccepted;
using migration::v1::OperationEvent;
using migration::v1::OperationFinished;

OperationAccepted AcceptedOf(const Operation& operation) {
  OperationAccepted accepted;
  accepted.set_database(operation.database());
  accepted.set_action(operation.action());
  *accepted.mutable_targets() = operation.targets();
  accepted.set_request_id(operation.request_id());
  return accepted;
}

OperationFinished FinishedOf(const Operation& operation) {
  OperationFinished finished;
  finished.set_state(operation.state());
  *finished.mutable_resulting_revisions() = operation.resulting_revisions();
  if (operation.has_error()) *finished.mutable_error() = operation.error();
  finished.set_finished_step_count(operation.finished_step_count());
  *finished.mutable_duration() =
      ToProto(ToTime(operation.finish_time()) - ToTime(operation.create_time()));
  return finished;
}

}  // namespace

bool OperationOutcome::Add(const OperationEvent& event) {
  if (event.has_heartbeat() || event.has_statement_progress() || event.has_backup_progress() ||
      event.has_drift_reported()) {
    return true;
  }
  if (event.has_operation_snapshot()) {
    const Operation& state = event.operation_snapshot().operation();
    operation = state.operation();
    last_sequence = std::min(last_sequence, event.sequence());
    if (!accepted.has_value()) accepted = AcceptedOf(state);
    if (IsFinal(state.state())) finished = FinishedOf(state);
    return true;
  }
  if (event.sequence() <= last_sequence) return false;
  operation = event.operation();
  last_sequence = event.sequence();
  if (event.has_operation_accepted()) accepted = event.operation_accepted();
  if (event.has_operation_finished()) finished = event.operation_finished();
  return true;
}

bool IsFinal(Operation::State state) {
  return state == Operation::STATE_SUCCEEDED || state == Operation::STATE_FAILED ||
         state == Operation::STATE_CANCELLED;
}

std::string StateName(Operation::State state) {
  switch (state) {
    case Operation::STATE_PENDING:
      return "pending";
    case Operation::STATE_RUNNING:
      return "running";
    case Operation::STATE_SUCCEEDED:
      return "succeeded";
    case Operation::STATE_FAILED:
      return "failed";
    case Operation::STATE_INTERRUPTED:
      return "interrupted";
    case Operation::STATE_CANCELLED:
      return "cancelled";
    default:
      return "unknown";
  }
}

}  // namespace migration_client
