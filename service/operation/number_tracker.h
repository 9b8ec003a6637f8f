// Which operations of a store have been seen, by their numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>

#include "absl/time/time.h"

namespace migd {

// Numbers grow, but what has a lower one may become visible later: its transaction was longer. A
// number that was passed over is therefore waited for, for a while. Not thread-safe.
class NumberTracker {
 public:
  // All numbers up to `newest` count as seen.
  explicit NumberTracker(int64_t newest) : newest_(newest) {}

  // Whether it is seen for the first time.
  bool See(int64_t number, absl::Time now) {
    if (number <= newest_) return missing_.erase(number) > 0;
    // A number that was given to nobody is no longer waited for soon; of many, most are such.
    constexpr int64_t kMostMissing = 1000;
    for (int64_t n = std::max(newest_ + 1, number - kMostMissing); n < number; ++n) {
      missing_[n] = now;
    }
    newest_ = number;
    return true;
  }

  // All numbers up to this one were seen, or are not waited for any longer.
  int64_t SeenUpTo(absl::Time now) {
    constexpr absl::Duration kLongestTransaction = absl::Seconds(15);
    while (!missing_.empty() && now - missing_.begin()->second > kLongestTransaction) {
      missing_.erase(missing_.begin());
    }
    return missing_.empty() ? newest_ : missing_.begin()->first - 1;
  }

 private:
  int64_t newest_;
  // With the time at which they were passed over.
  std::map<int64_t, absl::Time> missing_;
};

}  // namespace migd
