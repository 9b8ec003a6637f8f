#include "service/rpc/watchdog.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/log.h"

namespace migd {

Watchdog::Watchdog(absl::Duration timeout, std::function<bool(absl::Duration)> answers,
                   std::function<void()> tell)
    : interval_(timeout / kQuestionsPerTimeout),
      answers_(std::move(answers)),
      tell_(std::move(tell)),
      thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void Watchdog::Run() {
  while (true) {
    if (answers_(interval_)) {
      tell_();
    } else {
      LogWarning("this server does not answer itself",
                 {{"seconds", absl::StrCat(absl::ToDoubleSeconds(interval_))}});
    }
    const absl::Time next = absl::Now() + interval_;
    MutexLock lock(mutex_);
    while (!ending_ && absl::Now() < next) changed_.WaitFor(mutex_, next - absl::Now());
    if (ending_) return;
  }
}

}  // namespace migd
