#include "service/rpc/event_cursor.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"

namespace migd {

using migration::v1::OperationEvent;

namespace {

// A batch is sent when it has so many events, or so many bytes: gRPC takes messages of up to 4 MiB,
// and an event has a few kilobytes at most, but for a plan.
constexpr int kMostEventsOfBatch = 500;
constexpr size_t kBytesOfBatch = 256 * 1024;

}  // namespace

Operation::EventPointer EventCursor::TakeSnapshot() {
  auto message = std::make_shared<OperationEvent>();
  *message->mutable_operation_snapshot()->mutable_operation() = operation_->Snapshot();
  const migration::v1::Operation& state = message->operation_snapshot().operation();
  sequence_ = std::clamp<int64_t>(sequence_, 0, state.last_sequence());
  page_.clear();
  message->set_operation(operation_->id());
  message->set_sequence(sequence_);
  *message->mutable_time() = ToProtoTimestamp(absl::Now());
  return message;
}

Operation::EventPointer EventCursor::Take() {
  // Memory may have caught up with a page that is on its way.
  if (loading_) return nullptr;
  EventPointer event;
  if (!page_.empty()) {
    event = page_.front();
    page_.pop_front();
  } else {
    event = operation_->ReadAfter(sequence_).event;
  }
  if (event != nullptr) {
    sequence_ = event->sequence();
    return event;
  }
  // A progress belongs to what comes after the events that have been read.
  auto progress = operation_->progress();
  if (progress == progress_ || NeedsPage()) return nullptr;
  progress_ = progress;
  if (progress == nullptr || progress->sequence() == sequence_) return progress;
  auto message = std::make_shared<OperationEvent>(*progress);
  message->set_sequence(sequence_);
  return message;
}

Operation::EventPointer EventCursor::TakeMessage(bool batched) {
  EventPointer first = Take();
  EventPointer next = batched && first != nullptr ? Take() : nullptr;
  if (next == nullptr) return first;
  auto message = std::make_shared<OperationEvent>();
  auto& events = *message->mutable_batch()->mutable_events();
  *events.Add() = *first;
  size_t bytes = first->ByteSizeLong();
  while (next != nullptr) {
    bytes += next->ByteSizeLong();
    *events.Add() = *next;
    const bool is_full = events.size() >= kMostEventsOfBatch || bytes >= kBytesOfBatch;
    next = is_full ? nullptr : Take();
  }
  const OperationEvent& last = events[events.size() - 1];
  message->set_operation(last.operation());
  message->set_sequence(last.sequence());
  *message->mutable_time() = last.time();
  return message;
}

bool EventCursor::NeedsPage() const {
  return page_.empty() && !loading_ && operation_->ReadAfter(sequence_).stored;
}

void EventCursor::Load(OperationManager& manager, std::function<void(Page)> on_page) {
  loading_ = true;
  manager.ReadEventsLater(operation_, sequence_, std::move(on_page));
}

absl::Status EventCursor::Add(const Page& page) {
  loading_ = false;
  if (!page.ok()) return page.status();
  const int64_t last = operation_->Snapshot().last_sequence();
  // What was to be loaded has been taken back meanwhile: its server was cut off before it was
  // stored.
  if (page->empty() && last <= sequence_) return absl::OkStatus();
  if (page->empty() || page->front()->sequence() != sequence_ + 1) {
    return errors::EventsPruned(operation_->id(),
                                page->empty() ? last + 1 : page->front()->sequence());
  }
  // What a server wrote that was cut off at once may not be shown as the operation's yet.
  for (const EventPointer& event : *page) {
    if (event->sequence() <= last) page_.push_back(event);
  }
  return absl::OkStatus();
}

bool EventCursor::AtEnd() const { return page_.empty() && operation_->ReadAfter(sequence_).at_end; }

}  // namespace migd
