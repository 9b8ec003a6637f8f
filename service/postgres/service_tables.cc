#include "service/postgres/service_tables.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/database/service_sql.h"
#include "service/postgres/audit_sql.h"

namespace migd {
namespace {

// Those that keep two servers from making the same at the same time; see kMutexClass.
constexpr int kOperationTablesObject = 2;
constexpr int kSchemaObject = 4;
constexpr int kStepTablesObject = 5;
constexpr int kAuditTableObject = 6;

constexpr char kCreateOperations[] = R"(
CREATE TABLE migration_service.operation (
  number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  operation text PRIMARY KEY,
  version_table text NOT NULL,
  request_id text,
  action text NOT NULL,
  targets text[] NOT NULL,
  state text NOT NULL,
  attempt integer NOT NULL,
  server integer NOT NULL,
  server_name text NOT NULL,
  cancel_reason text NOT NULL DEFAULT '',
  requested_by text NOT NULL DEFAULT session_user,
  create_time timestamptz NOT NULL,
  finish_time timestamptz,
  change_time timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_sequence bigint NOT NULL,
  details bytea NOT NULL,
  plan bytea
);
CREATE UNIQUE INDEX operation_request_id
  ON migration_service.operation (version_table, request_id) WHERE request_id IS NOT NULL;
CREATE INDEX operation_unfinished ON migration_service.operation (number)
  WHERE finish_time IS NULL;
COMMENT ON TABLE migration_service.operation IS
  'the operations of migd; details is a migration.v1.Operation, plan a migration.v1.Plan';
CREATE TABLE migration_service.operation_events (
  operation text NOT NULL,
  first_sequence bigint NOT NULL,
  last_sequence bigint NOT NULL,
  events bytea NOT NULL,
  PRIMARY KEY (operation, first_sequence)
);
COMMENT ON TABLE migration_service.operation_events IS
  'their events: delimited messages of migration.v1.OperationEvent, as many as were stored together';
)";

// Both tables are there: they were made together.
constexpr char kOperationsExist[] =
    "SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'operation_events' AND relnamespace = "
    "(SELECT oid FROM pg_namespace WHERE nspname = 'migration_service'))";

// Tables that are made together, known by one of them.
struct Tables {
  absl::string_view known_by;
  std::string sql;
};

// A query for what of the schema is there: its own name, and those of `tables`.
std::string FoundSql(const std::vector<Tables>& tables) {
  const std::string names =
      absl::StrJoin(tables, ", ", [](std::string* out, const Tables& together) {
        absl::StrAppend(out, QuoteLiteral(together.known_by));
      });
  // Not to_regclass, which remembers what it has not found before the lock was waited for.
  return absl::StrCat(
      "SELECT nspname FROM pg_namespace WHERE nspname = 'migration_service' UNION ALL "
      "SELECT relname FROM pg_class WHERE relname IN (",
      names, ") AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = ",
      "'migration_service')");
}

std::set<std::string> Found(pqxx::transaction_base& work, const std::string& sql) {
  std::set<std::string> found;
  for (const pqxx::row row : work.exec(sql)) found.insert(row[0].as<std::string>());
  return found;
}

// What makes those of `tables` that are not among `found`.
std::string MissingSql(const std::vector<Tables>& tables, const std::set<std::string>& found) {
  std::string sql;
  for (const Tables& together : tables) {
    if (found.count(std::string(together.known_by)) == 0) absl::StrAppend(&sql, together.sql);
  }
  return sql;
}

// What comes first in a transaction that waits for those of its kind on other servers.
std::string WaitSql(int object) {
  // Whatever the database's or the role's own default is: what the others have made is to be seen.
  // Whoever makes it may have to wait for the disk; the statement timeout is limit enough.
  return absl::StrCat("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; ",
                      "SET LOCAL lock_timeout = 0; ", "SELECT pg_advisory_xact_lock(", kMutexClass,
                      ", ", object, "); ");
}

// Makes the schema unless it is there: it may have been made beforehand, for a role that may not
// make one.
void PrepareSchema(PostgresSession& session) {
  pqxx::work work(session.connection());
  const auto found = Found(
      work, absl::StrCat(WaitSql(kSchemaObject),
                         "SELECT nspname FROM pg_namespace WHERE nspname = 'migration_service'"));
  if (found.empty()) work.exec(std::string(kCreateServiceSchema));
  work.commit();
}

// Makes those of `tables` that are missing.
void Prepare(PostgresSession& session, int object, const std::vector<Tables>& tables) {
  const std::string found_sql = FoundSql(tables);
  std::set<std::string> found;
  {
    pqxx::nontransaction work(session.connection());
    found = Found(work, found_sql);
  }
  if (MissingSql(tables, found).empty()) return;
  if (found.count("migration_service") == 0) PrepareSchema(session);
  pqxx::work work(session.connection());
  const std::string missing =
      MissingSql(tables, Found(work, absl::StrCat(WaitSql(object), found_sql)));
  if (!missing.empty()) work.exec(missing);
  work.commit();
}

bool IsTrue(pqxx::transaction_base& work, absl::string_view query) {
  return work.exec1(std::string(query))[0].as<bool>();
}

}  // namespace

bool OperationsExist(pqxx::transaction_base& work) { return IsTrue(work, kOperationsExist); }

bool AuditExists(pqxx::transaction_base& work) { return IsTrue(work, kAuditExists); }

void PrepareServiceTables(PostgresSession& session) {
  Prepare(session, kOperationTablesObject, {{"operation_events", kCreateOperations}});
  PrepareAudit(session);
}

void PrepareAudit(PostgresSession& session) {
  Prepare(session, kAuditTableObject, {{"audit", CreateAuditSql()}});
}

void PrepareStepTables(PostgresSession& session) {
  Prepare(session, kStepTablesObject,
          {{"revision_log", std::string(kCreateRevisionLog)},
           {"statement_journal", std::string(kCreateStatementJournal)}});
}

}  // namespace migd
