#include "service/postgres/service_tables.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "service/database/service_sql.h"
#include "service/postgres/audit_sql.h"

namespace migd {
namespace {

// One that keeps two servers from making the tables at the same time.
constexpr int kPreparationObject = 2;

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

}  // namespace

bool OperationsExist(pqxx::transaction_base& work) { return IsTrue(work, kOperationsExist); }

bool AuditExists(pqxx::transaction_base& work) { return IsTrue(work, kAuditExists); }

void PrepareServiceTables(PostgresSession& session) {
  const auto is_done = [](pqxx::transaction_base& work) {
    return IsTrue(work, absl::StrCat("SELECT (", kOperationsExist, ") AND (", kAuditExists, ")"));
  };
  {
    pqxx::nontransaction work(session.connection());
    if (is_done(work)) return;
  }
  pqxx::work work(session.connection());
  work.exec(
      absl::StrCat("SELECT pg_advisory_xact_lock(", kMutexClass, ", ", kPreparationObject, ")"));
  if (!IsTrue(work, "SELECT to_regnamespace('migration_service') IS NOT NULL")) {
    work.exec(std::string(kCreateServiceSchema));
  }
  if (!OperationsExist(work)) work.exec(kCreateOperations);
  if (!AuditExists(work)) work.exec(CreateAuditSql());
  work.commit();
}

}  // namespace migd
