// How a request says that an operation deals with time, and with those in its way.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "migration/v1/migration_service.pb.h"
#include "service/execute/workspace.h"
#include "service/operation/operation.h"

namespace migd {

// Sets what `options` decide in `request`, or the workspace where they leave it open.
// InvalidRequest for what PostgreSQL cannot keep; TerminateNotAllowed.
absl::Status ReadRunOptions(const migration::v1::RunOptions& options, const Workspace& workspace,
                            OperationRequest& request);

// What `options` decide about a section that is half done. InvalidRequest if they contradict one
// another, or say anything where nothing is to be decided: for any action but an upgrade or a
// downgrade.
absl::StatusOr<RunDecisions> ReadRunDecisions(const migration::v1::RunOptions& options,
                                              migration::v1::Action action);

}  // namespace migd
