// PostgreSQL's views of how far a command is.
#pragma once

#include <string>

#include "absl/types/optional.h"
#include "migration/v1/operation.pb.h"
#include "service/postgres/connection.h"

namespace migd {

// The query for a server of `server_version` (150004 is 15.4), with the process id as $1. Columns:
// command, relation, phase, unit (b, t, y or l, for blocks, tuples, bytes and lockers; NULL for
// none), done, total, locker. One row, or none. Pure.
std::string ProgressSql(int server_version);

// What the session `pid` does, with the fields that the server knows: from `command` to
// `locker_pid`. Nothing if it does nothing that is shown, or not to this role. Throws libpqxx's
// exceptions.
absl::optional<migration::v1::StatementProgress> FindProgress(Connection& connection, int pid);

}  // namespace migd
