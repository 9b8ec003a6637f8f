// The tables of the service, but for the version table, and their making.
#pragma once

#include "service/postgres/postgres_session.h"

namespace migd {

// Whether operations can be read: the last of their tables to be made is there. Throws libpqxx's
// exceptions, as all here do.
bool OperationsExist(pqxx::transaction_base& work);
// Whether the audit can be read.
bool AuditExists(pqxx::transaction_base& work);

// Makes the schema and the tables of operations and the audit as far as they are missing, unless
// another session is faster. The schema is there first.
void PrepareServiceTables(PostgresSession& session);
// The same for the audit alone.
void PrepareAudit(PostgresSession& session);
// The same for the tables that the steps of operations write to, but for the version table.
void PrepareStepTables(PostgresSession& session);

}  // namespace migd
