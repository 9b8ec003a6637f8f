// The schema of one database, made in another.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/postgres/postgres_database.h"
#include "service/postgres/postgres_programs.h"

namespace migd {

// Makes in `to`, which is empty, what `from` has: its schema by pg_dump and pg_restore, the rows of
// its version table, and the journal of what is half done; no other data. Without publications and
// subscriptions, which reach beyond the database, and without the rest of the service's own schema.
// Owners are kept if `keep_owners`; otherwise everything belongs to the role. ScratchUnavailable
// says what is not possible there.
absl::Status CopySchema(PostgresDatabase& from, PostgresDatabase& to,
                        const PostgresProgram& programs, bool keep_owners);

// The schema of `from` as pg_dump writes it; see ScratchSource::DumpSchema.
absl::StatusOr<std::string> DumpSchema(PostgresDatabase& from, const PostgresProgram& programs,
                                       const VersionTable& version_table);

}  // namespace migd
