// One run of Upgrade, Downgrade or Stamp, as a server sees it: its state and its newest events.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/types/optional.h"
#include "migration/v1/operation.pb.h"
#include "service/base/listeners.h"
#include "service/base/mutex.h"
#include "service/database/operation_store.h"
#include "service/execute/executor.h"

namespace migd {

// Thread-safe. Of an operation that this server runs, the thread that runs it appends events; they
// are told to readers when they are stored, so that nobody has seen what a crash can take back. Of
// one that another server runs, the state and the events are those of the store, as it was read
// last. The newest events are in memory, the older ones in the store.
class Operation {
 public:
  using EventPointer = std::shared_ptr<const migration::v1::OperationEvent>;

  // What is kept in memory of each.
  static constexpr size_t kMostEvents = 10'000;
  static constexpr size_t kMostBytes = 4 << 20;

  // As it is stored, without its events.
  explicit Operation(const OperationRecord& record);

  const std::string& id() const { return id_; }
  // The name of its database at this server.
  const std::string& database() const { return database_; }
  // The order among the operations of its database.
  int64_t number() const { return number_; }
  // Of the call that made it; empty if it gave none.
  const std::string& request_id() const { return request_id_; }

  // --- For readers ---

  // The operation as callers see it, up to the last event that they may see.
  migration::v1::Operation Snapshot() const;
  bool finished() const;
  // Of the last event that readers may see.
  int64_t visible_sequence() const;
  // How it ended; OK before the end, and for one that succeeded.
  absl::Status final_status() const;

  struct Reading {
    // The event that follows; null if there is none, or not in memory.
    EventPointer event;
    // There is one, in the store.
    bool stored = false;
    // None will follow: the operation is finished.
    bool at_end = false;
  };
  Reading ReadAfter(int64_t sequence) const;

  // The newest progress of the statement that runs; null if there is none.
  EventPointer progress() const;

  // Told after each change that readers can see, on the thread that makes it.
  Listeners& listeners() { return listeners_; }

  // --- For the server that runs it ---

  // Takes the operation as the server's own: from now on it changes by what follows.
  void Own();
  // Another server has it: what was not written is nobody's any more.
  void Disown();
  bool owned() const;

  // Adds an event: numbers it and dates it. A progress gets no number and is told at once. Does
  // nothing if the operation is not owned.
  void Append(migration::v1::OperationEvent event);
  // The run was cut off by `why`; nobody runs it if it is `released`, and that this server gave it
  // away counts as no attempt.
  void Interrupt(const absl::Status& why, bool released);
  // The next attempt begins, on the server with this name.
  void Resume(const std::string& server);
  // Adds the last event.
  void Finish(const ExecuteResult& result);

  // Whether it is not taken up again should this attempt be cut off.
  bool is_last_attempt() const;
  // Whether a plan is being carried out: it has the mutex.
  bool runs() const;
  // The attempt and the sequence of the last event, also of one that readers do not see yet.
  int attempt() const;
  int64_t last_sequence() const;

  // What is to be written next.
  struct Batch {
    OperationRecord record;
    int expected_attempt = 0;
    StoredEvents events;
    EventPointer progress;
    Durability durability = Durability::kMayBeLost;
  };
  // Nothing if all is written, or if the operation is not owned. `server` is the number under which
  // it is written.
  absl::optional<Batch> NextBatch(int server) const;
  // Whether everything that somebody waits for is written, as nothing of the first step outlives
  // its transaction before the plan is; the rest can wait a moment for more.
  bool IsUrgentWritten() const;
  // How many events are to be written.
  size_t unwritten() const;
  // `batch` was written: readers may see it.
  void MarkWritten(const Batch& batch);
  // The store has only what `record` says; what came after it is to be written again.
  void MarkStored(const OperationRecord& record);
  // Lets readers see what could not be written yet.
  void ShowUnwritten();
  // Forgetting in the store has made this the oldest event.
  void SetFirstSequence(int64_t sequence);

  // --- For a server that sees another run it ---

  // The state of the store, and the events behind the last that is known, as far as they were read.
  // The operation is not owned any more.
  void Mirror(const OperationRecord& record, const StoredEvents& events);
  // The same, unless that is known already. The events that are missed are in the store.
  void CatchUp(const OperationRecord& record);

 private:
  void MirrorLocked(const OperationRecord& record, const StoredEvents& events)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AppendLocked(migration::v1::OperationEvent event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Drops from memory what the store has and what is too much.
  void Trim() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Where the event after `sequence` is in events_, or would be.
  int64_t IndexAfter(int64_t sequence) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const std::string id_;
  const std::string database_;
  const int64_t number_;
  const std::string request_id_;
  Listeners listeners_;

  mutable Mutex mutex_;
  bool owned_ ABSL_GUARDED_BY(mutex_) = false;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;
  // Without gaps; the last one is that of state_.last_sequence, if there is any.
  std::deque<EventPointer> events_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // After all events, and after those that readers may see.
  migration::v1::Operation state_ ABSL_GUARDED_BY(mutex_);
  migration::v1::Operation visible_ ABSL_GUARDED_BY(mutex_);
  EventPointer progress_ ABSL_GUARDED_BY(mutex_);
  // The last event that must not wait to be written.
  int64_t urgent_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  // The last event that a crash of PostgreSQL must not take back.
  int64_t durable_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  // What the store has.
  int64_t written_sequence_ ABSL_GUARDED_BY(mutex_);
  int written_attempt_ ABSL_GUARDED_BY(mutex_);
  bool written_released_ ABSL_GUARDED_BY(mutex_) = false;
  EventPointer written_progress_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace migd
