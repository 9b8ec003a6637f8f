// How long a phase of a statement will take from here.
#pragma once

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "migration/v1/operation.pb.h"

namespace migd {

// Watches one statement. The rate is that of the phase as far as it was watched: phases differ too
// much for one to tell anything of the next, and what was done before the first look may have been
// done at any speed. Pure but for what it was told; not thread-safe.
class PhaseEstimate {
 public:
  // Takes what was seen at `time`, which never goes back, and returns how long the phase will take
  // from then. Nothing if that cannot be said: the total is not known, transactions are waited for,
  // or too little was seen.
  absl::optional<absl::Duration> Update(const migration::v1::StatementProgress& seen,
                                        absl::Time time);

 private:
  // The beginning of what was watched of the phase.
  absl::optional<migration::v1::StatementProgress> first_;
  absl::Time first_time_;
  int64_t last_done_ = 0;
};

}  // namespace migd
