// Where in a migration file a statement failed, and what PostgreSQL said.
#pragma once

#include "migration/v1/error.pb.h"
#include "service/database/database.h"
#include "service/script/migration_file.h"
#include "service/script/statement.h"

namespace migd {

// Describes `error` of `statement`, a statement of `file`: line and column of the fault, the text
// of the line, PostgreSQL's own words. Long texts are shortened, so that the whole fits into the
// trailer of a gRPC call. `revision`, the indices and the state are left to the caller. Pure.
migration::v1::StatementFailure DescribeFailure(const MigrationFile& file,
                                                const Statement& statement,
                                                const ServerError& error);

}  // namespace migd
