#include "service/operation/turnstile.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"

namespace migd {

void Turnstile::Join(const std::string& operation) {
  MutexLock lock(mutex_);
  queue_.push_back(operation);
}

absl::Status Turnstile::WaitForTurn(const std::string& operation, absl::Time deadline,
                                    Cancellation& cancellation,
                                    const std::function<void(const std::string&)>& on_wait) {
  const absl::Time start = absl::Now();
  bool cancelled = false;  // guarded by mutex_
  cancellation.SetListener([this, &cancelled] {
    MutexLock lock(mutex_);
    cancelled = true;
    changed_.NotifyAll();
  });
  std::string first;
  std::string reported;
  mutex_.Lock();
  while ((first = queue_.front()) != operation && !cancelled && absl::Now() < deadline) {
    if (first == reported) {
      changed_.WaitFor(mutex_, deadline - absl::Now());
      continue;
    }
    reported = first;
    mutex_.Unlock();
    on_wait(first);
    mutex_.Lock();
  }
  const bool stopped = cancelled;
  mutex_.Unlock();
  cancellation.SetListener(nullptr);
  if (stopped) return errors::OperationCancelled(cancellation.why());
  if (first == operation) return absl::OkStatus();
  return errors::MutexTimeout(absl::Now() - start, absl::StrCat("operation ", first));
}

void Turnstile::Leave(const std::string& operation) {
  MutexLock lock(mutex_);
  const auto found = std::find(queue_.begin(), queue_.end(), operation);
  if (found != queue_.end()) queue_.erase(found);
  changed_.NotifyAll();
}

}  // namespace migd
