// The order in which the operations of this server get at one database.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "service/base/mutex.h"
#include "service/execute/cancellation.h"

namespace migd {

// Lets one operation at a time pass, first come, first served. Operations of one server wait here,
// at no cost to PostgreSQL, and only the first of them competes with other servers for the
// database's mutex. Thread-safe.
class Turnstile {
 public:
  // Joins the queue.
  void Join(const std::string& operation);

  // Waits until `operation`, which has joined, is the first. Each time another one becomes the
  // first, `on_wait` is told its id. MutexTimeout at `deadline`, OperationCancelled on request;
  // the operation is still in the queue then.
  absl::Status WaitForTurn(const std::string& operation, absl::Time deadline,
                           Cancellation& cancellation,
                           const std::function<void(const std::string&)>& on_wait);

  // Leaves the queue, from wherever in it.
  void Leave(const std::string& operation);

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace migd
