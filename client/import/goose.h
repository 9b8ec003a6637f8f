// goose's migrations: <version>_<name>.sql with `-- +goose` annotations.
#pragma once

#include <string>
#include <vector>

#include "client/import/reading.h"

namespace migctl {

// The revisions of `files`. The version is the id as the name has it, leading zeros included.
// Statements that StatementBegin and StatementEnd hold together are split as PostgreSQL does; NO
// TRANSACTION, which counts for the whole file, makes both sections transaction:false. Migrations
// in Go and text after ENVSUB ON are problems. Pure; safe from any thread.
Reading ReadGoose(const std::vector<PeerFile>& files);

}  // namespace migctl
