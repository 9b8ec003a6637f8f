#include "service/postgres/audit_sql.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "service/database/audit_chain.h"
#include "service/database/service_sql.h"

namespace migd {
namespace {

// One that keeps two entries from following on the same one; see kMutexClass.
constexpr int kAuditObject = 3;

// The table. The hash is that of HashOf() in audit_chain.h. Both triggers read nothing that the
// search_path of a session could replace. The one that chains runs with the rights of the table's
// owner, so that INSERT is all that a role needs to be audited.
constexpr absl::string_view kTable = R"(
CREATE TABLE migration_service.audit (
  number bigint PRIMARY KEY,
  time timestamptz NOT NULL,
  principal text NOT NULL,
  address text NOT NULL,
  rpc text NOT NULL,
  request text NOT NULL,
  outcome text NOT NULL
    CHECK (outcome IN ('ACCEPTED', 'REFUSED', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
  reason text NOT NULL,
  operation text NOT NULL,
  request_id text NOT NULL,
  trace_id text NOT NULL,
  server text NOT NULL,
  calls bigint NOT NULL,
  hash text NOT NULL,
  previous_hash text NOT NULL
);
COMMENT ON TABLE migration_service.audit IS
  'who had migrations run, and who was refused; only ever added to, see migctl audit verify';
)";

constexpr absl::string_view kTriggers = R"(
CREATE TRIGGER chain_audit BEFORE INSERT ON migration_service.audit
  FOR EACH ROW EXECUTE FUNCTION migration_service.chain_audit();
CREATE FUNCTION migration_service.keep_audit() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'migration_service.audit is only ever added to'
    USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER keep_audit BEFORE UPDATE OR DELETE OR TRUNCATE ON migration_service.audit
  FOR EACH STATEMENT EXECUTE FUNCTION migration_service.keep_audit();
REVOKE ALL ON migration_service.audit FROM PUBLIC;
REVOKE ALL ON migration_service.audit FROM CURRENT_USER;
GRANT SELECT, INSERT ON migration_service.audit TO CURRENT_USER;
)";

std::string ChainFunctionSql() {
  return absl::StrCat(R"(
CREATE FUNCTION migration_service.chain_audit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  newest record;
BEGIN
  PERFORM pg_advisory_xact_lock()",
                      kMutexClass, ", ", kAuditObject, R"();
  SELECT a.number, a.hash INTO newest
    FROM migration_service.audit AS a ORDER BY a.number DESC LIMIT 1;
  NEW.number := coalesce(newest.number, 0) + 1;
  NEW.time := clock_timestamp();
  NEW.previous_hash := coalesce(newest.hash, '');
  NEW.hash := encode(sha256(convert_to((
    SELECT string_agg(octet_length(convert_to(field, 'UTF8')) || ':' || field || ',', ''
                      ORDER BY place)
    FROM unnest(ARRAY[
      NEW.previous_hash, NEW.number::text,
      (extract(epoch FROM NEW.time) * 1000000)::bigint::text,
      NEW.principal, NEW.address, NEW.rpc, NEW.request, NEW.outcome, NEW.reason, NEW.operation,
      NEW.request_id, NEW.trace_id, NEW.server, NEW.calls::text
    ]) WITH ORDINALITY AS fields (field, place)), 'UTF8')), 'hex');
  RETURN NEW;
END
$$;
)");
}

}  // namespace

const absl::string_view kAuditExists =
    "SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'audit' AND relnamespace = "
    "(SELECT oid FROM pg_namespace WHERE nspname = 'migration_service'))";

const absl::string_view kAuditColumns =
    "number, (extract(epoch FROM time) * 1000000)::bigint, principal, address, rpc, request, "
    "outcome, reason, operation, request_id, trace_id, server, calls, hash, previous_hash";

const absl::string_view kRehearseAuditSql =
    "BEGIN; INSERT INTO migration_service.audit (principal, address, rpc, request, outcome, "
    "reason, operation, request_id, trace_id, server, calls) "
    "VALUES ('', '', '', '', 'SUCCEEDED', '', '', '', '', '', 1); ROLLBACK";

std::string CreateAuditSql() { return absl::StrCat(kTable, ChainFunctionSql(), kTriggers); }

std::string AppendAuditSql(const migration::v1::AuditEntry& entry, absl::string_view from,
                           QueryParameters& parameters) {
  const migration::v1::AuditEntry stored = Storable(entry);
  const std::string outcome = migration::v1::AuditEntry::Outcome_Name(stored.outcome());
  std::vector<std::string> values;
  for (const absl::string_view text :
       {absl::string_view(stored.principal()), absl::string_view(stored.address()),
        absl::string_view(stored.rpc()), absl::string_view(stored.request()),
        absl::StripPrefix(outcome, "OUTCOME_"), absl::string_view(stored.reason()),
        absl::string_view(stored.operation()), absl::string_view(stored.request_id()),
        absl::string_view(stored.trace_id()), absl::string_view(stored.server())}) {
    values.push_back(parameters.Text(text));
  }
  values.push_back(parameters.Integer(stored.count()));
  return absl::StrCat(
      "INSERT INTO migration_service.audit (principal, address, rpc, request, outcome, reason, "
      "operation, request_id, trace_id, server, calls) SELECT ",
      absl::StrJoin(values, ", "), from.empty() ? "" : " ", from);
}

}  // namespace migd
