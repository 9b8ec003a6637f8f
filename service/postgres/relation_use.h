// Relations and the locks on them, as the catalogue and pg_locks tell.
#pragma once

#include "service/database/relation_use.h"
#include "service/postgres/connection.h"

namespace migd {

// See Session. In whatever transaction is open. They throw libpqxx's exceptions.
RelationFiles FindRelations(Connection& connection);
// Of the session `pid`, in the database of `connection`.
RelationLocks FindHeldLocks(Connection& connection, int pid);

}  // namespace migd
