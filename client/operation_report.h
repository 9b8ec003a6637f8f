// The texts about operations: how one ended, one in full, and lists of them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "client/output.h"
#include "migration/v1/migration_service.pb.h"

namespace migctl {

// What the events of an operation have told so far.
struct OperationOutcome {
  // The id; empty before the first event.
  std::string operation;
  // The sequence of the last event that was received.
  int64_t last_sequence = 0;
  std::optional<migration::v1::OperationAccepted> accepted;
  std::optional<migration::v1::OperationFinished> finished;

  void Add(const migration::v1::OperationEvent& event);
};

// One line about an operation that succeeded: "Upgraded core to a91f: 2 revisions in 20.1s" or
// "core is at a91f already: nothing to do".
std::string OutcomeText(const OperationOutcome& outcome);

// A line per operation.
std::string OperationListText(const migration::v1::ListOperationsResponse& response,
                              const TextSettings& settings);

// A line per field.
std::string OperationText(const migration::v1::Operation& operation, const TextSettings& settings);

// What became of a request to cancel.
std::string CancelText(const migration::v1::Operation& operation);

// "upgrade", "downgrade", "stamp".
std::string ActionName(migration::v1::Action action);

// "pending", "running", "succeeded", "failed", "cancelled".
std::string StateName(migration::v1::Operation::State state);

}  // namespace migctl
