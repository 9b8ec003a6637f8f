// A plan run for real, in a copy of the schema.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "migration/v1/migration_service.pb.h"
#include "service/execute/cancellation.h"
#include "service/execute/workspace.h"

namespace migd {

// Takes each message as it comes, on the caller's thread.
using RehearsalSink = std::function<void(migration::v1::RehearseResponse)>;

// Runs what `request` asks for in a scratch copy of the schema of `live`, and tells `sink` what the
// statements did there. For an upgrade, unless it is to go one way: step by step back, comparing
// the schema after each with the one before its up section, and up again. What goes wrong in the
// copy is in the last message; the copy is gone by then. Fails if it cannot be made at all, with
// the errors of planning, ScratchUnavailable, and OperationCancelled. Thread-safe.
absl::Status Rehearse(const Workspace& live, const migration::v1::RehearseRequest& request,
                      Cancellation& cancellation, const RehearsalSink& sink);

}  // namespace migd
