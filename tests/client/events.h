// Short ways to write down the events of an operation.
#pragma once

#include <string>
#include <vector>

#include "migration/v1/operation.pb.h"

namespace migctl {

// An event of operation "7k2m" at 2026-08-22T10:04:11Z plus `second`.
inline migration::v1::OperationEvent EventAt(int sequence, int second = 0) {
  migration::v1::OperationEvent event;
  event.set_operation("7k2m");
  event.set_sequence(sequence);
  event.mutable_time()->set_seconds(1787393051 + second);
  return event;
}

inline migration::v1::OperationEvent Accepted(int sequence, int second = 0) {
  migration::v1::OperationEvent event = EventAt(sequence, second);
  event.mutable_operation_accepted()->set_database("core");
  event.mutable_operation_accepted()->set_action(migration::v1::ACTION_UPGRADE);
  event.mutable_operation_accepted()->add_targets("head");
  return event;
}

inline migration::v1::OperationEvent Started(int sequence, const std::string& revision,
                                             int statements, int second = 0) {
  migration::v1::OperationEvent event = EventAt(sequence, second);
  auto& started = *event.mutable_step_started();
  started.set_step_index(1);
  started.set_step_count(1);
  started.mutable_step()->set_revision(revision);
  started.mutable_step()->set_message("message of " + revision);
  started.mutable_step()->set_direction(migration::v1::DIRECTION_UPGRADE);
  started.mutable_step()->set_statement_count(statements);
  return event;
}

inline migration::v1::OperationEvent Statement(int sequence, const std::string& revision, int index,
                                               int count, int second = 0) {
  migration::v1::OperationEvent event = EventAt(sequence, second);
  event.mutable_statement_finished()->set_revision(revision);
  event.mutable_statement_finished()->set_statement_index(index);
  event.mutable_statement_finished()->set_statement_count(count);
  return event;
}

inline migration::v1::OperationEvent StepDone(int sequence, const std::string& revision,
                                              int milliseconds, int second = 0) {
  migration::v1::OperationEvent event = EventAt(sequence, second);
  auto& finished = *event.mutable_step_finished();
  finished.set_revision(revision);
  finished.set_direction(migration::v1::DIRECTION_UPGRADE);
  finished.mutable_duration()->set_seconds(milliseconds / 1000);
  finished.mutable_duration()->set_nanos(milliseconds % 1000 * 1'000'000);
  return event;
}

inline migration::v1::OperationEvent Succeeded(int sequence, int steps,
                                               const std::vector<std::string>& revisions) {
  migration::v1::OperationEvent event = EventAt(sequence, 20);
  auto& finished = *event.mutable_operation_finished();
  finished.set_state(migration::v1::Operation::STATE_SUCCEEDED);
  finished.set_finished_step_count(steps);
  finished.mutable_resulting_revisions()->Add(revisions.begin(), revisions.end());
  finished.mutable_duration()->set_seconds(20);
  finished.mutable_duration()->set_nanos(100'000'000);
  return event;
}

// The operation as it stood after `sequence`: an upgrade of "core" to head, at statement 2 of 4 of
// the second of three revisions.
inline migration::v1::OperationEvent Snapshot(int sequence, migration::v1::Operation::State state,
                                              int second = 0) {
  migration::v1::OperationEvent event = EventAt(sequence, second);
  auto& operation = *event.mutable_operation_snapshot()->mutable_operation();
  operation.set_operation("7k2m");
  operation.set_database("core");
  operation.set_action(migration::v1::ACTION_UPGRADE);
  operation.add_targets("head");
  operation.set_state(state);
  operation.set_step_count(3);
  operation.set_finished_step_count(1);
  operation.set_last_sequence(sequence);
  operation.mutable_create_time()->set_seconds(event.time().seconds() - 5);
  if (state != migration::v1::Operation::STATE_RUNNING) return event;
  operation.mutable_position()->set_step_index(2);
  operation.mutable_position()->set_revision("7c20");
  operation.mutable_position()->set_direction(migration::v1::DIRECTION_UPGRADE);
  operation.mutable_position()->set_finished_statement_count(1);
  operation.mutable_position()->set_statement_count(4);
  return event;
}

inline migration::v1::OperationEvent Heartbeat(int sequence) {
  migration::v1::OperationEvent event = EventAt(sequence);
  event.mutable_heartbeat();
  return event;
}

inline migration::v1::OperationEvent Ended(int sequence, migration::v1::Operation::State state,
                                           const std::string& code, const std::string& reason,
                                           const std::string& message) {
  migration::v1::OperationEvent event = EventAt(sequence, 3);
  auto& finished = *event.mutable_operation_finished();
  finished.set_state(state);
  finished.mutable_error()->set_code(code);
  finished.mutable_error()->set_reason(reason);
  finished.mutable_error()->set_message(message);
  finished.mutable_duration()->set_seconds(3);
  return event;
}

}  // namespace migctl
