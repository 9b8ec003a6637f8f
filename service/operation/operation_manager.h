// The operations of this server: makes them, runs them, finds them.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "migration/v1/operation.pb.h"
#include "service/base/mutex.h"
#include "service/execute/workspace.h"
#include "service/operation/operation.h"
#include "service/operation/turnstile.h"

namespace migd {

// Which operations to list; empty fields do not restrict.
struct OperationFilter {
  std::string database;
  std::vector<migration::v1::Operation::State> states;
};

// Thread-safe. Runs each operation on a thread of its own, one at a time per workspace, and keeps
// it in memory after its end: as many as kKept, the oldest go first.
class OperationManager {
 public:
  static constexpr size_t kKept = 1000;
  // As many may run and wait at once: each has a thread.
  static constexpr int kMostRunning = 500;

  OperationManager() = default;
  // Drains without grace.
  ~OperationManager();

  // Makes an operation and runs it; or returns the one that an equal request with this request_id
  // made. RequestIdReused if that request was another; Draining; TooManyOperations. `workspace`
  // must outlive the manager.
  absl::StatusOr<std::shared_ptr<Operation>> Start(Workspace& workspace, OperationRequest request);

  // The operation whose id is or begins with `id`. UnknownOperation if there is none,
  // AmbiguousOperation if there are several, InvalidRequest for an empty id.
  absl::StatusOr<std::shared_ptr<Operation>> Find(absl::string_view id) const;

  // The operations that match, newest first.
  std::vector<std::shared_ptr<Operation>> List(const OperationFilter& filter) const;

  // Takes no new operation from now on, gives the running ones `grace` to end, then cancels them.
  // Returns when none runs.
  void Drain(absl::Duration grace);

 private:
  struct Run {
    std::shared_ptr<Operation> operation;
    std::thread thread;
  };

  void RunOperation(Workspace& workspace, Turnstile& turnstile, Operation& operation);
  void ForgetOldest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Joins the threads of operations that have ended.
  void JoinEnded() ABSL_LOCKS_EXCLUDED(mutex_);
  bool WaitUntilIdle(absl::Time deadline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  CondVar ended_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::shared_ptr<Operation>> operations_ ABSL_GUARDED_BY(mutex_);  // oldest first
  std::vector<Run> runs_ ABSL_GUARDED_BY(mutex_);
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  // One per workspace; never removed, so references stay good.
  std::map<const Workspace*, Turnstile> turnstiles_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace migd
