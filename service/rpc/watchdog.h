// Tells whoever watches over this process that it lives.
#pragma once

#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "service/base/mutex.h"

namespace migd {

// Asks again and again whether the process does what it is for, and passes only a yes on: a process
// whose threads run, but that answers nobody any more, falls silent. Thread-safe.
class Watchdog {
 public:
  // What is asked has so much of the time in which a sign of life is expected, and so much passes
  // between two questions: one that was answered late is no death yet.
  static constexpr int kQuestionsPerTimeout = 4;

  // `timeout` is the time after which silence is taken for death. `answers(patience)` tells whether
  // there was an answer within so long; `tell` is called when there was. Both are called on a
  // thread of its own.
  Watchdog(absl::Duration timeout, std::function<bool(absl::Duration)> answers,
           std::function<void()> tell);
  // Ends, and waits for a question that is under way.
  ~Watchdog();

 private:
  void Run();

  const absl::Duration interval_;
  const std::function<bool(absl::Duration)> answers_;
  const std::function<void()> tell_;
  Mutex mutex_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: runs with everything above in place
};

}  // namespace migd
