// Locks and those who hold them, in words. Everything that comes from the server is escaped. Pure.
#pragma once

#include <string>

#include "migration/v1/error.pb.h"
#include "migration/v1/operation.pb.h"

namespace migctl {

// "pid 4711 (psql, user app, idle in transaction for 5m): SELECT ?"
std::string BlockerText(const migration::v1::Blocker& blocker);

// "for AccessExclusiveLock on users, behind pid 4711 (...) and 2 more"; without blockers, that
// nobody is in the way any more.
std::string LockWaitText(const migration::v1::LockWait& wait);

// Who holds the mutex, as far as it is known: "operation 7k2m", "pid 4711 (billing, user app)".
std::string HolderText(const migration::v1::WaitingForMutex& waiting);

// "attempt 2 of 6 in 850ms: <why the one before failed>"
std::string RetryText(const migration::v1::StepRetried& retried);

// "pid 4711 (...), which was in the way", or that it could not be.
std::string TerminatedText(const migration::v1::BlockerTerminated& terminated);

}  // namespace migctl
