#include "service/rpc/row_poller.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"

namespace migd {
namespace {

// Who joins is not to wait for the interval; but a thousand who join one after the other are not to
// cause a thousand readings, if they take long: between two there is a pause of so many times the
// first, within bounds.
constexpr int kPausePerReading = 4;
constexpr absl::Duration kLeastPause = absl::Milliseconds(1);
constexpr absl::Duration kMostPause = absl::Milliseconds(50);

}  // namespace

RowPoller::RowPoller(Database& database, absl::Duration interval,
                     std::function<void(const Reading&)> on_reading)
    : database_(database),
      interval_(interval),
      on_reading_(std::move(on_reading)),
      thread_([this] { Run(); }) {}

RowPoller::~RowPoller() {
  End();
  thread_.join();
}

void RowPoller::End() {
  MutexLock lock(mutex_);
  finished_ = true;
  changed_.NotifyAll();
}

int64_t RowPoller::Join() {
  MutexLock lock(mutex_);
  ++members_;
  newcomers_ = true;
  changed_.NotifyAll();
  return begun_ + 1;
}

void RowPoller::Leave() {
  MutexLock lock(mutex_);
  --members_;
}

std::shared_ptr<const RowPoller::Reading> RowPoller::newest() const {
  MutexLock lock(mutex_);
  return newest_;
}

void RowPoller::Run() {
  while (const int64_t number = AwaitTurn()) {
    const absl::Time start = absl::Now();
    auto reading = std::make_shared<const Reading>(Reading{number, database_.ReadRows()});
    {
      MutexLock lock(mutex_);
      newest_ = reading;
      last_end_ = absl::Now();
      pause_ = std::clamp(kPausePerReading * (last_end_ - start), kLeastPause, kMostPause);
    }
    on_reading_(*reading);
  }
}

int64_t RowPoller::AwaitTurn() {
  MutexLock lock(mutex_);
  while (!finished_) {
    const absl::Duration pause = newcomers_ ? std::min(pause_, interval_) : interval_;
    const absl::Duration left =
        members_ == 0 ? absl::InfiniteDuration() : last_end_ + pause - absl::Now();
    if (left <= absl::ZeroDuration()) {
      newcomers_ = false;
      return ++begun_;
    }
    changed_.WaitFor(mutex_, left);
  }
  return 0;
}

}  // namespace migd
