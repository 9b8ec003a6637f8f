#include "service/postgres/postgres_session.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "service/base/errors.h"
#include "service/database/service_sql.h"
#include "service/postgres/status_translation.h"

namespace migd {
namespace {

// Whether the log of applied revisions is there and may be read; a role that only reads may lack
// the privilege, and to_regclass fails then.
constexpr char kRevisionLogIsReadable[] =
    "SELECT coalesce(bool_or(has_schema_privilege(n.oid, 'USAGE') AND "
    "has_table_privilege(c.oid, 'SELECT')), false) FROM pg_class c JOIN pg_namespace n "
    "ON n.oid = c.relnamespace "
    "WHERE n.nspname = 'migration_service' AND c.relname = 'revision_log'";

}  // namespace

PostgresSession::PostgresSession(std::unique_ptr<Connection> connection, std::string database,
                                 VersionTable table)
    : connection_(std::move(connection)),
      database_(std::move(database)),
      table_(std::move(table)),
      runner_(*connection_, database_),
      cancel_(PQgetCancel(connection_->handle())) {
  pqxx::nontransaction work(*connection_);
  work.exec(std::string(kSessionSettings));
  if (!table_.schema.empty()) return;
  // NULL if the search_path names no schema that exists; writing says so.
  table_.schema =
      work.exec1(absl::StrCat("SELECT ", VersionTableSchemaSql(table_)))[0].as<std::string>("");
}

PostgresSession::~PostgresSession() = default;

absl::Status PostgresSession::RunOwn(const std::string& sql) {
  return Translated(database_, [&] {
    pqxx::nontransaction(*connection_).exec(sql);
    return absl::OkStatus();
  });
}

absl::Status PostgresSession::CheckWritable() {
  return Translated(database_, [&]() -> absl::Status {
    pqxx::nontransaction work(*connection_);
    const pqxx::row row = work.exec1(
        "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean");
    return row[0].as<bool>() ? errors::DatabaseReadOnly(database_) : absl::OkStatus();
  });
}

absl::StatusOr<bool> PostgresSession::TryAcquireMutex() {
  return Translated(database_, [&]() -> absl::StatusOr<bool> {
    pqxx::nontransaction work(*connection_);
    return work.exec_params1("SELECT pg_try_advisory_lock($1, $2)", kMutexClass, kMutexObject)[0]
        .as<bool>();
  });
}

absl::StatusOr<bool> PostgresSession::HoldsMutex() {
  return Translated(database_, [&]() -> absl::StatusOr<bool> {
    pqxx::nontransaction work(*connection_);
    return work.exec1(HoldsMutexSql())[0].as<bool>();
  });
}

absl::StatusOr<absl::optional<MutexHolder>> PostgresSession::ReadMutexHolder() {
  return Translated(database_, [&]() -> absl::StatusOr<absl::optional<MutexHolder>> {
    pqxx::nontransaction work(*connection_);
    const pqxx::result found = work.exec_params(
        "SELECT l.pid, coalesce(a.application_name, ''), coalesce(a.usename, ''), "
        "coalesce(host(a.client_addr), '') "
        "FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid "
        "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 "
        "AND l.classid = $1::oid AND l.objid = $2::oid "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        kMutexClass, kMutexObject);
    if (found.empty()) return absl::optional<MutexHolder>();
    const pqxx::row row = found[0];
    return absl::make_optional(MutexHolder{row[0].as<int>(), row[1].as<std::string>(),
                                           row[2].as<std::string>(), row[3].as<std::string>()});
  });
}

absl::StatusOr<VersionRows> PostgresSession::ReadRows() {
  return Translated(database_, [&]() -> absl::StatusOr<VersionRows> {
    pqxx::nontransaction work(*connection_);
    const bool exists = work.exec1(absl::StrCat("SELECT ", RelationSql(table_.schema, table_.name),
                                                " IS NOT NULL"))[0]
                            .as<bool>();
    VersionRows rows;
    if (!exists) return rows;
    for (const pqxx::row row :
         work.exec(absl::StrCat("SELECT version_num FROM ", QualifiedName(table_)))) {
      rows.insert(row[0].as<std::string>());
    }
    return rows;
  });
}

absl::StatusOr<std::map<std::string, absl::Time>> PostgresSession::ReadApplyTimes() {
  return Translated(database_, [&]() -> absl::StatusOr<std::map<std::string, absl::Time>> {
    std::map<std::string, absl::Time> times;
    pqxx::nontransaction work(*connection_);
    if (!work.exec1(kRevisionLogIsReadable)[0].as<bool>()) return times;
    for (const pqxx::row row :
         work.exec_params("SELECT revision, extract(epoch FROM max(finish_time))::double precision "
                          "FROM migration_service.revision_log "
                          "WHERE version_table = $1 AND direction = 'upgrade' GROUP BY revision",
                          absl::StrCat(table_.schema, ".", table_.name))) {
      times[row[0].as<std::string>()] = absl::UnixEpoch() + absl::Seconds(row[1].as<double>());
    }
    return times;
  });
}

absl::Status PostgresSession::PrepareForWriting() {
  if (table_.schema.empty()) {
    return errors::DatabaseUnsuitable(
        database_, "no schema of the search_path exists, so the version table has no place",
        "create the schema, or name one with --version-table-schema");
  }
  return Translated(database_, [&]() -> absl::Status {
    pqxx::nontransaction work(*connection_);
    const pqxx::row exists =
        work.exec1(absl::StrCat("SELECT ", RelationSql(table_.schema, table_.name),
                                " IS NOT NULL, to_regnamespace('migration_service') IS NOT NULL, "
                                "EXISTS (SELECT FROM pg_class WHERE relname = 'revision_log' AND "
                                "relnamespace = to_regnamespace('migration_service'))"));
    std::string sql;
    if (!exists[0].as<bool>()) sql = CreateVersionTableSql(table_);
    // The schema may have been made beforehand, for a role that may not make one.
    if (!exists[1].as<bool>()) absl::StrAppend(&sql, kCreateServiceSchema);
    if (!exists[2].as<bool>()) absl::StrAppend(&sql, kCreateRevisionLog);
    // Several statements sent together are one transaction: all are made, or none.
    if (!sql.empty()) work.exec(sql);
    return absl::OkStatus();
  });
}

absl::Status PostgresSession::SetTimeouts(const Timeouts& timeouts) {
  timeouts_ = timeouts;
  return RunOwn(SetTimeoutsSql(timeouts_));
}

absl::Status PostgresSession::SetLockTimeout(absl::Duration timeout) {
  return RunOwn(SetLockTimeoutSql(timeout));
}

absl::Status PostgresSession::ResetSettings() {
  return RunOwn(ResetSettingsSql(timeouts_.lock_timeout));
}

absl::Status PostgresSession::Begin() { return RunOwn("BEGIN"); }

absl::StatusOr<StatementResult> PostgresSession::Commit() { return runner_.Run("COMMIT"); }

absl::Status PostgresSession::Rollback() { return RunOwn("ROLLBACK"); }

bool PostgresSession::InTransaction() const {
  const PGTransactionStatusType status = PQtransactionStatus(connection_->handle());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

absl::StatusOr<StatementResult> PostgresSession::Execute(const Statement& statement) {
  return runner_.Run(statement.text, statement.copy_data);
}

absl::StatusOr<absl::optional<ObjectState>> PostgresSession::Inspect(const GuardedObject& object) {
  return Translated(database_, [&]() -> absl::StatusOr<absl::optional<ObjectState>> {
    const absl::optional<std::string> query = LookupSql(object);
    if (!query) return absl::optional<ObjectState>();
    pqxx::nontransaction work(*connection_);
    const pqxx::result found = work.exec(*query);
    if (found.empty()) return absl::make_optional(ObjectState::kMissing);
    // An index on a partitioned table (relkind I) may be invalid by design, until every partition
    // has its own.
    const bool invalid = found[0][0].as<std::string>("") == "i" && !found[0][1].as<bool>(true);
    return absl::make_optional(invalid ? ObjectState::kInvalidIndex : ObjectState::kPresent);
  });
}

absl::Status PostgresSession::WriteVersion(const VersionWrite& write, absl::string_view revision) {
  return Translated(database_, [&]() -> absl::Status {
    pqxx::nontransaction work(*connection_);
    const pqxx::result result = work.exec(VersionWriteSql(table_, write));
    if (result.affected_rows() == 1) return absl::OkStatus();
    return errors::VersionRowMismatch(
        revision,
        absl::StrCat(VersionWriteProblem(table_, write), "; ", result.affected_rows(), " found"));
  });
}

absl::Status PostgresSession::AppendLog(const LogEntry& entry) {
  return Translated(database_, [&] {
    pqxx::nontransaction work(*connection_);
    work.exec(
        AppendLogSql(table_, entry,
                     absl::StrFormat("to_timestamp(%.6f)",
                                     absl::ToDoubleSeconds(entry.start_time - absl::UnixEpoch()))));
    return absl::OkStatus();
  });
}

void PostgresSession::SetNoticeHandler(NoticeHandler handler) {
  runner_.SetNoticeHandler(std::move(handler));
}

void PostgresSession::Cancel() {
  // A cancel that does not arrive is repeated by the caller.
  std::array<char, 256> error;
  PQcancel(cancel_.get(), error.data(), static_cast<int>(error.size()));
}

}  // namespace migd
