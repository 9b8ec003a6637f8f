#include "service/postgres/table_sizes.h"

#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace migd {
namespace {

// Rows and what is stored beside them, of a relation and its partitions. pg_relation_size waits for
// whoever has the relation locked ACCESS EXCLUSIVE, or is to have it: those are not asked.
constexpr char kQuery[] = R"(
WITH asked AS (
  SELECT name, to_regclass(name)::oid AS id
    FROM unnest(string_to_array($1, E'\n')) AS name),
members AS (
  SELECT asked.name, c.oid, c.reltoastrelid AS toast,
         EXISTS (SELECT FROM pg_locks l
                  WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
                    AND l.relation IN (c.oid, c.reltoastrelid)
                    AND l.database = (SELECT d.oid FROM pg_database d
                                       WHERE d.datname = current_database())) AS is_locked
    FROM asked JOIN pg_class c
      ON c.oid = asked.id OR c.oid IN (SELECT relid FROM pg_partition_tree(asked.id)))
SELECT name,
       CASE WHEN bool_or(is_locked) THEN NULL
            ELSE coalesce(sum(CASE WHEN is_locked THEN 0
                                   ELSE coalesce(pg_relation_size(oid), 0) +
                                        CASE WHEN toast = 0 THEN 0
                                             ELSE coalesce(pg_relation_size(toast), 0) END
                              END), 0)::bigint
       END AS bytes
  FROM members GROUP BY name)";

}  // namespace

std::map<std::string, TableSize> ReadTableSizes(pqxx::transaction_base& work,
                                                const std::vector<std::string>& relations) {
  std::map<std::string, TableSize> sizes;
  std::string names;
  for (const std::string& relation : relations) {
    // Nobody calls a table so, and the list could not be taken apart.
    if (absl::StrContains(relation, '\n')) {
      sizes[relation] = {};
    } else {
      absl::StrAppend(&names, names.empty() ? "" : "\n", relation);
    }
  }
  for (const pqxx::row row : work.exec_params(kQuery, names)) {
    TableSize& size = sizes[row["name"].as<std::string>()];
    if (!row["bytes"].is_null()) size.bytes = row["bytes"].as<int64_t>();
  }
  return sizes;
}

}  // namespace migd
