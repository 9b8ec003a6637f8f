// How a request says that an operation deals with time.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "migration/v1/migration_service.pb.h"
#include "service/database/database.h"

namespace migd {

// Reads `options` into `timeouts` and `mutex_timeout`, which keep their values where a field is
// unset. InvalidRequest for what PostgreSQL cannot keep.
absl::Status ReadRunOptions(const migration::v1::RunOptions& options, Timeouts& timeouts,
                            absl::Duration& mutex_timeout);

}  // namespace migd
