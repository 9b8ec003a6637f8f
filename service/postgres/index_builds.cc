#include "service/postgres/index_builds.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "service/database/service_sql.h"

namespace migd {
namespace {

// SQLSTATEs that say nothing about the definition: lock_not_available and query_canceled.
constexpr char kLockNotAvailable[] = "55P03";
constexpr char kQueryCanceled[] = "57014";

std::string TableOf(const ConcurrentBuild& build) {
  return RelationSql(build.table_schema, build.table);
}

// An index stands in the schema of its table.
std::string IndexAndTable(const ConcurrentBuild& build) {
  return absl::StrCat(
      "pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace "
      "JOIN pg_class c ON c.relnamespace = t.relnamespace AND c.relname = ",
      QuoteLiteral(build.name), " LEFT JOIN pg_index i ON i.indexrelid = c.oid");
}

// Who builds an index concurrently holds this lock on its table all the time. Others who do, such
// as VALIDATE CONSTRAINT, are told from it only with privileges that a role may lack; VACUUM and
// ANALYZE are known by their progress, whose pids everybody sees.
std::string BuilderSql(const ConcurrentBuild& build) {
  return absl::StrCat(
      "SELECT l.pid FROM pg_locks l WHERE l.locktype = 'relation' AND l.granted "
      "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
      "AND l.relation = ",
      TableOf(build),
      " AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_backend_pid() "
      "AND NOT EXISTS (SELECT FROM pg_stat_progress_vacuum v WHERE v.pid = l.pid) "
      "AND NOT EXISTS (SELECT FROM pg_stat_progress_analyze a WHERE a.pid = l.pid) "
      "ORDER BY l.pid LIMIT 1");
}

// Whether the index of `build`, and the one of its name in pg_temp, have one definition. What
// pg_get_indexdef says begins with CREATE [UNIQUE] INDEX name ON table; how the table is named
// there depends on the version and on the search_path.
std::string CompareSql(const ConcurrentBuild& build) {
  const std::string built = absl::StrCat("(SELECT c.oid FROM ", IndexAndTable(build),
                                         " WHERE i.indrelid = t.oid AND t.oid = $1::oid)");
  return absl::StrCat(
      "WITH described AS (SELECT pg_get_indexdef(i.indexrelid) AS definition, "
      "format('CREATE %sINDEX %I ON ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, "
      "c.relname) AS head, ARRAY[format('%I', t.relname), format('%I.%I', n.nspname, t.relname), "
      "CASE n.oid WHEN pg_my_temp_schema() THEN format('pg_temp.%I', t.relname) END] AS names "
      "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
      "JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace "
      "WHERE i.indexrelid IN (",
      built, ", to_regclass(", QuoteLiteral(absl::StrCat("pg_temp.", QuoteName(build.name))),
      "))), cut AS (SELECT head || substr(definition, length(head || name) + 1) AS definition "
      "FROM described, unnest(names) AS name "
      "WHERE starts_with(definition, head || name || ' USING ')) "
      "SELECT count(*) = 2 AND count(DISTINCT definition) = 1 FROM cut");
}

bool Compare(pqxx::connection_base& connection, const ConcurrentBuild& build) {
  pqxx::nontransaction work(connection);
  work.exec("BEGIN");
  // By number: after the copy is made, the name means the copy.
  const pqxx::row table = work.exec1(
      absl::StrCat("SELECT t.oid::text, format('%I.%I', n.nspname, t.relname) FROM pg_class t "
                   "JOIN pg_namespace n ON n.oid = t.relnamespace WHERE t.oid = ",
                   TableOf(build)));
  const std::string copy = absl::StrCat("pg_temp.", QuoteName(build.table));
  work.exec(absl::StrCat("CREATE TABLE ", copy, " (LIKE ", table[1].as<std::string>(), ")"));
  // The search_path is that of the migration: it decides what the names in the definition mean.
  work.exec(absl::StrCat("CREATE ", build.unique ? "UNIQUE " : "", "INDEX ", QuoteName(build.name),
                         " ON ", copy, " ", build.definition));
  work.exec("SET LOCAL search_path = pg_catalog");
  return work.exec_params1(CompareSql(build), table[0].as<std::string>())[0].as<bool>();
}

}  // namespace

BuiltIndex FindBuiltIndex(pqxx::connection_base& connection, const ConcurrentBuild& build) {
  pqxx::nontransaction work(connection);
  const pqxx::result found = work.exec(absl::StrCat(
      "SELECT c.relkind = 'i' AND NOT i.indisvalid, format('%I.%I', n.nspname, c.relname) FROM ",
      IndexAndTable(build), " WHERE t.oid = ", TableOf(build)));
  BuiltIndex index;
  if (found.empty()) return index;
  index.name = found[0][1].as<std::string>();
  index.state = found[0][0].as<bool>(false) ? ObjectState::kInvalidIndex : ObjectState::kPresent;
  if (index.state != ObjectState::kInvalidIndex) return index;
  const pqxx::result builder = work.exec(BuilderSql(build));
  if (!builder.empty()) index.builder_pid = builder[0][0].as<int>();
  return index;
}

bool HasDefinitionOf(pqxx::connection_base& connection, const ConcurrentBuild& build) {
  bool matches = false;
  try {
    matches = Compare(connection, build);
  } catch (const pqxx::sql_error& error) {
    if (error.sqlstate() == kLockNotAvailable || error.sqlstate() == kQueryCanceled) throw;
    // The role may not make temporary tables, or the statement is wrong: nobody can tell.
  } catch (const pqxx::unexpected_rows&) {
    // There is no such table.
  }
  pqxx::nontransaction(connection).exec("ROLLBACK");
  return matches;
}

}  // namespace migd
