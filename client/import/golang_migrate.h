// golang-migrate's migrations: <version>_<title>.up.sql and .down.sql.
#pragma once

#include <string>
#include <vector>

#include "client/import/reading.h"

namespace migctl {

// The revisions of `files`. The version is the id as the name has it, leading zeros included. A
// file that golang-migrate can run only statement by statement, as it has a statement that
// PostgreSQL refuses in a transaction, is a transaction:false section. Pure; safe from any thread.
Reading ReadGolangMigrate(const std::vector<PeerFile>& files);

}  // namespace migctl
