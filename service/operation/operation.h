// One run of Upgrade, Downgrade or Stamp, as the server keeps it: its state and its events.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "migration/v1/operation.pb.h"
#include "service/base/mutex.h"
#include "service/execute/cancellation.h"
#include "service/execute/executor.h"

namespace migd {

// What a caller asked for.
struct OperationRequest {
  std::string database;
  migration::v1::Action action = migration::v1::ACTION_UNSPECIFIED;
  std::vector<std::string> targets;
  bool purge = false;
  Timeouts timeouts;
  // Zero waits without end.
  absl::Duration mutex_timeout;
  int lock_retries = 0;
  bool terminate_blockers = false;
  RunDecisions decisions;
  // Empty if the caller gave none.
  std::string request_id;

  // Two requests with one request_id must be equal.
  friend bool operator==(const OperationRequest& a, const OperationRequest& b);
};

// Thread-safe. One thread runs it and appends; any number read and listen.
class Operation {
 public:
  using EventPointer = std::shared_ptr<const migration::v1::OperationEvent>;

  // A fresh operation, whose first event says that it was accepted.
  Operation(std::string id, OperationRequest request);

  const std::string& id() const { return id_; }
  const OperationRequest& request() const { return request_; }
  Cancellation& cancellation() { return cancellation_; }

  // Adds an event: numbers it, dates it, and brings the state up to date with it.
  void Append(migration::v1::OperationEvent event);
  // Adds the last event. The operation does not change after it.
  void Finish(const ExecuteResult& result);

  // The first event after `sequence`; null if there is none yet.
  EventPointer EventAfter(int64_t sequence) const;
  // Whether the last event has been added, and all of them end at `sequence`.
  bool EndsAt(int64_t sequence) const;
  // How it ended; OK before the end.
  absl::Status final_status() const;
  // The operation as callers see it.
  migration::v1::Operation Snapshot() const;
  bool finished() const;

  // `listener` is called after each event from now on, on the thread that appends; it must not
  // block. A call that is under way when RemoveListener returns may still go on.
  int AddListener(std::function<void()> listener);
  void RemoveListener(int listener);

 private:
  void AppendLocked(migration::v1::OperationEvent event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UpdateState(const migration::v1::OperationEvent& event)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Notify();

  const std::string id_;
  const OperationRequest request_;
  const absl::Time create_time_;
  Cancellation cancellation_;

  mutable Mutex mutex_;
  std::vector<EventPointer> events_ ABSL_GUARDED_BY(mutex_);
  // But for its resulting_revisions, which are `rows_`.
  migration::v1::Operation state_ ABSL_GUARDED_BY(mutex_);
  VersionRows rows_ ABSL_GUARDED_BY(mutex_);
  absl::Status final_status_ ABSL_GUARDED_BY(mutex_);
  std::map<int, std::shared_ptr<const std::function<void()>>> listeners_ ABSL_GUARDED_BY(mutex_);
  int next_listener_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace migd
