// What the catalogue says of the relations that a plan names.
#pragma once

#include <pqxx/pqxx>

#include "service/database/catalog_facts.h"

namespace migd {

// In a transaction of its own, whose snapshot it is. Sizes of relations that somebody has locked
// against readers are left out. Throws libpqxx's exceptions.
CatalogFacts ReadCatalogFacts(pqxx::dbtransaction& work, const CatalogQuestion& question);

}  // namespace migd
