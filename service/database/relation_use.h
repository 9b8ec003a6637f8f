// What a session does to relations, as the server tells while it does it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "migration/v1/statement.pb.h"

namespace migd {

// A relation of the catalogue that has a name for people: a table, an index, a view, a sequence.
struct RelationFile {
  // With its schema, as SQL.
  std::string name;
  // An index's table; empty for what is no index.
  std::string table;
  // The file that it is kept in, which is another one after a rewrite; 0 for one without.
  int64_t file = 0;
  // What PostgreSQL's statistics estimate, indexes left out; -1 if nobody knows.
  int64_t estimated_rows = -1;
  int64_t size_bytes = -1;
};

// By their numbers in the catalogue, which a rename does not change.
using RelationFiles = std::map<int64_t, RelationFile>;

// The strongest lock on each relation, by its number.
using RelationLocks = std::map<int64_t, migration::v1::LockMode>;

}  // namespace migd
