#include "service/execute/cancellation.h"

#include <utility>

#include "absl/time/clock.h"

namespace migd {

void Cancellation::Request(absl::string_view why) {
  MutexLock lock(mutex_);
  if (requested_) return;
  requested_ = true;
  why_ = std::string(why);
  changed_.NotifyAll();
  if (listener_) listener_();
}

bool Cancellation::requested() const {
  MutexLock lock(mutex_);
  return requested_;
}

std::string Cancellation::why() const {
  MutexLock lock(mutex_);
  return why_;
}

bool Cancellation::WaitFor(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  MutexLock lock(mutex_);
  while (!requested_ && absl::Now() < deadline) changed_.WaitFor(mutex_, deadline - absl::Now());
  return requested_;
}

void Cancellation::SetListener(std::function<void()> listener) {
  MutexLock lock(mutex_);
  listener_ = std::move(listener);
  if (requested_ && listener_) listener_();
}

}  // namespace migd
