// Whoever wants to be told.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "service/base/mutex.h"

namespace migd {

// Thread-safe.
class Listeners {
 public:
  // `listener` is called at each Notify from now on, on the thread that notifies; it must not
  // block. Returns what Remove takes.
  int Add(std::function<void()> listener) {
    MutexLock lock(mutex_);
    const int id = next_++;
    listeners_[id] = std::make_shared<const std::function<void()>>(std::move(listener));
    return id;
  }

  // A call that is under way when this returns may still go on.
  void Remove(int listener) {
    MutexLock lock(mutex_);
    listeners_.erase(listener);
  }

  void Notify() const {
    std::vector<std::shared_ptr<const std::function<void()>>> listeners;
    {
      MutexLock lock(mutex_);
      for (const auto& [id, listener] : listeners_) listeners.push_back(listener);
    }
    for (const auto& listener : listeners) (*listener)();
  }

 private:
  mutable Mutex mutex_;
  std::map<int, std::shared_ptr<const std::function<void()>>> listeners_ ABSL_GUARDED_BY(mutex_);
  int next_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace migd
