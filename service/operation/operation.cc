#include "service/operation/operation.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/operation/operation_log.h"
#include "service/operation/operation_state.h"

namespace migd {

using migration::v1::OperationEvent;
using State = migration::v1::Operation;

namespace {

// Whether somebody waits for the event to be stored, or acts upon it: the first COMMIT waits for
// the plan, the next attempt for the interruption (DatabaseOperations::AwaitWritten).
bool IsUrgent(const OperationEvent& event) {
  switch (event.kind_case()) {
    case OperationEvent::kOperationAccepted:
    case OperationEvent::kOperationInterrupted:
    case OperationEvent::kOperationResumed:
    case OperationEvent::kOperationFinished:
      return true;
    case OperationEvent::kPlan:
      // Without steps it is told together with the end.
      return event.plan().steps_size() > 0;
    default:
      return false;
  }
}

// Whether the operation has done what it was to do without a step.
bool SucceedsWithoutSteps(const OperationEvent& event) {
  const auto& finished = event.operation_finished();
  return event.has_operation_finished() && finished.state() == State::STATE_SUCCEEDED &&
         finished.finished_step_count() == 0;
}

}  // namespace

Operation::Operation(const OperationRecord& record)
    : id_(record.operation.operation()),
      database_(record.operation.database()),
      number_(record.number),
      request_id_(record.operation.request_id()) {
  MutexLock lock(mutex_);
  state_ = record.operation;
  visible_ = state_;
  written_sequence_ = state_.last_sequence();
  written_attempt_ = state_.attempt();
}

migration::v1::Operation Operation::Snapshot() const {
  MutexLock lock(mutex_);
  return visible_;
}

bool Operation::finished() const {
  MutexLock lock(mutex_);
  return IsFinal(visible_.state());
}

absl::Status Operation::final_status() const {
  MutexLock lock(mutex_);
  if (!IsFinal(visible_.state()) || !visible_.has_error()) return absl::OkStatus();
  return errors::FromProto(visible_.error());
}

Operation::Reading Operation::ReadAfter(int64_t sequence) const {
  sequence = std::max<int64_t>(sequence, 0);
  MutexLock lock(mutex_);
  Reading reading;
  if (sequence >= visible_.last_sequence()) {
    reading.at_end = IsFinal(visible_.state());
    return reading;
  }
  const int64_t index = IndexAfter(sequence);
  if (index < 0 || index >= static_cast<int64_t>(events_.size())) {
    reading.stored = true;
  } else {
    reading.event = events_[static_cast<size_t>(index)];
  }
  return reading;
}

Operation::EventPointer Operation::progress() const {
  MutexLock lock(mutex_);
  return progress_;
}

void Operation::Own() {
  MutexLock lock(mutex_);
  owned_ = true;
}

void Operation::Disown() {
  MutexLock lock(mutex_);
  owned_ = false;
}

bool Operation::owned() const {
  MutexLock lock(mutex_);
  return owned_;
}

void Operation::Append(OperationEvent event) {
  const bool transient = IsTransient(event);
  {
    MutexLock lock(mutex_);
    if (!owned_) return;
    AppendLocked(std::move(event));
  }
  if (transient) listeners_.Notify();
}

void Operation::AppendLocked(OperationEvent event) {
  event.set_operation(id_);
  *event.mutable_time() = ToProtoTimestamp(absl::Now());
  if (IsTransient(event)) {
    // It belongs behind the events that readers have seen when they see it.
    event.set_sequence(visible_.last_sequence());
    ApplyEvent(event, state_);
    progress_ = std::make_shared<const OperationEvent>(std::move(event));
    return;
  }
  event.set_sequence(state_.last_sequence() + 1);
  ApplyEvent(event, state_);
  if (!state_.position().has_progress()) progress_ = nullptr;
  if (IsUrgent(event)) {
    urgent_sequence_ = event.sequence();
    // A crash that takes back that there was nothing to do takes nothing from anybody.
    const bool may_be_lost = durable_sequence_ == 0 && SucceedsWithoutSteps(event);
    if (!may_be_lost) durable_sequence_ = event.sequence();
  }
  bytes_ += event.ByteSizeLong();
  events_.push_back(std::make_shared<const OperationEvent>(std::move(event)));
}

void Operation::Interrupt(const absl::Status& why, bool released) {
  OperationEvent event;
  MutexLock lock(mutex_);
  if (!owned_) return;
  migration::v1::OperationInterrupted& interrupted = *event.mutable_operation_interrupted();
  interrupted.set_attempt(state_.attempt());
  interrupted.set_most_attempts(LastAttempt(state_));
  interrupted.set_server(state_.server());
  *interrupted.mutable_error() = errors::ToProto(why);
  interrupted.set_handed_over(released);
  released_ = released;
  AppendLocked(std::move(event));
}

void Operation::Resume(const std::string& server) {
  OperationEvent event;
  migration::v1::OperationResumed& resumed = *event.mutable_operation_resumed();
  resumed.set_server(server);
  migration::v1::Operation state;
  {
    MutexLock lock(mutex_);
    if (!owned_) return;
    resumed.set_attempt(state_.attempt() + 1);
    resumed.set_most_attempts(LastAttempt(state_));
    released_ = false;
    AppendLocked(event);
    state = state_;
  }
  LogEvent(state, event);
}

void Operation::Finish(const ExecuteResult& result) {
  const bool cancelled =
      errors::ReasonOf(result.status) == migration::v1::ERROR_REASON_OPERATION_CANCELLED;
  OperationEvent event;
  migration::v1::OperationFinished& finished = *event.mutable_operation_finished();
  finished.set_state(result.status.ok() ? State::STATE_SUCCEEDED
                     : cancelled        ? State::STATE_CANCELLED
                                        : State::STATE_FAILED);
  finished.mutable_resulting_revisions()->Add(result.rows.begin(), result.rows.end());
  if (!result.status.ok()) *finished.mutable_error() = errors::ToProto(result.status);
  migration::v1::Operation state;
  {
    MutexLock lock(mutex_);
    if (!owned_) return;
    finished.set_finished_step_count(state_.finished_step_count());
    *finished.mutable_duration() =
        ToProtoDuration(absl::Now() - FromProtoTimestamp(state_.create_time()));
    AppendLocked(event);
    state = state_;
  }
  LogEvent(state, event);
}

bool Operation::runs() const {
  MutexLock lock(mutex_);
  return state_.state() == State::STATE_RUNNING;
}

bool Operation::is_last_attempt() const {
  MutexLock lock(mutex_);
  return state_.attempt() >= LastAttempt(state_);
}

int Operation::attempt() const {
  MutexLock lock(mutex_);
  return state_.attempt();
}

int64_t Operation::visible_sequence() const {
  MutexLock lock(mutex_);
  return visible_.last_sequence();
}

int64_t Operation::last_sequence() const {
  MutexLock lock(mutex_);
  return state_.last_sequence();
}

absl::optional<Operation::Batch> Operation::NextBatch(int server) const {
  MutexLock lock(mutex_);
  if (!owned_ || (written_sequence_ >= state_.last_sequence() && written_progress_ == progress_ &&
                  written_released_ == released_)) {
    return absl::nullopt;
  }
  Batch batch;
  batch.record.operation = state_;
  batch.record.server = released_ ? 0 : server;
  batch.record.number = number_;
  batch.expected_attempt = written_attempt_;
  batch.progress = progress_;
  if (durable_sequence_ > written_sequence_) batch.durability = Durability::kSurvivesCrash;
  const auto begin = std::clamp<int64_t>(IndexAfter(written_sequence_), 0, events_.size());
  batch.events.assign(events_.begin() + begin, events_.end());
  return batch;
}

bool Operation::IsUrgentWritten() const {
  MutexLock lock(mutex_);
  return urgent_sequence_ <= written_sequence_;
}

size_t Operation::unwritten() const {
  MutexLock lock(mutex_);
  const int64_t count = owned_ ? state_.last_sequence() - written_sequence_ : 0;
  return static_cast<size_t>(std::max<int64_t>(count, 0));
}

void Operation::MarkWritten(const Batch& batch) {
  {
    MutexLock lock(mutex_);
    if (!owned_) return;
    const migration::v1::Operation& written = batch.record.operation;
    written_sequence_ = std::max(written_sequence_, written.last_sequence());
    written_attempt_ = written.attempt();
    written_released_ = batch.record.server == 0;
    // Any server may take it now, this one as well.
    if (written_released_) owned_ = false;
    written_progress_ = batch.progress;
    if (written.last_sequence() >= visible_.last_sequence()) visible_ = written;
    Trim();
  }
  listeners_.Notify();
}

void Operation::MarkStored(const OperationRecord& record) {
  MutexLock lock(mutex_);
  written_sequence_ = record.operation.last_sequence();
  written_attempt_ = record.operation.attempt();
}

void Operation::ShowUnwritten() {
  {
    MutexLock lock(mutex_);
    if (visible_.last_sequence() == state_.last_sequence()) return;
    visible_ = state_;
  }
  listeners_.Notify();
}

void Operation::SetFirstSequence(int64_t sequence) {
  MutexLock lock(mutex_);
  state_.set_first_sequence(sequence);
  visible_.set_first_sequence(sequence);
}

void Operation::Mirror(const OperationRecord& record, const StoredEvents& events) {
  {
    MutexLock lock(mutex_);
    MirrorLocked(record, events);
  }
  listeners_.Notify();
}

void Operation::CatchUp(const OperationRecord& record) {
  {
    MutexLock lock(mutex_);
    if (owned_ || record.operation.attempt() < state_.attempt() ||
        record.operation.last_sequence() <= state_.last_sequence()) {
      return;
    }
    MirrorLocked(record, {});
  }
  listeners_.Notify();
}

void Operation::MirrorLocked(const OperationRecord& record, const StoredEvents& events) {
  if (record.operation.attempt() != state_.attempt()) {
    // What was seen of an attempt that was cut off may not be what is kept of it.
    events_.clear();
    bytes_ = 0;
  }
  owned_ = false;
  const int64_t last = record.operation.last_sequence();
  // A crash of PostgreSQL may have taken the newest events back, and what was never written is
  // not true any more.
  while (!events_.empty() && events_.back()->sequence() > std::min(written_sequence_, last)) {
    bytes_ -= events_.back()->ByteSizeLong();
    events_.pop_back();
  }
  for (const EventPointer& event : events) {
    if (!events_.empty() && event->sequence() <= events_.back()->sequence()) continue;
    if (!events_.empty() && event->sequence() != events_.back()->sequence() + 1) {
      events_.clear();
      bytes_ = 0;
    }
    bytes_ += event->ByteSizeLong();
    events_.push_back(event);
  }
  state_ = record.operation;
  visible_ = state_;
  written_sequence_ = last;
  written_attempt_ = state_.attempt();
  if (!state_.position().has_progress()) {
    progress_ = nullptr;
  } else if (progress_ == nullptr || progress_->statement_progress().SerializeAsString() !=
                                         state_.position().progress().SerializeAsString()) {
    auto progress = std::make_shared<OperationEvent>();
    progress->set_operation(id_);
    progress->set_sequence(last);
    *progress->mutable_time() = ToProtoTimestamp(absl::Now());
    *progress->mutable_statement_progress() = state_.position().progress();
    progress_ = std::move(progress);
  }
  Trim();
}

void Operation::Trim() {
  while (!events_.empty() && (events_.size() > kMostEvents || bytes_ > kMostBytes) &&
         events_.front()->sequence() <= written_sequence_) {
    bytes_ -= events_.front()->ByteSizeLong();
    events_.pop_front();
  }
}

int64_t Operation::IndexAfter(int64_t sequence) const {
  return events_.empty() ? -1 : sequence + 1 - events_.front()->sequence();
}

}  // namespace migd
