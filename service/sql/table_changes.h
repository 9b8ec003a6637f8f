// What ALTER TABLE and the columns and constraints of CREATE TABLE do.
#pragma once

#include <pg_query/pg_query.pb-c.h>

#include "service/sql/statement_effects.h"

namespace migd {

// Adds to `effects` what ALTER TABLE, or its like for an index, a view, a sequence or a type, does.
void AddTableChanges(const PgQuery__AlterTableStmt& statement, StatementEffects& effects);

// Adds the locks on the tables that a new one refers to by its columns and constraints.
void AddReferencedTables(const PgQuery__CreateStmt& statement, StatementEffects& effects);

// A type as it is written.
WrittenType TypeOf(const PgQuery__TypeName& type);

}  // namespace migd
