// How an operation stands, as its events tell.
#pragma once

#include "migration/v1/operation.pb.h"

namespace migd {

// After so many attempts that were cut off, an operation is not taken up again.
inline constexpr int kMostAttempts = 3;

// The number of the last attempt that an operation has: those that their server gave away when it
// stopped, as at every deployment, do not count.
int LastAttempt(const migration::v1::Operation& operation);

// Whether nothing happens to an operation any more.
bool IsFinal(migration::v1::Operation::State state);

// Whether a failed operation was turned away by what stands between a call and its first step, so
// that nothing was tried: a typing error, a gate, a plan that changed, a privilege that is missing.
// The caller is told, and nobody else needs to look. What is out of order with the database or the
// machine is none: it fails for everybody.
bool IsRefused(const migration::v1::Operation& operation);

// Whether `event` is a message of a stream that is not stored: a snapshot, a heartbeat, a progress.
bool IsTransient(const migration::v1::OperationEvent& event);

// Brings `state` up to date with the event that follows its last. The one place where an operation
// changes its state. The rows of the version table are kept in the order of their ids.
void ApplyEvent(const migration::v1::OperationEvent& event, migration::v1::Operation& state);

// Whether two requests, of which action, targets, purge, options, database and request_id are set,
// ask for the same.
bool IsSameRequest(const migration::v1::Operation& a, const migration::v1::Operation& b);

}  // namespace migd
