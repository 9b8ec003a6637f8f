// What the catalogue has of an index that CREATE INDEX CONCURRENTLY builds.
#pragma once

#include <pqxx/pqxx>

#include "service/database/database.h"
#include "service/script/run_mode.h"

namespace migd {

// See Session::InspectBuild. Throws libpqxx's exceptions.
BuiltIndex FindBuiltIndex(pqxx::connection_base& connection, const ConcurrentBuild& build);

// See Session::MatchesBuild. Makes an empty copy of the table and the index on it, lets PostgreSQL
// describe both indexes, and rolls back. Throws libpqxx's exceptions, and leaves a failed
// transaction behind then.
bool HasDefinitionOf(pqxx::connection_base& connection, const ConcurrentBuild& build);

}  // namespace migd
