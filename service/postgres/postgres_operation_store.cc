#include "service/postgres/postgres_operation_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/util/delimited_message_util.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/database/audit_chain.h"
#include "service/database/service_sql.h"
#include "service/postgres/audit_sql.h"
#include "service/postgres/parameterized_query.h"
#include "service/postgres/privileges.h"
#include "service/postgres/service_tables.h"
#include "service/postgres/status_translation.h"

namespace migd {
namespace {

using migration::v1::Operation;
using migration::v1::OperationEvent;

// Advisory locks that say that a server is alive: this and the server's number. The number after it
// is kScratchClass.
constexpr int kServerClass = kMutexClass + 1;

// The events of one row, which a reader holds in memory together.
constexpr size_t kMostEventsOfRow = 1000;
constexpr size_t kMostBytesOfRow = 1 << 20;
// A page of events ends with the row that brings it over this.
constexpr int kRowsOfPage = 16;
constexpr size_t kBytesOfPage = 1 << 20;

// Finished operations are forgotten so many at a time, to hold no lock for long.
constexpr int kForgottenTogether = 1000;

constexpr char kRecordColumns[] =
    "number, server, cancel_reason, extract(epoch FROM clock_timestamp() - change_time)::double "
    "precision, details";

// The name of a state, as in the proto but for the prefix.
std::string StateText(Operation::State state) {
  return absl::StrReplaceAll(Operation::State_Name(state), {{"STATE_", ""}});
}

std::string Literals(const std::vector<std::string>& texts) {
  return absl::StrJoin(texts, ", ", [](std::string* out, const std::string& text) {
    out->append(QuoteLiteral(text));
  });
}

// As it stands in the column `version_table`.
std::string NameOf(const VersionTable& table) {
  return absl::StrCat(table.schema, ".", table.name);
}

absl::Time FinishTimeOf(const Operation& operation) {
  return operation.has_finish_time() ? FromProtoTimestamp(operation.finish_time())
                                     : absl::InfiniteFuture();
}

// A row of operation_events.
struct EventsRow {
  int64_t first_sequence;
  int64_t last_sequence;
  std::string bytes;
};

// As SerializeDelimitedToZeroCopyStream, whose stream of a string fills all that the string has
// room for with zeros, for each message anew.
void AppendDelimited(const OperationEvent& event, std::string& bytes) {
  constexpr size_t kLongestVarint32 = 5;
  uint8_t size[kLongestVarint32];
  const uint8_t* end = google::protobuf::io::CodedOutputStream::WriteVarint32ToArray(
      static_cast<uint32_t>(event.ByteSizeLong()), size);
  bytes.append(reinterpret_cast<const char*>(size), static_cast<size_t>(end - size));
  event.AppendToString(&bytes);
}

std::vector<EventsRow> ToRows(const StoredEvents& events) {
  std::vector<EventsRow> rows;
  size_t events_of_row = 0;
  for (const auto& event : events) {
    if (rows.empty() || events_of_row == kMostEventsOfRow ||
        rows.back().bytes.size() >= kMostBytesOfRow) {
      rows.push_back({event->sequence(), 0, ""});
      events_of_row = 0;
    }
    EventsRow& row = rows.back();
    AppendDelimited(*event, row.bytes);
    row.last_sequence = event->sequence();
    ++events_of_row;
  }
  return rows;
}

// Appends the events of a row that come after a sequence. False if it holds no events of ours.
bool AppendEvents(absl::string_view bytes, int64_t after_sequence, StoredEvents& into) {
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  while (true) {
    auto event = std::make_shared<OperationEvent>();
    bool at_end = false;
    if (!google::protobuf::util::ParseDelimitedFromZeroCopyStream(event.get(), &stream, &at_end)) {
      return at_end;
    }
    if (event->sequence() > after_sequence) into.push_back(std::move(event));
  }
}

absl::string_view AsText(const pqxx::binarystring& bytes) {
  return absl::string_view(bytes.get(), bytes.size());
}

absl::StatusOr<OperationRecord> ToRecord(const pqxx::row& row, const std::string& database) {
  OperationRecord record;
  record.number = row[0].as<int64_t>();
  record.server = row[1].as<int>();
  record.cancel_reason = row[2].as<std::string>();
  record.age = absl::Seconds(row[3].as<double>());
  const pqxx::binarystring details(row[4]);
  if (!record.operation.ParseFromArray(details.data(), static_cast<int>(details.size()))) {
    return errors::Internal(
        absl::StrCat("row ", record.number, " of migration_service.operation cannot be read"));
  }
  record.operation.set_database(database);
  return record;
}

absl::StatusOr<std::vector<OperationRecord>> ToRecords(const pqxx::result& rows,
                                                       const std::string& database) {
  std::vector<OperationRecord> records;
  for (const pqxx::row row : rows) {
    auto record = ToRecord(row, database);
    if (!record.ok()) return record.status();
    records.push_back(*std::move(record));
  }
  return records;
}

// The operations of a version table that a condition holds for, which may be followed by ORDER BY
// and LIMIT. The tables must be there.
absl::StatusOr<std::vector<OperationRecord>> SelectRecords(pqxx::transaction_base& work,
                                                           const VersionTable& table,
                                                           const std::string& database,
                                                           const std::string& condition) {
  return ToRecords(
      work.exec(absl::StrCat("SELECT ", kRecordColumns,
                             " FROM migration_service.operation WHERE version_table = ",
                             QuoteLiteral(NameOf(table)), " AND ", condition)),
      database);
}

// Values for the columns of an operation, but for `number` and those that have defaults.
std::string RecordValues(const VersionTable& table, const OperationRecord& record,
                         QueryParameters& parameters) {
  const Operation& operation = record.operation;
  return absl::StrJoin(
      {parameters.Text(operation.operation()), parameters.Text(NameOf(table)),
       parameters.TextOrNull(operation.request_id()),
       parameters.Text(
           absl::StrReplaceAll(migration::v1::Action_Name(operation.action()), {{"ACTION_", ""}})),
       parameters.TextArray({operation.targets().begin(), operation.targets().end()}),
       parameters.Text(StateText(operation.state())), parameters.Integer(operation.attempt()),
       parameters.Integer(record.server), parameters.Text(operation.server()),
       parameters.Text(record.cancel_reason),
       parameters.Time(FromProtoTimestamp(operation.create_time())),
       parameters.Time(FinishTimeOf(operation)), parameters.Integer(operation.last_sequence()),
       parameters.Bytes(operation.SerializeAsString())},
      ", ");
}

constexpr char kValueColumns[] =
    "operation, version_table, request_id, action, targets, state, attempt, server, server_name, "
    "cancel_reason, create_time, finish_time, last_sequence, details";

// An expression that makes the transaction that it is evaluated in so.
std::string SetDurabilitySql(Durability durability) {
  return absl::StrCat("pg_catalog.set_config('synchronous_commit', '",
                      durability == Durability::kSurvivesCrash ? "on" : "off", "', true)");
}

// Adds the events that a query named `written` has a row for.
std::string AddEventsSql(const std::string& operation, const StoredEvents& events,
                         QueryParameters& parameters) {
  std::vector<std::string> rows;
  for (const EventsRow& row : ToRows(events)) {
    rows.push_back(absl::StrCat("(", parameters.Integer(row.first_sequence), ", ",
                                parameters.Integer(row.last_sequence), ", ",
                                parameters.Bytes(row.bytes), ")"));
  }
  return absl::StrCat(
      "INSERT INTO migration_service.operation_events (operation, first_sequence, last_sequence, "
      "events) SELECT ",
      parameters.Text(operation), ", added.* FROM written, (VALUES ", absl::StrJoin(rows, ", "),
      ") AS added");
}

// The last plan with steps among the events, or NULL.
std::string PlanSql(const StoredEvents& events, QueryParameters& parameters) {
  for (auto event = events.rbegin(); event != events.rend(); ++event) {
    if ((*event)->plan().steps_size() > 0) {
      return parameters.BytesOrNull((*event)->plan().SerializeAsString());
    }
  }
  return parameters.BytesOrNull("");
}

class PostgresLedger : public Ledger {
 public:
  PostgresLedger(std::unique_ptr<PostgresSession> session, std::string database)
      : session_(std::move(session)), database_(std::move(database)) {}

  absl::Status MarkAlive(int server) {
    return Translated(database_, [&]() -> absl::Status {
      pqxx::nontransaction work(session_->connection());
      const bool locked =
          work.exec_params1("SELECT pg_try_advisory_lock($1, $2)", kServerClass, server)[0]
              .as<bool>();
      // The server's connection before this one has not ended yet.
      return locked ? absl::OkStatus()
                    : errors::DatabaseUnavailable(database_,
                                                  "an earlier connection still holds the lock");
    });
  }

  absl::StatusOr<bool> Write(const OperationRecord& record, int expected_attempt,
                             const StoredEvents& events, Durability durability) override {
    return Translated(database_, [&]() -> absl::StatusOr<bool> {
      if (!prepared_) PrepareServiceTables(*session_);
      exist_ = prepared_ = true;
      pqxx::nontransaction work(session_->connection());
      QueryParameters update;
      const std::string write = UpdateSql(record, expected_attempt, events, update);
      if (Written(work, write, record, events, durability, /*is_new=*/false, update)) return true;
      // A crash has taken it back, and with it the entry of its beginning.
      QueryParameters insert;
      const std::string values = RecordValues(session_->version_table(), record, insert);
      return Written(work,
                     absl::StrCat("INSERT INTO migration_service.operation (", kValueColumns,
                                  ", plan) VALUES (", values, ", ", PlanSql(events, insert),
                                  ") ON CONFLICT DO NOTHING"),
                     record, events, durability, /*is_new=*/true, insert);
    });
  }

  void RehearseEnd() override {
    if (std::exchange(end_rehearsed_, true)) return;
    // What is wrong is told by the end itself.
    Translated(database_, [&]() -> absl::Status {
      pqxx::nontransaction work(session_->connection());
      try {
        work.exec(std::string(kRehearseAuditSql));
      } catch (const pqxx::failure&) {
        work.exec("ROLLBACK");
      }
      return absl::OkStatus();
    }).IgnoreError();
  }

  absl::StatusOr<std::vector<OperationRecord>> Read(int64_t after_number,
                                                    const std::vector<std::string>& ids) override {
    return Translated(database_, [&]() -> absl::StatusOr<std::vector<OperationRecord>> {
      pqxx::nontransaction work(session_->connection());
      if (!Exist(work)) return std::vector<OperationRecord>();
      return SelectRecords(
          work, session_->version_table(), database_,
          absl::StrCat("(finish_time IS NULL OR number > ", after_number,
                       ids.empty() ? "" : absl::StrCat(" OR operation IN (", Literals(ids), ")"),
                       ") ORDER BY number"));
    });
  }

  absl::StatusOr<migration::v1::Plan> ReadPlan(absl::string_view operation) override {
    return Translated(database_, [&]() -> absl::StatusOr<migration::v1::Plan> {
      pqxx::nontransaction work(session_->connection());
      migration::v1::Plan plan;
      for (const pqxx::row row :
           work.exec_params("SELECT plan FROM migration_service.operation WHERE operation = $1 "
                            "AND plan IS NOT NULL",
                            std::string(operation))) {
        const pqxx::binarystring bytes(row[0]);
        if (!plan.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
          return errors::Internal(
              absl::StrCat("the plan of operation ", operation, " cannot be read"));
        }
      }
      return plan;
    });
  }

  absl::Status Touch(int server) override {
    return Translated(database_, [&]() -> absl::Status {
      pqxx::nontransaction work(session_->connection());
      if (!Exist(work)) return absl::OkStatus();
      work.exec_params(
          "UPDATE migration_service.operation SET change_time = clock_timestamp() "
          "WHERE server = $1 AND finish_time IS NULL",
          server);
      return absl::OkStatus();
    });
  }

  absl::StatusOr<std::vector<int>> ReadLiveServers() override {
    return Translated(database_, [&]() -> absl::StatusOr<std::vector<int>> {
      pqxx::nontransaction work(session_->connection());
      std::vector<int> servers;
      for (const pqxx::row row : work.exec_params(
               "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted "
               "AND objsubid = 2 AND classid = $1::oid "
               "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
               kServerClass)) {
        servers.push_back(row[0].as<int>());
      }
      return servers;
    });
  }

  absl::StatusOr<int64_t> ForgetEvents(absl::string_view operation, int64_t sequence) override {
    return Translated(database_, [&]() -> absl::StatusOr<int64_t> {
      pqxx::nontransaction work(session_->connection());
      const std::string id = QuoteLiteral(operation);
      return work
          .exec1(absl::StrCat(
              "DELETE FROM migration_service.operation_events WHERE operation = ", id,
              " AND last_sequence <= ", sequence, "; SELECT coalesce(min(first_sequence), ",
              sequence + 1, ") FROM migration_service.operation_events WHERE operation = ", id))[0]
          .as<int64_t>();
    });
  }

  absl::Status ForgetFinished(absl::Duration age) override {
    return Translated(database_, [&]() -> absl::Status {
      pqxx::nontransaction work(session_->connection());
      if (!Exist(work)) return absl::OkStatus();
      const std::string forget = absl::StrFormat(
          "WITH forgotten AS (DELETE FROM migration_service.operation WHERE operation IN ("
          "SELECT operation FROM migration_service.operation WHERE finish_time < "
          "clock_timestamp() - interval '%d seconds' LIMIT %d) RETURNING operation), "
          "events AS (DELETE FROM migration_service.operation_events "
          "WHERE operation IN (SELECT operation FROM forgotten)) SELECT count(*) FROM forgotten",
          absl::ToInt64Seconds(age), kForgottenTogether);
      while (work.exec1(forget)[0].as<int>() == kForgottenTogether) {
      }
      return absl::OkStatus();
    });
  }

 private:
  // Whether the tables are there; they do not go away again but with the whole schema.
  bool Exist(pqxx::transaction_base& work) {
    if (!exist_) exist_ = OperationsExist(work);
    return exist_;
  }

  static std::string UpdateSql(const OperationRecord& record, int expected_attempt,
                               const StoredEvents& events, QueryParameters& parameters) {
    const Operation& operation = record.operation;
    return absl::StrCat("UPDATE migration_service.operation SET state = ",
                        parameters.Text(StateText(operation.state())),
                        ", attempt = ", parameters.Integer(operation.attempt()),
                        ", server = ", parameters.Integer(record.server),
                        ", server_name = ", parameters.Text(operation.server()),
                        ", finish_time = ", parameters.Time(FinishTimeOf(operation)),
                        ", change_time = clock_timestamp(), last_sequence = ",
                        parameters.Integer(operation.last_sequence()),
                        ", details = ", parameters.Bytes(operation.SerializeAsString()),
                        ", plan = coalesce(", PlanSql(events, parameters),
                        ", plan) WHERE operation = ", parameters.Text(operation.operation()),
                        " AND attempt = ", parameters.Integer(expected_attempt),
                        " AND finish_time IS NULL");
  }

  // Runs `write`, which writes the row of `record`, and if it does, adds what comes with it: its
  // events, and its entry in the audit if it has finished or `is_new`. Whether it does.
  bool Written(pqxx::transaction_base& work, const std::string& write,
               const OperationRecord& record, const StoredEvents& events, Durability durability,
               bool is_new, QueryParameters& parameters) {
    std::string sql = absl::StrCat("WITH written AS (", write, " RETURNING operation)");
    if (!events.empty()) {
      absl::StrAppend(&sql, ", added AS (",
                      AddEventsSql(record.operation.operation(), events, parameters), ")");
    }
    if (record.operation.has_finish_time()) {
      absl::StrAppend(&sql, ", audited AS (",
                      AppendAuditSql(FinishedEntry(record.operation), "FROM written", parameters),
                      ")");
    } else if (is_new) {
      absl::StrAppend(&sql, ", audited AS (",
                      AppendAuditSql(AcceptedEntry(record.operation), "FROM written", parameters),
                      ")");
    }
    absl::StrAppend(&sql, " SELECT count(*), ", SetDurabilitySql(durability), " FROM written");
    return Run(session_->connection(), work, sql, parameters)[0][0].as<int>() == 1;
  }

  const std::unique_ptr<PostgresSession> session_;
  const std::string database_;
  bool exist_ = false;
  // All that is written to is there.
  bool prepared_ = false;
  bool end_rehearsed_ = false;
};

}  // namespace

absl::StatusOr<OperationRecord> PostgresOperationStore::Insert(const OperationRecord& record,
                                                               const StoredEvents& accepted,
                                                               Durability durability) {
  return database_.WithReader([&](PostgresSession& session) -> absl::StatusOr<OperationRecord> {
    const auto insert = [&]() -> absl::StatusOr<OperationRecord> {
      pqxx::nontransaction work(session.connection());
      QueryParameters parameters;
      const std::string values = RecordValues(session.version_table(), record, parameters);
      const std::string add_events =
          AddEventsSql(record.operation.operation(), accepted, parameters);
      const std::string append_audit =
          AppendAuditSql(AcceptedEntry(record.operation), "FROM written", parameters);
      const pqxx::result added = Run(
          session.connection(), work,
          absl::StrCat("WITH written AS (INSERT INTO migration_service.operation (", kValueColumns,
                       ") VALUES (", values, ") ON CONFLICT DO NOTHING RETURNING ", kRecordColumns,
                       "), added AS (", add_events, "), audited AS (", append_audit, ") SELECT *, ",
                       SetDurabilitySql(durability), " FROM written"),
          parameters);
      if (!added.empty()) return ToRecord(added[0], database_.name());
      // The same request made it, or this very call, whose answer was lost.
      return ToRecord(
          work.exec1(absl::StrCat(
              "SELECT ", kRecordColumns, " FROM migration_service.operation WHERE operation = ",
              QuoteLiteral(record.operation.operation()), " OR (version_table, request_id) = (",
              QuoteLiteral(NameOf(session.version_table())), ", ",
              QuoteLiteral(record.operation.request_id()), ") LIMIT 1")),
          database_.name());
    };
    if (is_prepared_) {
      // What is wrong is found out below; nothing was written, or what was is found.
      auto inserted = Translated(database_.name(), insert);
      if (inserted.ok()) return inserted;
    }
    const absl::Status writable = session.CheckWritable();
    if (!writable.ok()) return writable;
    database_.ExpectOperation();
    auto inserted = Translated(database_.name(), [&] {
      PrepareServiceTables(session);
      return insert();
    });
    if (!inserted.ok()) database_.ExpectNoOperation();
    is_prepared_ = inserted.ok();
    if (errors::ReasonOf(inserted.status()) != migration::v1::ERROR_REASON_INSUFFICIENT_PRIVILEGE) {
      return inserted;
    }
    // PostgreSQL names the first privilege that is missing; there may be more.
    const absl::Status missing = Translated(database_.name(), [&] {
      return CheckPrivileges(session.connection(), database_.name(), session.version_table());
    });
    return missing.ok() ? inserted.status() : missing;
  });
}

absl::StatusOr<std::vector<OperationRecord>> PostgresOperationStore::ReadRecords(
    const std::string& condition) {
  return database_.WithReader([&](PostgresSession& session) {
    return Translated(database_.name(), [&]() -> absl::StatusOr<std::vector<OperationRecord>> {
      pqxx::nontransaction work(session.connection());
      if (!OperationsExist(work)) return std::vector<OperationRecord>();
      return SelectRecords(work, session.version_table(), database_.name(), condition);
    });
  });
}

absl::StatusOr<std::vector<OperationRecord>> PostgresOperationStore::Find(absl::string_view id) {
  constexpr int kMostCandidates = 10;
  return ReadRecords(absl::StrCat("starts_with(operation, ", QuoteLiteral(id),
                                  ") ORDER BY operation <> ", QuoteLiteral(id),
                                  ", number DESC LIMIT ", kMostCandidates));
}

absl::StatusOr<absl::optional<OperationRecord>> PostgresOperationStore::FindRequest(
    absl::string_view request_id) {
  if (request_id.empty()) return absl::optional<OperationRecord>();
  auto found = ReadRecords(absl::StrCat("request_id = ", QuoteLiteral(request_id)));
  if (!found.ok()) return found.status();
  return found->empty() ? absl::optional<OperationRecord>()
                        : absl::make_optional(std::move(found->front()));
}

absl::StatusOr<std::vector<OperationRecord>> PostgresOperationStore::List(
    const std::vector<Operation::State>& states, int64_t before_number, int limit) {
  std::vector<std::string> names;
  for (const Operation::State state : states) names.push_back(StateText(state));
  return ReadRecords(
      absl::StrCat("number < ", before_number,
                   names.empty() ? "" : absl::StrCat(" AND state IN (", Literals(names), ")"),
                   " ORDER BY number DESC LIMIT ", limit));
}

absl::StatusOr<StoredEvents> PostgresOperationStore::ReadEvents(absl::string_view operation,
                                                                int64_t after_sequence) {
  return database_.WithReader([&](PostgresSession& session) {
    return Translated(database_.name(), [&]() -> absl::StatusOr<StoredEvents> {
      pqxx::nontransaction work(session.connection());
      StoredEvents events;
      if (!OperationsExist(work)) return events;
      size_t bytes = 0;
      for (const pqxx::row row :
           work.exec_params(absl::StrCat("SELECT events FROM migration_service.operation_events "
                                         "WHERE operation = $1 AND last_sequence > $2 "
                                         "ORDER BY first_sequence LIMIT ",
                                         kRowsOfPage),
                            std::string(operation), after_sequence)) {
        const pqxx::binarystring packed(row[0]);
        if (!AppendEvents(AsText(packed), after_sequence, events)) {
          return errors::Internal(absl::StrCat("events of operation ", operation,
                                               " in migration_service cannot be read"));
        }
        bytes += packed.size();
        if (bytes >= kBytesOfPage) break;
      }
      return events;
    });
  });
}

absl::Status PostgresOperationStore::RequestCancel(absl::string_view operation,
                                                   absl::string_view why) {
  return database_.WithReader([&](PostgresSession& session) {
    return Translated(database_.name(), [&]() -> absl::Status {
      pqxx::nontransaction work(session.connection());
      if (!OperationsExist(work)) return absl::OkStatus();
      work.exec_params(
          "UPDATE migration_service.operation SET cancel_reason = $2, "
          "change_time = clock_timestamp() "
          "WHERE operation = $1 AND cancel_reason = '' AND finish_time IS NULL",
          std::string(operation), std::string(why));
      return absl::OkStatus();
    });
  });
}

absl::StatusOr<std::unique_ptr<Ledger>> PostgresOperationStore::OpenLedger(int server) {
  auto session = database_.ConnectForOperations();
  if (!session.ok()) return session.status();
  auto ledger = std::make_unique<PostgresLedger>(*std::move(session), database_.name());
  const absl::Status status = ledger->MarkAlive(server);
  if (!status.ok()) return status;
  return ledger;
}

}  // namespace migd
