// How much of something each client has under way.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "service/base/mutex.h"
#include "service/rpc/admission.h"

namespace migd {

// A client is a principal at an address: one that takes all it can get takes nothing from others.
// Thread-safe.
class ClientQuota {
 public:
  // `what` it is, for the error: "streams".
  ClientQuota(std::string what, int limit);

  // A place for one more, until the last copy of what is returned is gone; it may outlive the
  // quota. LimitReached.
  absl::StatusOr<std::shared_ptr<void>> Take(const Caller& caller);

 private:
  struct Counts {
    Mutex mutex;
    // By client; without those that have none.
    std::map<std::string, int> taken ABSL_GUARDED_BY(mutex);
  };

  const std::string what_;
  const int limit_;
  const std::shared_ptr<Counts> counts_;
};

}  // namespace migd
