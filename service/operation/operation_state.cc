#include "service/operation/operation_state.h"

#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/util/message_differencer.h"

namespace migd {
namespace {

using migration::v1::OperationEvent;
using State = migration::v1::Operation;

using Rows = google::protobuf::RepeatedPtrField<std::string>;

// `rows` are in order, and stay so.
void EraseRow(const std::string& row, Rows& rows) {
  const auto found = std::lower_bound(rows.begin(), rows.end(), row);
  if (found != rows.end() && *found == row) rows.erase(found);
}

void InsertRow(const std::string& row, Rows& rows) {
  const auto place = std::lower_bound(rows.begin(), rows.end(), row) - rows.begin();
  *rows.Add() = row;
  std::rotate(rows.begin() + place, rows.end() - 1, rows.end());
}

void StartStep(const OperationEvent& event, migration::v1::Position& position) {
  const migration::v1::StepStarted& started = event.step_started();
  position.Clear();
  position.set_step_index(started.step_index());
  position.set_revision(started.step().revision());
  position.set_direction(started.step().direction());
  *position.mutable_step_start_time() = event.time();
  position.set_statement_count(started.step().statement_count());
  *position.mutable_statement_start_time() = event.time();
}

// The next statement of the step begins, after `finished` others.
void StartStatement(const OperationEvent& event, int finished, migration::v1::Position& position) {
  position.set_finished_statement_count(finished);
  position.clear_lock_wait();
  *position.mutable_statement_start_time() = event.time();
  position.clear_progress();
}

void Finish(const OperationEvent& event, migration::v1::Operation& state) {
  const migration::v1::OperationFinished& finished = event.operation_finished();
  state.set_state(finished.state());
  *state.mutable_finish_time() = event.time();
  state.set_finished_step_count(finished.finished_step_count());
  *state.mutable_resulting_revisions() = finished.resulting_revisions();
  if (finished.has_error()) *state.mutable_error() = finished.error();
  state.clear_position();
  state.clear_waiting_for_mutex();
}

}  // namespace

bool IsFinal(State::State state) {
  return state == State::STATE_SUCCEEDED || state == State::STATE_FAILED ||
         state == State::STATE_CANCELLED;
}

int LastAttempt(const State& operation) { return kMostAttempts + operation.hand_over_count(); }

bool IsRefused(const State& operation) {
  constexpr std::array<absl::string_view, 18> kReasons = {
      "INVALID_REQUEST",    "INVALID_SYMBOL",        "UNKNOWN_REVISION",
      "AMBIGUOUS_REVISION", "MULTIPLE_HEADS",        "INVALID_TARGET",
      "IRREVERSIBLE",       "OVERLAPPING_REVISIONS", "DATABASE_AHEAD",
      "INVALID_MIGRATIONS", "LINT_FAILED",           "PLAN_STALE",
      "DATABASE_PROTECTED", "CONFIRMATION_REQUIRED", "CHECKSUM_MISMATCH",
      "SCHEMA_DIFFERS",     "TERMINATE_NOT_ALLOWED", "INSUFFICIENT_PRIVILEGE"};
  // The last of them may also be what a statement failed with.
  return operation.state() == State::STATE_FAILED && operation.finished_step_count() == 0 &&
         !operation.error().has_statement_failure() &&
         std::find(kReasons.begin(), kReasons.end(), operation.error().reason()) != kReasons.end();
}

bool IsTransient(const OperationEvent& event) {
  return event.has_operation_snapshot() || event.has_heartbeat() ||
         event.has_statement_progress() || event.has_backup_progress() ||
         event.has_drift_reported();
}

void ApplyEvent(const OperationEvent& event, migration::v1::Operation& state) {
  if (event.has_statement_progress()) {
    *state.mutable_position()->mutable_progress() = event.statement_progress();
  }
  if (IsTransient(event)) return;
  state.set_last_sequence(event.sequence());
  if (state.first_sequence() == 0) state.set_first_sequence(event.sequence());
  switch (event.kind_case()) {
    case OperationEvent::kWaitingForMutex:
      *state.mutable_waiting_for_mutex() = event.waiting_for_mutex();
      break;
    case OperationEvent::kPlan:
      state.clear_waiting_for_mutex();
      // The plan is made under the mutex: the operation runs. What earlier attempts have finished
      // counts, and is not in the plan of a later one.
      state.set_state(State::STATE_RUNNING);
      if (!state.has_start_time()) *state.mutable_start_time() = event.time();
      state.set_step_count(state.finished_step_count() + event.plan().steps_size());
      *state.mutable_resulting_revisions() = event.plan().starting_revisions();
      break;
    case OperationEvent::kBackupFinished:
      *state.mutable_backup() = event.backup_finished();
      break;
    case OperationEvent::kStepStarted:
      StartStep(event, *state.mutable_position());
      break;
    case OperationEvent::kStatementFinished:
      StartStatement(event, event.statement_finished().statement_index(),
                     *state.mutable_position());
      break;
    case OperationEvent::kLockWait:
      *state.mutable_position()->mutable_lock_wait() = event.lock_wait();
      if (event.lock_wait().blockers().empty()) state.mutable_position()->clear_lock_wait();
      break;
    case OperationEvent::kStepRetried:
      StartStatement(event, 0, *state.mutable_position());
      break;
    case OperationEvent::kStepResumed:
      StartStatement(event, event.step_resumed().next_statement() - 1, *state.mutable_position());
      break;
    case OperationEvent::kStepFinished:
      state.set_finished_step_count(state.finished_step_count() + 1);
      for (const std::string& row : event.step_finished().deleted_revisions()) {
        EraseRow(row, *state.mutable_resulting_revisions());
      }
      for (const std::string& row : event.step_finished().inserted_revisions()) {
        InsertRow(row, *state.mutable_resulting_revisions());
      }
      state.clear_position();
      break;
    case OperationEvent::kOperationInterrupted:
      state.set_state(State::STATE_INTERRUPTED);
      state.clear_position();
      state.clear_waiting_for_mutex();
      if (event.operation_interrupted().handed_over()) {
        state.set_hand_over_count(state.hand_over_count() + 1);
      }
      break;
    case OperationEvent::kOperationResumed:
      state.set_state(State::STATE_PENDING);
      state.set_attempt(event.operation_resumed().attempt());
      state.set_server(event.operation_resumed().server());
      break;
    case OperationEvent::kOperationFinished:
      Finish(event, state);
      break;
    default:
      break;  // the other kinds do not change the state
  }
}

bool IsSameRequest(const migration::v1::Operation& a, const migration::v1::Operation& b) {
  return a.database() == b.database() && a.action() == b.action() && a.purge() == b.purge() &&
         a.request_id() == b.request_id() &&
         std::equal(a.targets().begin(), a.targets().end(), b.targets().begin(),
                    b.targets().end()) &&
         google::protobuf::util::MessageDifferencer::Equals(a.options(), b.options());
}

}  // namespace migd
