// How an operation is told to stop.
#pragma once

#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/mutex.h"

namespace migd {

// A request to stop, made once and never taken back. Thread-safe.
class Cancellation {
 public:
  // Asks to stop, saying why. The first reason counts.
  void Request(absl::string_view why);

  bool requested() const;
  // Why; empty if not requested.
  std::string why() const;

  // Waits for a request, for `timeout` at most. True if it was made.
  bool WaitFor(absl::Duration timeout);

  // `listener` is called when the request is made, at once if it was made already, on whatever
  // thread makes it. It must not block, nor call back. There is one at a time; an empty function
  // removes it, and when SetListener returns the old one runs no more.
  void SetListener(std::function<void()> listener);

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  bool requested_ ABSL_GUARDED_BY(mutex_) = false;
  std::string why_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> listener_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace migd
