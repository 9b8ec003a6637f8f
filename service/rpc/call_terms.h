// On what terms a call that lasts goes on.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"

namespace migd {

// A plain value.
struct CallTerms {
  // Asked again and again, from any thread: what is not OK ends the call. Null if nobody asks.
  std::function<absl::Status()> still_admitted = nullptr;
  // Kept until the call has ended; see ClientQuota.
  std::shared_ptr<void> place = nullptr;
};

}  // namespace migd
