#include "service/operation/operation.h"

#include <utility>

#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"

namespace migd {

using migration::v1::OperationEvent;
using State = migration::v1::Operation::State;

bool operator==(const OperationRequest& a, const OperationRequest& b) {
  return a.database == b.database && a.action == b.action && a.targets == b.targets &&
         a.purge == b.purge && a.timeouts.lock_timeout == b.timeouts.lock_timeout &&
         a.timeouts.statement_timeout == b.timeouts.statement_timeout &&
         a.mutex_timeout == b.mutex_timeout && a.lock_retries == b.lock_retries &&
         a.terminate_blockers == b.terminate_blockers && a.decisions == b.decisions &&
         a.request_id == b.request_id;
}

Operation::Operation(std::string id, OperationRequest request)
    : id_(std::move(id)), request_(std::move(request)), create_time_(absl::Now()) {
  MutexLock lock(mutex_);
  state_.set_operation(id_);
  state_.set_database(request_.database);
  state_.set_action(request_.action);
  state_.mutable_targets()->Assign(request_.targets.begin(), request_.targets.end());
  state_.set_state(migration::v1::Operation::STATE_PENDING);
  *state_.mutable_create_time() = ToProtoTimestamp(create_time_);
  state_.set_request_id(request_.request_id);

  OperationEvent event;
  migration::v1::OperationAccepted& accepted = *event.mutable_operation_accepted();
  accepted.set_database(request_.database);
  accepted.set_action(request_.action);
  *accepted.mutable_targets() = state_.targets();
  accepted.set_request_id(request_.request_id);
  AppendLocked(std::move(event));
}

void Operation::Append(OperationEvent event) {
  {
    MutexLock lock(mutex_);
    AppendLocked(std::move(event));
  }
  Notify();
}

void Operation::Finish(const ExecuteResult& result) {
  const bool cancelled =
      errors::ReasonOf(result.status) == migration::v1::ERROR_REASON_OPERATION_CANCELLED;
  OperationEvent event;
  migration::v1::OperationFinished& finished = *event.mutable_operation_finished();
  finished.set_state(result.status.ok() ? migration::v1::Operation::STATE_SUCCEEDED
                     : cancelled        ? migration::v1::Operation::STATE_CANCELLED
                                        : migration::v1::Operation::STATE_FAILED);
  finished.mutable_resulting_revisions()->Add(result.rows.begin(), result.rows.end());
  finished.set_finished_step_count(result.finished_steps);
  if (!result.status.ok()) *finished.mutable_error() = errors::ToProto(result.status);
  *finished.mutable_duration() = ToProtoDuration(absl::Now() - create_time_);
  {
    MutexLock lock(mutex_);
    final_status_ = result.status;
    AppendLocked(std::move(event));
  }
  Notify();
}

void Operation::AppendLocked(OperationEvent event) {
  event.set_operation(id_);
  event.set_sequence(static_cast<int64_t>(events_.size()) + 1);
  *event.mutable_time() = ToProtoTimestamp(absl::Now());
  UpdateState(event);
  events_.push_back(std::make_shared<const OperationEvent>(std::move(event)));
}

void Operation::UpdateState(const OperationEvent& event) {
  state_.set_last_sequence(event.sequence());
  switch (event.kind_case()) {
    case OperationEvent::kPlan:
      // The plan is made under the mutex: the operation runs.
      state_.set_state(migration::v1::Operation::STATE_RUNNING);
      *state_.mutable_start_time() = event.time();
      state_.set_step_count(event.plan().steps_size());
      rows_ = {event.plan().starting_revisions().begin(), event.plan().starting_revisions().end()};
      break;
    case OperationEvent::kStepFinished:
      state_.set_finished_step_count(event.step_finished().step_index());
      for (const std::string& row : event.step_finished().deleted_revisions()) rows_.erase(row);
      for (const std::string& row : event.step_finished().inserted_revisions()) rows_.insert(row);
      break;
    case OperationEvent::kOperationFinished:
      state_.set_state(event.operation_finished().state());
      *state_.mutable_finish_time() = event.time();
      rows_ = {event.operation_finished().resulting_revisions().begin(),
               event.operation_finished().resulting_revisions().end()};
      if (event.operation_finished().has_error()) {
        *state_.mutable_error() = event.operation_finished().error();
      }
      break;
    default:
      break;  // the other kinds do not change the state
  }
}

void Operation::Notify() {
  std::vector<std::shared_ptr<const std::function<void()>>> listeners;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, listener] : listeners_) listeners.push_back(listener);
  }
  for (const auto& listener : listeners) (*listener)();
}

Operation::EventPointer Operation::EventAfter(int64_t sequence) const {
  MutexLock lock(mutex_);
  if (sequence < 0) sequence = 0;
  const auto index = static_cast<size_t>(sequence);
  return index < events_.size() ? events_[index] : nullptr;
}

bool Operation::EndsAt(int64_t sequence) const {
  MutexLock lock(mutex_);
  return events_.back()->has_operation_finished() && sequence >= events_.back()->sequence();
}

absl::Status Operation::final_status() const {
  MutexLock lock(mutex_);
  return final_status_;
}

migration::v1::Operation Operation::Snapshot() const {
  MutexLock lock(mutex_);
  migration::v1::Operation snapshot = state_;
  snapshot.mutable_resulting_revisions()->Add(rows_.begin(), rows_.end());
  return snapshot;
}

bool Operation::finished() const {
  MutexLock lock(mutex_);
  return events_.back()->has_operation_finished();
}

int Operation::AddListener(std::function<void()> listener) {
  MutexLock lock(mutex_);
  const int id = next_listener_++;
  listeners_[id] = std::make_shared<const std::function<void()>>(std::move(listener));
  return id;
}

void Operation::RemoveListener(int listener) {
  MutexLock lock(mutex_);
  listeners_.erase(listener);
}

}  // namespace migd
