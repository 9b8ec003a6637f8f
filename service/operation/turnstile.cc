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
  cancellation.SetListener([this] {
    MutexLock lock(mutex_);
    changed_.NotifyAll();
  });
  absl::Status status;
  std::string reported;
  while (true) {
    std::string first;
    const bool cancelled = cancellation.requested();
    {
      MutexLock lock(mutex_);
      first = queue_.front();
      if (first == operation || cancelled || absl::Now() >= deadline) {
        if (cancelled) {
          status = errors::OperationCancelled(cancellation.why());
        } else if (first != operation) {
          status = errors::MutexTimeout(absl::Now() - start, absl::StrCat("operation ", first));
        }
        break;
      }
      if (first == reported) {
        // Bounded, because a request to cancel may have come since it was looked for.
        changed_.WaitFor(mutex_, std::min(deadline - absl::Now(), absl::Seconds(1)));
        continue;
      }
    }
    reported = first;
    on_wait(first);
  }
  cancellation.SetListener(nullptr);
  return status;
}

void Turnstile::Leave(const std::string& operation) {
  MutexLock lock(mutex_);
  const auto found = std::find(queue_.begin(), queue_.end(), operation);
  if (found != queue_.end()) queue_.erase(found);
  changed_.NotifyAll();
}

}  // namespace migd
