// How far a statement is, in words. Everything that comes from the server is escaped. Pure.
#pragma once

#include <string>

#include "migration/v1/operation.pb.h"

namespace migctl {

// "building index: scanning table, 45 % of 120,000 blocks"; while transactions are waited for,
// "waiting for old snapshots: waits for pid 4711 (transaction 1 of 2)".
std::string PhaseText(const migration::v1::StatementProgress& progress);

// ", ~40s left"; empty if that is not known.
std::string RemainingText(const migration::v1::StatementProgress& progress);

// "CREATE INDEX CONCURRENTLY on orders: " and the two above.
std::string ProgressText(const migration::v1::StatementProgress& progress);

}  // namespace migctl
