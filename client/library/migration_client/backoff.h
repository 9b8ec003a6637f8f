// How long to wait before asking a server again that did not answer.
#pragma once

#include <algorithm>

#include "absl/time/time.h"

namespace migration_client {

// Pauses that double up to a longest. A plain value.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration longest)
      : first_(first), longest_(longest), next_(first) {}

  // The pause before the next attempt.
  absl::Duration Next() {
    const absl::Duration pause = next_;
    next_ = std::min(2 * next_, longest_);
    return pause;
  }

  // The server has answered: begins anew.
  void Reset() { next_ = first_; }

 private:
  absl::Duration first_;
  absl::Duration longest_;
  absl::Duration next_;
};

}  // namespace migration_client
