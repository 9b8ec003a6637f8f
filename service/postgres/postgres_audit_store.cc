#include "service/postgres/postgres_audit_store.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "service/base/proto_time.h"
#include "service/database/audit_chain.h"
#include "service/database/service_sql.h"
#include "service/postgres/audit_sql.h"
#include "service/postgres/service_tables.h"
#include "service/postgres/status_translation.h"

namespace migd {
namespace {

using migration::v1::AuditEntry;

AuditEntry ToEntry(const pqxx::row& row) {
  AuditEntry entry;
  entry.set_number(row[0].as<int64_t>());
  *entry.mutable_time() = ToProtoTimestamp(absl::FromUnixMicros(row[1].as<int64_t>()));
  entry.set_principal(row[2].as<std::string>());
  entry.set_address(row[3].as<std::string>());
  entry.set_rpc(row[4].as<std::string>());
  entry.set_request(row[5].as<std::string>());
  AuditEntry::Outcome outcome = AuditEntry::OUTCOME_UNSPECIFIED;
  AuditEntry::Outcome_Parse(absl::StrCat("OUTCOME_", row[6].as<std::string>()), &outcome);
  entry.set_outcome(outcome);
  entry.set_reason(row[7].as<std::string>());
  entry.set_operation(row[8].as<std::string>());
  entry.set_request_id(row[9].as<std::string>());
  entry.set_trace_id(row[10].as<std::string>());
  entry.set_server(row[11].as<std::string>());
  entry.set_count(row[12].as<int64_t>());
  entry.set_hash(row[13].as<std::string>());
  entry.set_previous_hash(row[14].as<std::string>());
  return entry;
}

}  // namespace

absl::Status PostgresAuditStore::Append(const std::vector<AuditEntry>& entries) {
  return database_.WithReader([&](PostgresSession& session) -> absl::Status {
    const absl::Status writable = session.CheckWritable();
    if (!writable.ok()) return writable;
    return Translated(database_.name(), [&]() -> absl::Status {
      PrepareServiceTables(session);
      pqxx::work work(session.connection());
      work.exec("SET LOCAL synchronous_commit = on");
      for (const AuditEntry& entry : entries) {
        QueryParameters parameters;
        const std::string append = AppendAuditSql(entry, "", parameters);
        Run(session.connection(), work, append, parameters);
      }
      work.commit();
      return absl::OkStatus();
    });
  });
}

absl::StatusOr<std::vector<AuditEntry>> PostgresAuditStore::Read(const std::string& condition) {
  return database_.WithReader([&](PostgresSession& session) {
    return Translated(database_.name(), [&]() -> absl::StatusOr<std::vector<AuditEntry>> {
      pqxx::nontransaction work(session.connection());
      std::vector<AuditEntry> entries;
      if (!AuditExists(work)) return entries;
      for (const pqxx::row row : work.exec(absl::StrCat(
               "SELECT ", kAuditColumns, " FROM migration_service.audit WHERE ", condition))) {
        entries.push_back(ToEntry(row));
      }
      return entries;
    });
  });
}

absl::StatusOr<std::vector<AuditEntry>> PostgresAuditStore::ListNewest(int64_t before_number,
                                                                       absl::string_view principal,
                                                                       int limit) {
  return Read(absl::StrCat(
      "number < ", before_number,
      principal.empty() ? "" : absl::StrCat(" AND principal = ", QuoteLiteral(principal)),
      " ORDER BY number DESC LIMIT ", limit));
}

absl::StatusOr<std::vector<AuditEntry>> PostgresAuditStore::ListOldest(int64_t after_number,
                                                                       int limit) {
  return Read(absl::StrCat("number > ", after_number, " ORDER BY number LIMIT ", limit));
}

}  // namespace migd
