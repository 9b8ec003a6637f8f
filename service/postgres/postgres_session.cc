#include "service/postgres/postgres_session.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/errors.h"
#include "service/postgres/status_translation.h"

namespace migd {
namespace {

// The advisory lock that is the mutex: two numbers of our own, "migd" in ASCII and 1. Advisory
// locks are per database, so every database has its own mutex, whatever its version table.
constexpr int kMutexClass = 0x6d696764;
constexpr int kMutexObject = 1;

// What every session of the service is set to. The splitter of migration files reads quotes as
// standard_conforming_strings=on does. A statement timeout of the database or the role is not meant
// for the service's own queries.
constexpr absl::string_view kSessionSettings =
    "SET statement_timeout = 0; SET standard_conforming_strings = on; SET client_encoding = 'UTF8'";

constexpr absl::string_view kCreateServiceSchema = R"(
CREATE SCHEMA migration_service;
COMMENT ON SCHEMA migration_service IS 'what migd keeps about the migrations of this database';
)";

constexpr absl::string_view kCreateRevisionLog = R"(
CREATE TABLE migration_service.revision_log (
  entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  version_table text NOT NULL,
  revision text NOT NULL,
  direction text NOT NULL CHECK (direction IN ('upgrade', 'downgrade', 'stamp')),
  checksum text,
  operation text NOT NULL,
  applied_by text NOT NULL DEFAULT session_user,
  start_time timestamptz NOT NULL,
  finish_time timestamptz NOT NULL DEFAULT clock_timestamp(),
  resulting_revisions text[] NOT NULL
);
COMMENT ON TABLE migration_service.revision_log IS
  'one row for each revision applied, taken down or stamped; only ever added to';
)";

const char* DirectionName(Step::Direction direction) {
  switch (direction) {
    case Step::Direction::kUpgrade:
      return "upgrade";
    case Step::Direction::kDowngrade:
      return "downgrade";
    case Step::Direction::kStamp:
      return "stamp";
  }
  return "";
}

// SQL that makes the oid of the relation whose schema and name are the given parameters; the
// search_path decides if the schema is empty. NULL if there is none.
std::string RelationByName(const char* schema, const char* name) {
  return absl::StrCat("to_regclass(CASE WHEN ", schema, " = '' THEN quote_ident(", name,
                      ") ELSE quote_ident(", schema, ") || '.' || quote_ident(", name, ") END)");
}

// How to look an object up: $1 schema, $2 name, $3 table's schema, $4 table. The query returns one
// row (relkind, indisvalid) for a relation, one row (NULL, NULL) for any other object, or none.
absl::optional<std::string> LookupQuery(const GuardedObject& object) {
  const bool creates = object.guard == GuardedObject::Guard::kIfNotExists;
  const std::string& kind = object.kind;
  const std::string table = RelationByName("$3", "$4");
  const auto other = [](absl::string_view from, absl::string_view where) {
    return absl::StrCat("SELECT NULL, NULL FROM ", from, " WHERE ", where,
                        // Every parameter must be used for its type to be known.
                        " AND ($1 || $2 || $3 || $4) IS NOT NULL");
  };
  if (kind == "table" || kind == "view" || kind == "materialized view" || kind == "index" ||
      kind == "sequence" || kind == "foreign table") {
    // What is created goes to the named schema, an index to that of its table, everything else to
    // the first schema of the search_path; only there its name is looked for. What is dropped is
    // looked for along the search_path.
    const std::string created_in =
        kind == "index"
            ? absl::StrCat("(SELECT relnamespace FROM pg_class WHERE oid = ", table, ")")
            : "(SELECT oid FROM pg_namespace WHERE nspname = coalesce(nullif($1, ''), "
              "current_schema()))";
    return absl::StrCat(
        "SELECT c.relkind::text, i.indisvalid FROM pg_class c "
        "LEFT JOIN pg_index i ON i.indexrelid = c.oid WHERE ",
        creates ? absl::StrCat("c.relname = $2 AND c.relnamespace = ", created_in)
                : absl::StrCat("c.oid = ", RelationByName("$1", "$2")),
        " AND ($1 || $2 || $3 || $4) IS NOT NULL");
  }
  if (kind == "column") {
    return other("pg_attribute",
                 absl::StrCat("attrelid = ", table, " AND attname = $2 AND NOT attisdropped"));
  }
  if (kind == "constraint") {
    return other("pg_constraint", absl::StrCat("conrelid = ", table, " AND conname = $2"));
  }
  if (kind == "trigger") {
    return other("pg_trigger", absl::StrCat("tgrelid = ", table, " AND tgname = $2"));
  }
  if (kind == "schema") return other("pg_namespace", "nspname = $2");
  if (kind == "extension") return other("pg_extension", "extname = $2");
  if (kind == "type" || kind == "domain") {
    return other("pg_type",
                 "oid = to_regtype(CASE WHEN $1 = '' THEN quote_ident($2) ELSE quote_ident($1) || "
                 "'.' || quote_ident($2) END)");
  }
  return absl::nullopt;
}

std::string SetTimeout(absl::string_view setting, absl::Duration timeout) {
  return absl::StrCat("SET ", setting, " = ", absl::ToInt64Milliseconds(timeout));
}

std::string SetTimeoutsSql(const Timeouts& timeouts) {
  return absl::StrCat(SetTimeout("lock_timeout", timeouts.lock_timeout), "; ",
                      SetTimeout("statement_timeout", timeouts.statement_timeout));
}

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
  const pqxx::row found = work.exec_params1(
      "SELECT coalesce((SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = "
      "c.relnamespace WHERE c.oid = to_regclass(quote_ident($1))), current_schema())",
      table_.name);
  table_.schema = found[0].as<std::string>("");
}

PostgresSession::~PostgresSession() = default;

absl::Status PostgresSession::RunOwn(const std::string& sql) {
  return Translated(database_, [&] {
    pqxx::nontransaction(*connection_).exec(sql);
    return absl::OkStatus();
  });
}

std::string PostgresSession::QualifiedVersionTable() const {
  return absl::StrCat(connection_->quote_name(table_.schema), ".",
                      connection_->quote_name(table_.name));
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
    return work
        .exec_params1(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted "
            "AND objsubid = 2 AND classid = $1::oid AND objid = $2::oid AND pid = "
            "pg_backend_pid())",
            kMutexClass, kMutexObject)[0]
        .as<bool>();
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
    const bool exists =
        work.exec_params1(absl::StrCat("SELECT ", RelationByName("$1", "$2"), " IS NOT NULL"),
                          table_.schema, table_.name)[0]
            .as<bool>();
    VersionRows rows;
    if (!exists) return rows;
    for (const pqxx::row row :
         work.exec(absl::StrCat("SELECT version_num FROM ", QualifiedVersionTable()))) {
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
    const pqxx::row exists = work.exec_params1(
        absl::StrCat("SELECT ", RelationByName("$1", "$2"),
                     " IS NOT NULL, to_regnamespace('migration_service') IS NOT NULL, "
                     "EXISTS (SELECT FROM pg_class WHERE relname = 'revision_log' AND "
                     "relnamespace = to_regnamespace('migration_service'))"),
        table_.schema, table_.name);
    std::string sql;
    if (!exists[0].as<bool>()) {
      absl::StrAppend(&sql, "CREATE TABLE ", QualifiedVersionTable(),
                      " (version_num varchar(32) NOT NULL, CONSTRAINT ",
                      connection_->quote_name(absl::StrCat(table_.name, "_pkc")),
                      " PRIMARY KEY (version_num));");
    }
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
  return RunOwn(SetTimeout("lock_timeout", timeout));
}

absl::Status PostgresSession::ResetSettings() {
  return RunOwn(absl::StrCat("RESET SESSION AUTHORIZATION; RESET ALL; ", kSessionSettings, "; ",
                             SetTimeoutsSql({timeouts_.lock_timeout, absl::ZeroDuration()})));
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
    const absl::optional<std::string> query = LookupQuery(object);
    if (!query) return absl::optional<ObjectState>();
    pqxx::nontransaction work(*connection_);
    const pqxx::result found =
        work.exec_params(*query, object.schema, object.name, object.table_schema, object.table);
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
    const std::string table = QualifiedVersionTable();
    pqxx::result result;
    std::string doing;
    switch (write.kind) {
      case VersionWrite::Kind::kInsert:
        doing = absl::StrCat("inserting '", write.to, "' into '", table_.name, "'");
        result = work.exec_params(absl::StrCat("INSERT INTO ", table,
                                               " (version_num) VALUES ($1) ON CONFLICT DO NOTHING"),
                                  write.to);
        break;
      case VersionWrite::Kind::kDelete:
        doing = absl::StrCat("deleting '", write.from, "' from '", table_.name, "'");
        result = work.exec_params(absl::StrCat("DELETE FROM ", table, " WHERE version_num = $1"),
                                  write.from);
        break;
      case VersionWrite::Kind::kUpdate:
        doing =
            absl::StrCat("updating '", write.from, "' to '", write.to, "' in '", table_.name, "'");
        result = work.exec_params(
            absl::StrCat("UPDATE ", table, " SET version_num = $1 WHERE version_num = $2"),
            write.to, write.from);
        break;
    }
    if (result.affected_rows() == 1) return absl::OkStatus();
    // Alembic's own words for it, so that they are found.
    return errors::VersionRowMismatch(revision,
                                      absl::StrCat("expected to match one row when ", doing, "; ",
                                                   result.affected_rows(), " found"));
  });
}

absl::Status PostgresSession::AppendLog(const LogEntry& entry) {
  return Translated(database_, [&] {
    pqxx::nontransaction work(*connection_);
    work.exec_params(
        "INSERT INTO migration_service.revision_log "
        "(version_table, revision, direction, checksum, operation, start_time, "
        "resulting_revisions) VALUES "
        // Ids have no commas.
        "($1, $2, $3, nullif($4, ''), $5, to_timestamp($6), string_to_array($7, ','))",
        absl::StrCat(table_.schema, ".", table_.name), entry.revision,
        DirectionName(entry.direction), entry.checksum, entry.operation,
        absl::ToDoubleSeconds(entry.start_time - absl::UnixEpoch()),
        absl::StrJoin(entry.resulting_rows, ","));
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
