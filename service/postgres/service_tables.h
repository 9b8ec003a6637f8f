// The tables in which operations and the audit are kept, and their making.
#pragma once

#include "service/postgres/postgres_session.h"

namespace migd {

// Whether operations can be read: the last of their tables to be made is there. Throws libpqxx's
// exceptions, as all here do.
bool OperationsExist(pqxx::transaction_base& work);
// Whether the audit can be read.
bool AuditExists(pqxx::transaction_base& work);

// Makes the schema and the tables as far as they are missing, unless another server is faster.
void PrepareServiceTables(PostgresSession& session);

}  // namespace migd
