// The texts about operations: how one ended, one in full, and lists of them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "client/output.h"
#include "migration/v1/migration_service.pb.h"

namespace migctl {

// What the messages about an operation have told so far.
struct OperationOutcome {
  // The id; empty before the first event.
  std::string operation;
  // The sequence of the last event that was received: where to go on.
  int64_t last_sequence = 0;
  std::optional<migration::v1::OperationAccepted> accepted;
  std::optional<migration::v1::OperationFinished> finished;

  // Takes up a message; returns false for an event that was taken up before. A snapshot tells what
  // the events before it would have told, and can put last_sequence back: a crash of PostgreSQL may
  // have lost the newest events, and those that come now have their numbers.
  bool Add(const migration::v1::OperationEvent& event);
};

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

// The state is a final one.
bool IsFinal(migration::v1::Operation::State state);

// "upgrade", "downgrade", "stamp".
std::string ActionName(migration::v1::Action action);

// "pending", "running", "interrupted", "succeeded", "failed", "cancelled".
std::string StateName(migration::v1::Operation::State state);

}  // namespace migctl
