// What the events of an operation add up to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "migration/v1/operation.pb.h"

namespace migration_client {

// What the messages about an operation have told so far. A plain value.
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

// The state is a final one.
bool IsFinal(migration::v1::Operation::State state);

// "pending", "running", "interrupted", "succeeded", "failed", "cancelled".
std::string StateName(migration::v1::Operation::State state);

}  // namespace migration_client
