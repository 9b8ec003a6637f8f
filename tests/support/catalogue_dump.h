// What pg_dump tells, for servers that are newer than the pg_dump at hand, which refuses them.
#pragma once

#include <string>

#include "service/postgres/conninfo.h"

namespace migd {

// Everything in a database but the service's own schema, definitions and rows, as text: equal texts
// for equal contents. Of what tests make: schemas, relations, columns, constraints, indexes,
// triggers, functions, types, extensions, comments.
std::string DumpByCatalogue(const ConnectionOptions& database);

}  // namespace migd
