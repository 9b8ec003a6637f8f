// The texts about operations: how one ended, one in full, and lists of them. Pure.
#pragma once

#include <string>

#include "client/output.h"
#include "migration/v1/migration_service.pb.h"
#include "migration_client/operation_outcome.h"

namespace migctl {

using migration_client::IsFinal;
using migration_client::OperationOutcome;
using migration_client::StateName;

// One line about an operation that succeeded: "Upgraded core to a91f: 2 revisions in 20.1s" or
// "core is at a91f already: nothing to do".
std::string OutcomeText(const OperationOutcome& outcome);

// Where a running operation is: "step 2 of 3, 7c20, statement 1 of 4"; empty if no step runs.
std::string PositionText(const migration::v1::Operation& operation);

// What an operation does, and where it stands: "upgrade head, running, step 2 of 3 ...".
std::string OperationSummary(const migration::v1::Operation& operation);

// A line per operation.
std::string OperationListText(const migration::v1::ListOperationsResponse& response,
                              const TextSettings& settings);

// A line per field.
std::string OperationText(const migration::v1::Operation& operation, const TextSettings& settings);

// What became of a request to cancel.
std::string CancelText(const migration::v1::Operation& operation);

// "upgrade", "downgrade", "stamp".
std::string ActionName(migration::v1::Action action);

}  // namespace migctl
