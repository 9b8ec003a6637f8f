// How a request says that an operation deals with time, and with those in its way.
#pragma once

#include "absl/status/status.h"
#include "migration/v1/migration_service.pb.h"
#include "service/execute/workspace.h"
#include "service/operation/operation.h"

namespace migd {

// Sets what `options` decide in `request`, or the workspace where they leave it open.
// InvalidRequest for what PostgreSQL cannot keep; TerminateNotAllowed.
absl::Status ReadRunOptions(const migration::v1::RunOptions& options, const Workspace& workspace,
                            OperationRequest& request);

}  // namespace migd
