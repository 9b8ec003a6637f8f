// Threads for work that may wait, of callers that must not.
#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "service/base/mutex.h"

namespace migd {

// Runs tasks in their order, as many at a time as it has threads. Thread-safe.
class WorkerPool {
 public:
  explicit WorkerPool(int threads);
  // Runs what was submitted, then ends.
  ~WorkerPool();

  // `task` must not throw. Never runs it on the caller's thread.
  void Submit(std::function<void()> task);

 private:
  void Run();

  Mutex mutex_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;  // last: run with everything above in place
};

}  // namespace migd
