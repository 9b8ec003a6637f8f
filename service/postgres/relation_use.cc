#include "service/postgres/relation_use.h"

#include <algorithm>
#include <map>
#include <string>

#include "service/base/utf8.h"

namespace migd {
namespace {

using migration::v1::LockMode;

// What there is to see of a relation without opening it, which would wait for whoever has locked
// it: hence relpages, not pg_relation_size. They are counted when the table is analyzed.
constexpr char kRelations[] = R"(
SELECT c.oid::bigint, pg_catalog.format('%I.%I', n.nspname, c.relname),
       CASE WHEN i.indexrelid IS NOT NULL THEN
         (SELECT pg_catalog.format('%I.%I', tn.nspname, t.relname) FROM pg_catalog.pg_class t
          JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace WHERE t.oid = i.indrelid) END,
       coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)::bigint,
       CASE WHEN c.reltuples > 0 OR c.relpages > 0 THEN c.reltuples::bigint ELSE -1 END,
       CASE WHEN c.reltuples > 0 OR c.relpages > 0
            THEN c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint
            ELSE -1 END
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f', 'S', 'i', 'I') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'migration_service'))";

constexpr char kHeldLocks[] = R"(
SELECT l.relation::bigint, l.mode FROM pg_catalog.pg_locks l
WHERE l.pid = $1 AND l.locktype = 'relation' AND l.granted
  AND l.database = (SELECT oid FROM pg_catalog.pg_database
                    WHERE datname = pg_catalog.current_database())
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = l.relation
                  AND c.relkind IN ('i', 'I', 't')))";

LockMode ModeOfName(const std::string& name) {
  static const std::map<std::string, LockMode> modes = {
      {"AccessShareLock", migration::v1::LOCK_MODE_ACCESS_SHARE},
      {"RowShareLock", migration::v1::LOCK_MODE_ROW_SHARE},
      {"RowExclusiveLock", migration::v1::LOCK_MODE_ROW_EXCLUSIVE},
      {"ShareUpdateExclusiveLock", migration::v1::LOCK_MODE_SHARE_UPDATE_EXCLUSIVE},
      {"ShareLock", migration::v1::LOCK_MODE_SHARE},
      {"ShareRowExclusiveLock", migration::v1::LOCK_MODE_SHARE_ROW_EXCLUSIVE},
      {"ExclusiveLock", migration::v1::LOCK_MODE_EXCLUSIVE},
      {"AccessExclusiveLock", migration::v1::LOCK_MODE_ACCESS_EXCLUSIVE}};
  const auto found = modes.find(name);
  return found == modes.end() ? migration::v1::LOCK_MODE_UNSPECIFIED : found->second;
}

}  // namespace

RelationFiles FindRelations(Connection& connection) {
  RelationFiles relations;
  pqxx::nontransaction work(connection);
  for (const pqxx::row row : work.exec(kRelations)) {
    RelationFile& relation = relations[row[0].as<int64_t>()];
    relation.name = ToValidUtf8(row[1].as<std::string>());
    relation.table = ToValidUtf8(row[2].as<std::string>(""));
    relation.file = row[3].as<int64_t>();
    relation.estimated_rows = row[4].as<int64_t>();
    relation.size_bytes = row[5].as<int64_t>();
  }
  return relations;
}

RelationLocks FindHeldLocks(Connection& connection, int pid) {
  RelationLocks locks;
  pqxx::nontransaction work(connection);
  for (const pqxx::row row : work.exec_params(kHeldLocks, pid)) {
    LockMode& mode = locks[row[0].as<int64_t>()];
    mode = std::max(mode, ModeOfName(row[1].as<std::string>()));
  }
  return locks;
}

}  // namespace migd
