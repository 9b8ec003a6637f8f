// The catalogue of a database, read into a Schema.
#pragma once

#include <pqxx/pqxx>

#include "service/database/database.h"
#include "service/schema/schema.h"

namespace migd {

// Reads everything but PostgreSQL's own, what belongs to extensions, `migration_service` and
// `version_table`. In a transaction, whose snapshot it is. Throws libpqxx's exceptions.
Schema ReadSchema(pqxx::transaction_base& work, const VersionTable& version_table);

}  // namespace migd
