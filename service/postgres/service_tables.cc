#include "service/postgres/service_tables.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
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

// Both tables are there; the one that is made last tells.
constexpr char kOperationsExist[] =
    "SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'operation_events' AND relnamespace = "
    "(SELECT oid FROM pg_namespace WHERE nspname = 'migration_service'))";

bool IsTrue(pqxx::transaction_base& work, absl::string_view query) {
  return work.exec1(std::string(query))[0].as<bool>();
}

bool IsThere(PostgresSession& session, absl::FunctionRef<bool(pqxx::transaction_base&)> exist) {
  pqxx::nontransaction work(session.connection());
  return exist(work);
}

// Begins a transaction that waits for those of its kind on other servers.
std::unique_ptr<pqxx::work> Begin(PostgresSession& session, int object) {
  auto work = std::make_unique<pqxx::work>(session.connection());
  // Whatever the database's or the role's own default is: what the others have made is to be seen.
  work->exec(absl::StrCat("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; ",
                          "SELECT pg_advisory_xact_lock(", kMutexClass, ", ", object, ")"));
  return work;
}

// Makes the schema unless it is there: it may have been made beforehand, for a role that may not
// make one.
void PrepareSchema(PostgresSession& session) {
  const auto exists = [](pqxx::transaction_base& work) {
    // Not to_regnamespace, which remembers what it has not found before the lock was waited for.
    return IsTrue(work,
                  "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'migration_service')");
  };
  if (IsThere(session, exists)) return;
  const std::unique_ptr<pqxx::work> work = Begin(session, kSchemaObject);
  if (!exists(*work)) work->exec(std::string(kCreateServiceSchema));
  work->commit();
}

// What makes those that are missing.
std::vector<absl::string_view> MissingStepTables(pqxx::transaction_base& work) {
  const std::pair<const char*, absl::string_view> tables[] = {
      {"revision_log", kCreateRevisionLog},
      {"statement_journal", kCreateStatementJournal},
      {"checksum_acceptance", kCreateChecksumAcceptance}};
  std::set<std::string> found;
  for (const pqxx::row row :
       work.exec("SELECT relname FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace "
                 "WHERE nspname = 'migration_service')")) {
    found.insert(row[0].as<std::string>());
  }
  std::vector<absl::string_view> missing;
  for (const auto& [name, sql] : tables) {
    if (found.count(name) == 0) missing.push_back(sql);
  }
  return missing;
}

}  // namespace

bool OperationsExist(pqxx::transaction_base& work) { return IsTrue(work, kOperationsExist); }

bool AuditExists(pqxx::transaction_base& work) { return IsTrue(work, kAuditExists); }

void PrepareServiceTables(PostgresSession& session) {
  const auto exist = [](pqxx::transaction_base& work) {
    return IsTrue(work, absl::StrCat("SELECT (", kOperationsExist, ") AND (", kAuditExists, ")"));
  };
  if (IsThere(session, exist)) return;
  PrepareSchema(session);
  const std::unique_ptr<pqxx::work> work = Begin(session, kOperationTablesObject);
  if (!OperationsExist(*work)) work->exec(kCreateOperations);
  if (!AuditExists(*work)) work->exec(CreateAuditSql());
  work->commit();
}

void PrepareStepTables(PostgresSession& session) {
  std::vector<absl::string_view> missing;
  const auto exist = [&missing](pqxx::transaction_base& work) {
    missing = MissingStepTables(work);
    return missing.empty();
  };
  if (IsThere(session, exist)) return;
  PrepareSchema(session);
  const std::unique_ptr<pqxx::work> work = Begin(session, kStepTablesObject);
  if (!exist(*work)) work->exec(absl::StrJoin(missing, ""));
  work->commit();
}

}  // namespace migd
