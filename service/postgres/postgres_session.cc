#include "service/postgres/postgres_session.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/base/utf8.h"
#include "service/database/service_sql.h"
#include "service/postgres/index_builds.h"
#include "service/postgres/part_queries.h"
#include "service/postgres/privileges.h"
#include "service/postgres/relation_use.h"
#include "service/postgres/service_tables.h"
#include "service/postgres/statement_progress.h"
#include "service/postgres/status_translation.h"
#include "service/script/literals.h"

namespace migd {
namespace {

// Whether a table of the service is there and may be read; a role that only reads may lack the
// privilege, and to_regclass fails then.
bool IsReadable(pqxx::transaction_base& work, const char* table) {
  return work
      .exec_params1(
          "SELECT coalesce(bool_or(has_schema_privilege(n.oid, 'USAGE') AND "
          "has_table_privilege(c.oid, 'SELECT')), false) FROM pg_class c JOIN pg_namespace n "
          "ON n.oid = c.relnamespace WHERE n.nspname = 'migration_service' AND c.relname = $1",
          table)[0]
      .as<bool>();
}

// The prepared statement of ReadDatedRows.
constexpr char kDatedRows[] = "migd_dated_rows";

// Of the transaction that it is in.
constexpr char kDoNotAwaitDisk[] =
    "SELECT pg_catalog.set_config('synchronous_commit', 'off', true)";

// Of a blocker's query, so much is shown.
constexpr size_t kLongestQuery = 200;

// What session $1 waits for, and a row for each session in its way. A pid of 0 stands for a
// prepared transaction. What the role may not see of other sessions is empty.
constexpr char kLockState[] = R"(
SELECT coalesce(CASE WHEN wanted.relation IS NOT NULL
                      AND wanted.database = (SELECT oid FROM pg_database
                                             WHERE datname = current_database())
                     THEN wanted.relation::regclass::text END, wanted.locktype) AS relation,
       wanted.mode,
       blocker.pid,
       coalesce(activity.usename::text, '') AS user,
       coalesce(activity.application_name, '') AS application,
       coalesce(host(activity.client_addr), '') AS address,
       coalesce(activity.state, '') AS state,
       coalesce(extract(epoch FROM clock_timestamp() - activity.xact_start), 0)::double precision
         AS transaction_age,
       coalesce(activity.query, '') AS query,
       EXISTS (SELECT FROM pg_locks AS held
               WHERE held.pid = blocker.pid AND held.granted
                 AND held.locktype = wanted.locktype
                 AND (held.database, held.relation, held.page, held.tuple, held.virtualxid,
                      held.transactionid, held.classid, held.objid, held.objsubid)
                     IS NOT DISTINCT FROM
                     (wanted.database, wanted.relation, wanted.page, wanted.tuple,
                      wanted.virtualxid, wanted.transactionid, wanted.classid, wanted.objid,
                      wanted.objsubid)) AS holds_lock
FROM (SELECT DISTINCT pid FROM unnest(pg_blocking_pids($1::integer)) AS pid) AS blocker
JOIN pg_locks AS wanted ON wanted.pid = $1::integer AND NOT wanted.granted
LEFT JOIN pg_stat_activity AS activity ON activity.pid = blocker.pid
ORDER BY blocker.pid)";

// Longer than a request takes that arrives, and short enough for who waits behind it.
constexpr absl::Duration kCancelPatience = absl::Seconds(1);

// A setting that lets the server notice that this process is lost.
struct Safeguard {
  int since_version;
  Setting setting;
};

constexpr std::array<Safeguard, 6> kSafeguards = {{
    // A host that is gone, with the network between: noticed within a minute, as on our side.
    {0, {"tcp_keepalives_idle", "30"}},
    {0, {"tcp_keepalives_interval", "10"}},
    {0, {"tcp_keepalives_count", "3"}},
    {120000, {"tcp_user_timeout", "60s"}},
    // A process that is frozen and holds locks. Between two statements it works for milliseconds; a
    // minute lets a virtual machine be moved meanwhile. Not in the midst of a section that is too
    // long to be on its way as a whole: the server takes its client for one that is still sending.
    {0, {"idle_in_transaction_session_timeout", "1min"}},
    // A process that is frozen and holds the mutex alone. Outside of transactions it pauses for
    // quarters of a minute, and reads and plans a large directory for some seconds.
    {140000, {"idle_session_timeout", "5min"}},
}};

// A process that ended while a statement runs: the server looks for the end of the connection so
// often. Not on every system that PostgreSQL runs on.
constexpr Safeguard kClientCheck = {140000, {"client_connection_check_interval", "5s"}};

constexpr char kIsReadOnly[] =
    "(pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean)";

// What trying the mutex came to, if not that somebody else has it.
constexpr char kAcquired[] = "acquired";
constexpr char kReadOnly[] = "read-only";

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresSession>> PostgresSession::Open(
    std::unique_ptr<Connection> connection, std::string database, VersionTable table) {
  pqxx::row whoami;
  {
    pqxx::nontransaction work(*connection);
    whoami = work.exec1("SELECT session_user, pg_backend_pid()");
  }
  // A pooler tells a process id of its own. What is set through it goes to whoever gets the server
  // process next, so this comes before the first SET.
  if (whoami[1].as<int>() != PQbackendPID(connection->handle())) {
    return errors::PooledConnection(database);
  }
  return absl::WrapUnique(new PostgresSession(std::move(connection), std::move(database),
                                              std::move(table), whoami[0].as<std::string>()));
}

PostgresSession::PostgresSession(std::unique_ptr<Connection> connection, std::string database,
                                 VersionTable table, std::string login)
    : connection_(std::move(connection)),
      database_(std::move(database)),
      table_(std::move(table)),
      login_(std::move(login)),
      runner_(*connection_, database_),
      cancel_(connection_->handle()) {
  pqxx::nontransaction work(*connection_);
  work.exec(SetSql(kSessionSettings));
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

absl::Status PostgresSession::RunAsLogin(const std::string& sql) {
  return RunOwn(AsLoginSql(login_, sql));
}

JournalEntry PostgresSession::Sendable(JournalEntry entry) const {
  const char* encoding = PQparameterStatus(connection_->handle(), "client_encoding");
  if (encoding != nullptr && absl::string_view(encoding) == "UTF8") return entry;
  std::replace_if(
      entry.summary.begin(), entry.summary.end(),
      [](char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; }, '?');
  return entry;
}

absl::Status PostgresSession::CheckWritable() {
  return Translated(database_, [&]() -> absl::Status {
    pqxx::nontransaction work(*connection_);
    const pqxx::row row = work.exec1(absl::StrCat("SELECT ", kIsReadOnly));
    return row[0].as<bool>() ? errors::DatabaseReadOnly(database_) : absl::OkStatus();
  });
}

std::string PostgresSession::TryMutexSql() const {
  const std::string lock =
      absl::StrCat("pg_try_advisory_lock(", kMutexClass, ", ", kMutexObject, ")");
  const std::string name =
      new_name_.empty() ? "" : absl::StrCat(SetSql({{"application_name", new_name_}}), "; ");
  // Twice, so that giving one back tells whether it was held, without letting go: see PutBackSql.
  return absl::StrCat(name, "SELECT set_config('migd.mutex', CASE WHEN ", kIsReadOnly, " THEN '",
                      kReadOnly, "' WHEN ", lock, " AND ", lock, " THEN '", kAcquired,
                      "' ELSE '' END, false)");
}

absl::StatusOr<bool> PostgresSession::IsMutexMine(absl::string_view outcome) {
  if (outcome == kReadOnly) return errors::DatabaseReadOnly(database_);
  new_name_.clear();
  return outcome == kAcquired;
}

absl::StatusOr<bool> PostgresSession::TryAcquireMutex() {
  rows_under_mutex_.reset();
  if (has_version_table_) {
    try {
      return TryAcquireMutexAndReadRows();
    } catch (const pqxx::pqxx_exception&) {
      // As in ReadRows.
      has_version_table_ = false;
      if (InTransaction()) Rollback().IgnoreError();
    }
  }
  return Translated(database_, [&]() -> absl::StatusOr<bool> {
    pqxx::nontransaction work(*connection_);
    return IsMutexMine(work.exec1(TryMutexSql())[0].as<std::string>());
  });
}

absl::StatusOr<bool> PostgresSession::TryAcquireMutexAndReadRows() {
  pqxx::nontransaction work(*connection_);
  // Of one message; but the rows are those that are there behind the lock, whatever the isolation.
  const pqxx::result found = work.exec(absl::StrCat(
      "BEGIN; ", TryMutexSql(), "; COMMIT; SELECT current_setting('migd.mutex'), is_row, ",
      "version_num FROM (SELECT) AS one LEFT JOIN (SELECT true AS is_row, version_num "
      "FROM ",
      QualifiedName(table_), ") AS version ON true"));
  const auto acquired = IsMutexMine(found[0][0].as<std::string>());
  if (!acquired.ok() || !*acquired) return acquired;
  VersionRows rows;
  for (const pqxx::row row : found) {
    if (!row[1].is_null()) rows.insert(row[2].as<std::string>());
  }
  rows_under_mutex_ = std::move(rows);
  return true;
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
  if (rows_under_mutex_) return *std::exchange(rows_under_mutex_, absl::nullopt);
  if (has_version_table_) {
    try {
      return SelectRows();
    } catch (const pqxx::pqxx_exception&) {
      // It is gone, or may not be read any more. What else may be the matter is told by what
      // follows.
      has_version_table_ = false;
    }
  }
  return Translated(database_, [&]() -> absl::StatusOr<VersionRows> {
    {
      pqxx::nontransaction work(*connection_);
      has_version_table_ = work.exec1(absl::StrCat(
          "SELECT ", RelationSql(table_.schema, table_.name), " IS NOT NULL"))[0]
                               .as<bool>();
    }
    return has_version_table_ ? SelectRows() : VersionRows();
  });
}

VersionRows PostgresSession::SelectRows() {
  pqxx::nontransaction work(*connection_);
  VersionRows rows;
  for (const pqxx::row row :
       work.exec(absl::StrCat("SELECT version_num FROM ", QualifiedName(table_)))) {
    rows.insert(row[0].as<std::string>());
  }
  return rows;
}

absl::StatusOr<std::map<std::string, absl::Time>> PostgresSession::ReadApplyTimes() {
  return Translated(database_, [&]() -> absl::StatusOr<std::map<std::string, absl::Time>> {
    std::map<std::string, absl::Time> times;
    pqxx::nontransaction work(*connection_);
    if (!IsReadable(work, "revision_log")) return times;
    for (const pqxx::row row :
         work.exec_params("SELECT revision, extract(epoch FROM max(finish_time))::double precision "
                          "FROM migration_service.revision_log "
                          "WHERE version_table = $1 AND direction = 'upgrade' AND decision IS NULL "
                          "GROUP BY revision",
                          absl::StrCat(table_.schema, ".", table_.name))) {
      times[row[0].as<std::string>()] = absl::UnixEpoch() + absl::Seconds(row[1].as<double>());
    }
    return times;
  });
}

absl::StatusOr<DatedRows> PostgresSession::ReadDatedRows() {
  if (has_log_) {
    try {
      return SelectDatedRows();
    } catch (const pqxx::pqxx_exception&) {
      // A table is gone, or may not be read any more. What else may be the matter is told by what
      // follows.
      has_log_ = false;
    }
  }
  return Translated(database_, [&]() -> absl::StatusOr<DatedRows> {
    {
      pqxx::nontransaction work(*connection_);
      has_log_ = IsReadable(work, "revision_log") &&
                 work.exec1(absl::StrCat("SELECT ", RelationSql(table_.schema, table_.name),
                                         " IS NOT NULL"))[0]
                     .as<bool>();
    }
    if (!has_log_) {
      auto rows = ReadRows();
      if (!rows.ok()) return rows.status();
      return DatedRows{*std::move(rows), {}};
    }
    // Prepared for good: a table that takes the place of another is found by its name again.
    connection_->prepare(kDatedRows, DatedRowsSql(table_));
    return SelectDatedRows();
  });
}

DatedRows PostgresSession::SelectDatedRows() {
  pqxx::nontransaction work(*connection_);
  DatedRows dated;
  for (const pqxx::row row : work.exec_prepared(kDatedRows)) {
    const std::string revision = row[0].as<std::string>();
    dated.rows.insert(revision);
    if (!row[1].is_null()) {
      dated.apply_times[revision] = absl::UnixEpoch() + absl::Seconds(row[1].as<double>());
    }
  }
  return dated;
}

absl::StatusOr<std::map<std::string, std::string>> PostgresSession::ReadChecksums() {
  return Translated(database_, [&]() -> absl::StatusOr<std::map<std::string, std::string>> {
    std::map<std::string, std::string> checksums;
    pqxx::nontransaction work(*connection_);
    if (!IsReadable(work, "revision_log")) return checksums;
    for (const pqxx::row row : work.exec(ReadChecksumsSql(table_))) {
      checksums[row[0].as<std::string>()] = row[1].as<std::string>();
    }
    return checksums;
  });
}

absl::StatusOr<LockState> PostgresSession::ReadLockState(int pid) {
  return Translated(database_, [&]() -> absl::StatusOr<LockState> {
    pqxx::nontransaction work(*connection_);
    LockState state;
    for (const pqxx::row row : work.exec_params(kLockState, pid)) {
      state.relation = row["relation"].as<std::string>();
      state.mode = row["mode"].as<std::string>();
      migration::v1::Blocker& blocker = state.blockers.emplace_back();
      blocker.set_pid(row["pid"].as<int>());
      blocker.set_user(row["user"].as<std::string>());
      blocker.set_application(row["application"].as<std::string>());
      blocker.set_address(row["address"].as<std::string>());
      blocker.set_state(row["state"].as<std::string>());
      *blocker.mutable_transaction_age() =
          ToProtoDuration(absl::Seconds(row["transaction_age"].as<double>()));
      blocker.set_query(
          Shortened(ToValidUtf8(WithoutLiterals(row["query"].as<std::string>())), kLongestQuery));
      blocker.set_holds_lock(row["holds_lock"].as<bool>());
    }
    return state;
  });
}

absl::StatusOr<absl::optional<migration::v1::StatementProgress>> PostgresSession::ReadProgress(
    int pid) {
  return Translated(database_,
                    [&]() -> absl::StatusOr<absl::optional<migration::v1::StatementProgress>> {
                      return FindProgress(*connection_, pid);
                    });
}

absl::StatusOr<int> PostgresSession::CountBlockedSessions() {
  return Translated(database_, [&]() -> absl::StatusOr<int> {
    pqxx::nontransaction work(*connection_);
    // The names that OpenSession gives; those of readers have no space.
    return work
        .exec1(
            "SELECT count(*) FROM pg_stat_activity AS waiting "
            "WHERE waiting.wait_event_type = 'Lock' AND waiting.datname = current_database() "
            "AND waiting.application_name NOT LIKE 'migd %' AND EXISTS ("
            "SELECT FROM pg_stat_activity AS operation "
            "WHERE operation.pid = ANY (pg_blocking_pids(waiting.pid)) "
            "AND operation.application_name LIKE 'migd %')")[0]
        .as<int>();
  });
}

absl::StatusOr<bool> PostgresSession::TerminateSession(int pid) {
  return Translated(database_, [&]() -> absl::StatusOr<bool> {
    pqxx::nontransaction work(*connection_);
    const pqxx::result terminated = work.exec_params(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid = $1 AND datname = current_database()",
        pid);
    return !terminated.empty() && terminated[0][0].as<bool>();
  });
}

absl::Status PostgresSession::PrepareForWriting() {
  if (table_.schema.empty()) {
    return errors::DatabaseUnsuitable(
        database_,
        "the role has no schema of the search_path to use, so the version table has no place",
        "create the schema, GRANT USAGE on it, or name another with --version-table-schema");
  }
  const bool is_prepared = std::exchange(is_prepared_, false);
  const absl::Status prepared = is_prepared ? absl::OkStatus() : PrepareServiceSchema();
  if (!prepared.ok()) return prepared;
  return Translated(database_, [&]() -> absl::Status {
    pqxx::nontransaction work(*connection_);
    const pqxx::row exists = work.exec1(
        absl::StrCat("SELECT ", RelationSql(table_.schema, table_.name), " IS NOT NULL"));
    if (!exists[0].as<bool>()) work.exec(CreateVersionTableSql(table_));
    return absl::OkStatus();
  });
}

absl::Status PostgresSession::PrepareServiceSchema() {
  return Translated(database_, [&]() -> absl::Status {
    const absl::Status allowed = CheckPrivileges(*connection_, database_, table_);
    if (!allowed.ok()) return allowed;
    PrepareStepTables(*this);
    return absl::OkStatus();
  });
}

void PostgresSession::PrepareAhead() {
  // First what the reader that stores the operation waits for, having made the other tables.
  Translated(database_, [&]() -> absl::Status {
    PrepareAudit(*this);
    return absl::OkStatus();
  }).IgnoreError();
  is_prepared_ = PrepareServiceSchema().ok();
}

absl::Status PostgresSession::Guard() {
  const int version = connection_->server_version();
  for (const Safeguard& safeguard : kSafeguards) {
    if (version >= safeguard.since_version) settings_.push_back(safeguard.setting);
  }
  const absl::Status status = RunOwn(SetSql(settings_));
  if (!status.ok() || version < kClientCheck.since_version) return status;
  const auto checks = runner_.Run(SetSql({kClientCheck.setting}));
  if (!checks.ok()) return checks.status();
  if (!checks->error) settings_.push_back(kClientCheck.setting);
  return absl::OkStatus();
}

bool PostgresSession::IsQuiet() const {
  // Of a connection that is known to be lost there is no socket left to look at.
  if (PQstatus(connection_->handle()) != CONNECTION_OK) return false;
  pollfd socket = {PQsocket(connection_->handle()), POLLIN, 0};
  return ::poll(&socket, 1, 0) == 0;
}

absl::Status PostgresSession::Refresh() {
  is_prepared_ = false;
  // Without a space it is not the name of one that an operation has.
  return RunOwn(
      absl::StrCat("SELECT pg_advisory_unlock_all(); ", SetSql({{"application_name", "migd"}})));
}

absl::Status PostgresSession::SetTimeouts(const Timeouts& timeouts) {
  timeouts_ = timeouts;
  if (timeouts_in_force_ == timeouts_) return absl::OkStatus();
  timeouts_in_force_.reset();
  const absl::Status status = RunOwn(SetTimeoutsSql(timeouts_));
  if (status.ok() && !InTransaction()) timeouts_in_force_ = timeouts_;
  return status;
}

std::vector<OwnQuery> PostgresSession::BeginningOf(
    const StepPart& part, const absl::optional<Timeouts>& timeouts_in_force) {
  std::vector<OwnQuery> queries;
  if (part.on_commit) {
    queries.push_back({CommitQuery(0)});
    queries.push_back({CommitQuery(1), part.on_commit});
  }
  if (!part.begin) return queries;
  timeouts_ = *part.begin;
  queries.push_back({{"BEGIN"}});
  if (timeouts_in_force == timeouts_) return queries;
  // Not by set_config(): SET TRANSACTION comes before any query.
  queries.push_back({{SetLockTimeoutSql(timeouts_.lock_timeout)}});
  queries.push_back({{SetStatementTimeoutSql(timeouts_.statement_timeout)}});
  return queries;
}

std::unique_ptr<PartQueries> PostgresSession::QueriesOf(
    const StepPart& part, const absl::optional<Timeouts>& timeouts_in_force) {
  std::vector<OwnQuery> before = BeginningOf(part, timeouts_in_force);
  std::vector<OwnQuery> after;
  if (part.end) after = step_end_.Queries(table_, settings_, timeouts_.lock_timeout, *part.end);
  return std::make_unique<PartQueries>(part, std::move(before), std::move(after));
}

StatementRunner::Batch PostgresSession::BehindStep(const StepPart& part) {
  const StepPart* next = part.next ? part.next() : nullptr;
  if (next != nullptr) {
    queries_ahead_ = QueriesOf(*next, TimeoutsBehindStep());
    // What is being prepared by `part` would be prepared again.
    if (!queries_ahead_->PreparesAny()) return queries_ahead_->batch();
    queries_ahead_.reset();
  }
  return {kCommitQueries, CommitQuery, /*has_more=*/true};
}

absl::Status PostgresSession::RunPart(const StepPart& part, const StatementHandler& on_statement) {
  const std::unique_ptr<PartQueries> queries =
      queries_ahead_ != nullptr ? std::move(queries_ahead_) : QueriesOf(part, timeouts_in_force_);
  timeouts_in_force_.reset();
  absl::optional<StatementRunner::SentAhead> ahead;
  if (part.is_committed && queries->last_statement()) {
    ahead =
        StatementRunner::SentAhead{*queries->last_statement(), [&] { return BehindStep(part); }};
  }
  const absl::Status status = runner_.RunTogether(
      queries->batch(),
      [&](size_t i, const StatementRunner::QueryResult& result) {
        return queries->Take(i, result, on_statement, database_);
      },
      ahead);
  if (!runner_.HasSentAhead()) queries_ahead_.reset();
  if (status.ok() && part.end) timeouts_in_force_ = TimeoutsBehindStep();
  return status;
}

absl::Status PostgresSession::SetLockTimeout(absl::Duration timeout) {
  timeouts_in_force_.reset();
  return RunOwn(SetLockTimeoutSql(timeout));
}

absl::Status PostgresSession::ResetSettings() {
  timeouts_in_force_.reset();
  // In one message with the others: it costs no round trip.
  return RunOwn(absl::StrCat(absl::StrJoin(kResetStatements, "; "), "; ", SetSql(settings_), "; ",
                             SetLockTimeoutSql(timeouts_.lock_timeout)));
}

absl::Status PostgresSession::Begin() { return RunOwn("BEGIN"); }

absl::StatusOr<StatementResult> PostgresSession::Commit() {
  if (!runner_.HasSentAhead()) return runner_.Run("COMMIT");
  StatementResult committed;
  const absl::Status status = runner_.RunTogether(
      {kCommitQueries, CommitQuery}, [&](size_t, const StatementRunner::QueryResult& result) {
        committed = result;
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  // A request to cancel may have met what stands before the COMMIT.
  if (committed.error && InTransaction()) {
    const absl::Status rolled_back = Rollback();
    if (!rolled_back.ok()) return rolled_back;
  }
  return committed;
}

absl::Status PostgresSession::Rollback() {
  timeouts_in_force_.reset();
  return RunOwn("ROLLBACK");
}

bool PostgresSession::InTransaction() const {
  if (runner_.HasSentAhead()) return true;
  const PGTransactionStatusType status = PQtransactionStatus(connection_->handle());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

absl::StatusOr<StatementResult> PostgresSession::Execute(const Statement& statement) {
  timeouts_in_force_.reset();
  auto result = runner_.Run(statement.text, statement.copy_data);
  if (result.ok()) step_end_.Note(*result);
  return result;
}

absl::StatusOr<absl::optional<ObjectState>> PostgresSession::Inspect(const GuardedObject& object) {
  return Translated(database_, [&]() -> absl::StatusOr<absl::optional<ObjectState>> {
    const absl::optional<std::string> query = LookupSql(object);
    if (!query) return absl::optional<ObjectState>();
    pqxx::nontransaction work(*connection_);
    const pqxx::result found = work.exec(*query);
    std::vector<absl::optional<std::string>> row;
    if (!found.empty()) {
      for (const pqxx::field field : found[0]) {
        row.push_back(field.is_null() ? absl::nullopt
                                      : absl::make_optional<std::string>(field.c_str()));
      }
    }
    return absl::make_optional(StateOf(row));
  });
}

absl::Status PostgresSession::WriteVersion(const VersionWrite& write, absl::string_view revision) {
  return Translated(database_, [&]() -> absl::Status {
    pqxx::nontransaction work(*connection_);
    const pqxx::result result = work.exec(VersionWriteSql(table_, write));
    return CheckWritten(table_, write, revision, static_cast<int64_t>(result.affected_rows()));
  });
}

absl::Status PostgresSession::AppendLog(const LogEntry& entry) {
  return Translated(database_, [&] {
    pqxx::nontransaction work(*connection_);
    const std::string start_time =
        entry.start_time ? absl::StrCat("to_timestamp(", EpochSeconds(*entry.start_time), ")")
                         : "now()";
    work.exec(AppendLogSql(table_, LiteralsOf(entry, start_time)));
    return absl::OkStatus();
  });
}

absl::Status PostgresSession::AcceptChecksum(const ChecksumAcceptance& acceptance) {
  return Translated(database_, [&] {
    pqxx::nontransaction work(*connection_);
    work.exec(AcceptChecksumSql(table_, acceptance));
    return absl::OkStatus();
  });
}

absl::StatusOr<RelationFiles> PostgresSession::ReadRelations() {
  return Translated(database_,
                    [&]() -> absl::StatusOr<RelationFiles> { return FindRelations(*connection_); });
}

absl::StatusOr<RelationLocks> PostgresSession::ReadHeldLocks() { return ReadLocksOf(pid()); }

absl::StatusOr<RelationLocks> PostgresSession::ReadLocksOf(int pid) {
  return Translated(database_, [&]() -> absl::StatusOr<RelationLocks> {
    return FindHeldLocks(*connection_, pid);
  });
}

absl::StatusOr<BuiltIndex> PostgresSession::InspectBuild(const ConcurrentBuild& build) {
  return Translated(database_, [&]() -> absl::StatusOr<BuiltIndex> {
    return FindBuiltIndex(*connection_, build);
  });
}

absl::StatusOr<bool> PostgresSession::MatchesBuild(const ConcurrentBuild& build) {
  return Translated(database_,
                    [&]() -> absl::StatusOr<bool> { return HasDefinitionOf(*connection_, build); });
}

absl::StatusOr<Journal> PostgresSession::ReadJournal() {
  return Translated(database_, [&]() -> absl::StatusOr<Journal> {
    pqxx::nontransaction work(*connection_);
    Journal journal;
    for (const pqxx::row row : work.exec(ReadJournalSql(table_))) {
      const JournalKey section = {row[0].as<std::string>(),
                                  DirectionOfName(row[1].as<std::string>())};
      journal[section][row[2].as<int>()] = {EntryStateOfName(row[5].as<std::string>()),
                                            row[3].as<std::string>(), row[4].as<std::string>(),
                                            row[6].as<std::string>()};
    }
    return journal;
  });
}

absl::Status PostgresSession::RecordStatements(const JournalKey& section,
                                               const SectionJournal& entries) {
  SectionJournal sendable;
  bool may_be_lost = !InTransaction();
  for (const auto& [statement, entry] : entries) {
    sendable[statement] = Sendable(entry);
    may_be_lost = may_be_lost && entry.may_be_lost;
  }
  const std::string sql = RecordStatementsSql(table_, section, sendable);
  return RunAsLogin(may_be_lost ? absl::StrCat(kDoNotAwaitDisk, "; ", sql) : sql);
}

absl::Status PostgresSession::RecordDecision(const JournalKey& section, int statement,
                                             const JournalEntry& entry, JournalDecision decision) {
  return RunAsLogin(RecordDecisionSql(table_, section, statement, Sendable(entry), decision));
}

absl::Status PostgresSession::EraseRecords(const JournalKey& section,
                                           absl::optional<int> statement) {
  return RunAsLogin(EraseRecordsSql(table_, section, statement));
}

void PostgresSession::SetNoticeHandler(NoticeHandler handler) {
  runner_.SetNoticeHandler(std::move(handler));
}

void PostgresSession::Cancel() { cancel_.Send(kCancelPatience); }

}  // namespace migd
