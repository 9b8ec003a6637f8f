// Reads the events of one operation in order, wherever they are.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "service/operation/operation_manager.h"

namespace migd {

// A reader's place in an operation. It holds no more than a page of events. Not thread-safe.
class EventCursor {
 public:
  using EventPointer = Operation::EventPointer;
  using Page = absl::StatusOr<StoredEvents>;

  EventCursor(std::shared_ptr<Operation> operation, int64_t after_sequence)
      : operation_(std::move(operation)), sequence_(after_sequence) {}

  Operation& operation() const { return *operation_; }
  const std::shared_ptr<Operation>& shared_operation() const { return operation_; }
  // Of the last event that was taken.
  int64_t sequence() const { return sequence_; }

  // How the operation stands; what is read goes on behind the place, which is moved back if the
  // operation has fewer events: a crash of PostgreSQL can take the last moments.
  EventPointer TakeSnapshot();

  // The next event, or the newest progress if there is none; null if there is neither, or if it
  // must be loaded first.
  EventPointer Take();

  // What Take() gives; if `batched`, together with what it would give after that, as long as it is
  // not much.
  EventPointer TakeMessage(bool batched);

  // Whether the operation has fewer events than were read: it is time for a snapshot.
  bool IsAhead() const { return sequence_ > operation_->visible_sequence(); }

  // Whether the next event must be loaded, and is not on its way.
  bool NeedsPage() const;
  // Loads it: `manager` passes the page on to `on_page`, which must hand it to Add.
  void Load(OperationManager& manager, std::function<void(Page)> on_page);
  // EventsPruned if events are missing in between.
  absl::Status Add(const Page& page);

  // Whether there is no event left, and none will follow.
  bool AtEnd() const;

 private:
  std::shared_ptr<Operation> operation_;
  int64_t sequence_;
  std::deque<EventPointer> page_;
  bool loading_ = false;
  // The progress that was taken last.
  EventPointer progress_;
};

}  // namespace migd
