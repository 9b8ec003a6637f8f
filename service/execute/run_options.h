// How an operation is to run: what a caller said of it, and the settings of the database.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "migration/v1/operation.pb.h"
#include "service/execute/executor.h"
#include "service/execute/workspace.h"

namespace migd {

// Fills in of `request`, whose action is set, what `options` say, and where they say nothing, the
// settings of `workspace`; the time to wait for the mutex begins now. InvalidRequest names the
// field that is out of range, or that does not go with the action; TerminateNotAllowed.
absl::Status ReadRunOptions(const migration::v1::RunOptions& options, const Workspace& workspace,
                            ExecuteRequest& request);

}  // namespace migd
