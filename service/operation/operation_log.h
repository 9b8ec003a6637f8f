// What the server's log tells of operations: when they are accepted, what they apply, how they end.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "migration/v1/operation.pb.h"
#include "service/base/log.h"

namespace migd {

// What every entry about an operation has: operation, request, database, principal, trace_id.
LogFields FieldsOf(const migration::v1::Operation& operation);

// The same, with what belongs to one entry behind them.
LogFields FieldsOf(const migration::v1::Operation& operation, const LogFields& more);

// Why something failed: reason, SQLSTATE, revision, and the message without values.
LogFields FieldsOf(const absl::Status& status);

// The word of an action: `upgrade`.
std::string ActionWord(migration::v1::Action action);

// Whether the log has entries for events of this kind: the operation was accepted, or taken up
// again, a step is finished, or tried again after a lock timeout, the operation has ended.
bool IsLogged(const migration::v1::OperationEvent& event);

// Writes the entry of an event of an operation that this server runs; nothing if it is of another
// kind.
void LogEvent(const migration::v1::Operation& operation,
              const migration::v1::OperationEvent& event);

}  // namespace migd
