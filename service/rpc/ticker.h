// A clock for streams that must be heard of from time to time.
#pragma once

#include <thread>

#include "absl/time/time.h"
#include "service/base/listeners.h"
#include "service/base/mutex.h"

namespace migd {

// Tells its listeners every now and then that time has passed. Thread-safe.
class Ticker {
 public:
  static constexpr absl::Duration kInterval = absl::Milliseconds(50);

  Ticker();
  ~Ticker();

  // Told about every kInterval, on the ticker's thread.
  Listeners& listeners() { return listeners_; }

 private:
  void Run();

  Listeners listeners_;
  Mutex mutex_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: runs with everything above in place
};

}  // namespace migd
