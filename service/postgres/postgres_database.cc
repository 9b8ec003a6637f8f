#include "service/postgres/postgres_database.h"

#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/postgres/catalog_facts_reader.h"
#include "service/postgres/schema_reader.h"
#include "service/postgres/status_translation.h"
#include "service/postgres/table_sizes.h"

namespace migd {
namespace {

// More idle connections than this are closed after their use; more readers wait for their turn.
constexpr size_t kMostIdle = 4;
constexpr int kMostReaders = 8;

// How long a session is kept for the next operation: when a service with many replicas starts, they
// come one after the other.
constexpr absl::Duration kSpareTime = absl::Minutes(1);

// The reads are small. What makes them wait is a lock on the version table.
constexpr Timeouts kReadTimeouts = {absl::Seconds(2), absl::Seconds(10)};
constexpr absl::Duration kReaderTimeout = absl::Seconds(10);
// For those that tell how the database is: what its statement_timeout does not end within that, it
// does not end.
constexpr absl::Duration kLongestLook = absl::Seconds(15);

// What maintenance waits for stands in the way of others only in passing.
constexpr absl::Duration kMaintenanceLockTimeout = absl::Seconds(30);

// A connection that TCP no longer carries is noticed within about a minute, not after hours.
const ConnectionOptions& KeepaliveDefaults() {
  static const ConnectionOptions defaults = {
      {"keepalives_idle", "30"},
      {"keepalives_interval", "10"},
      {"keepalives_count", "3"},
      // Of what was sent and not acknowledged, for which no keepalives are sent; in milliseconds.
      {"tcp_user_timeout", "60000"}};
  return defaults;
}

}  // namespace

PostgresDatabase::PostgresDatabase(PostgresOptions options) : options_(std::move(options)) {}

PostgresDatabase::~PostgresDatabase() {
  if (opening_.joinable()) opening_.join();
}

absl::StatusOr<std::unique_ptr<PostgresSession>> PostgresDatabase::Connect(
    const std::string& application_name) {
  ConnectionOptions connection = options_.connection;
  connection["application_name"] = application_name;
  connection["client_encoding"] = "UTF8";
  connection.insert(KeepaliveDefaults().begin(), KeepaliveDefaults().end());
  return Translated(options_.name, [&]() -> absl::StatusOr<std::unique_ptr<PostgresSession>> {
    return PostgresSession::Open(
        std::make_unique<Connection>(FormatConninfo(connection), options_.connect_timeout, &hurry_),
        options_.name, options_.version_table);
  });
}

absl::StatusOr<std::unique_ptr<Session>> PostgresDatabase::OpenSession(
    absl::string_view operation) {
  const std::string name = absl::StrCat("migd ", operation);
  // If it has died meanwhile, another one may be had.
  if (auto spare = TakeSpare(); spare != nullptr && spare->IsQuiet()) {
    spare->RenameLater(name);
    return spare;
  }
  auto session = Connect(name);
  if (!session.ok()) return session.status();
  const absl::Status guarded = (*session)->Guard();
  if (!guarded.ok()) return guarded;
  return session;
}

void PostgresDatabase::ExpectOperation() {
  MutexLock lock(mutex_);
  if (is_opening_ || HasSpare()) return;
  // The thread has nothing left to do.
  if (opening_.joinable()) opening_.join();
  try {
    opening_ = std::thread([this] {
      auto session = OpenAhead();
      MutexLock ending(mutex_);
      // One that has come free meanwhile knows the database already.
      if (session != nullptr && !HasSpare()) KeepSpare(std::move(session));
      is_opening_ = false;
      opened_.NotifyAll();
    });
    is_opening_ = true;
  } catch (const std::system_error&) {
    // Without a thread to spare the operation opens it.
  }
}

std::unique_ptr<PostgresSession> PostgresDatabase::OpenAhead() {
  auto session = Connect("migd");
  if (!session.ok()) return nullptr;
  const AnswerWatch::Use watched(answers_, SocketOf(**session), kLongestLook);
  if (!(*session)->Guard().ok() || !(*session)->SetTimeouts(kReadTimeouts).ok()) return nullptr;
  (*session)->PrepareAhead();
  return *std::move(session);
}

void PostgresDatabase::ExpectNoOperation() { TakeSpare().reset(); }

void PostgresDatabase::TakeBack(std::unique_ptr<Session> session) {
  auto* spare = dynamic_cast<PostgresSession*>(session.get());
  if (spare == nullptr || !spare->Refresh().ok()) return;
  session.release();
  MutexLock lock(mutex_);
  KeepSpare(std::unique_ptr<PostgresSession>(spare));
  opened_.NotifyAll();
}

void PostgresDatabase::KeepSpare(std::unique_ptr<PostgresSession> session) {
  spare_ = std::move(session);
  spare_until_ = absl::Now() + kSpareTime;
}

bool PostgresDatabase::HasSpare() const { return spare_ != nullptr && absl::Now() < spare_until_; }

std::unique_ptr<PostgresSession> PostgresDatabase::TakeSpare() {
  MutexLock lock(mutex_);
  while (!HasSpare() && is_opening_) opened_.Wait(mutex_);
  // One that has idled for long goes the way of all: PostgreSQL may be about to end it.
  auto spare = std::move(spare_);
  return absl::Now() < spare_until_ ? std::move(spare) : nullptr;
}

bool PostgresDatabase::IsLost(const absl::Status& status) {
  return errors::ReasonOf(status) == migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE;
}

int PostgresDatabase::SocketOf(PostgresSession& reader) {
  return PQsocket(reader.connection().handle());
}

std::unique_ptr<PostgresSession> PostgresDatabase::TakeIdle() {
  MutexLock lock(mutex_);
  if (idle_.empty()) return nullptr;
  auto reader = std::move(idle_.back());
  idle_.pop_back();
  return reader;
}

void PostgresDatabase::KeepIdle(std::unique_ptr<PostgresSession> reader) {
  MutexLock lock(mutex_);
  if (idle_.size() < kMostIdle) idle_.push_back(std::move(reader));
  if (!HasSpare()) spare_.reset();
}

absl::StatusOr<std::unique_ptr<PostgresSession>> PostgresDatabase::ConnectReader() {
  auto reader = Connect("migd");
  if (!reader.ok()) return reader;
  const absl::Status status = (*reader)->SetTimeouts(kReadTimeouts);
  if (!status.ok()) return status;
  return Translated(options_.name, [&]() -> absl::StatusOr<std::unique_ptr<PostgresSession>> {
    pqxx::nontransaction work((*reader)->connection());
    // Whatever the database's or the role's own default is: what waits for a lock must see what its
    // holder has written.
    work.exec("SET default_transaction_isolation = 'read committed'");
    // To compile the service's own queries takes longer than to run them, also those that look
    // costly while PostgreSQL has not counted the rows of its tables.
    if ((*reader)->connection().server_version() >= 110000) work.exec("SET jit = off");
    return *std::move(reader);
  });
}

absl::StatusOr<std::unique_ptr<PostgresSession>> PostgresDatabase::ConnectForOperations() {
  auto session = ConnectReader();
  if (!session.ok()) return session;
  const absl::Status guarded = (*session)->Guard();
  if (!guarded.ok()) return guarded;
  return session;
}

absl::StatusOr<std::unique_ptr<PostgresSession>> PostgresDatabase::ConnectForMaintenance(
    const std::string& application_name) {
  auto session = Connect(application_name);
  if (!session.ok()) return session;
  const absl::Status status =
      (*session)->SetTimeouts({kMaintenanceLockTimeout, absl::ZeroDuration()});
  if (!status.ok()) return status;
  return Translated(options_.name, [&]() -> absl::StatusOr<std::unique_ptr<PostgresSession>> {
    pqxx::nontransaction work((*session)->connection());
    work.exec(
        "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; "
        "SET tcp_keepalives_count = 3; SET idle_in_transaction_session_timeout = 0");
    if ((*session)->connection().server_version() >= 140000)
      work.exec("SET idle_session_timeout = 0");
    return std::move(session);
  });
}

absl::Status PostgresDatabase::EnterReader() {
  const absl::Time deadline = absl::Now() + kReaderTimeout;
  MutexLock lock(mutex_);
  while (readers_ >= kMostReaders && absl::Now() < deadline) {
    reader_left_.WaitFor(mutex_, deadline - absl::Now());
  }
  if (readers_ >= kMostReaders) {
    return errors::DatabaseUnavailable(
        options_.name, absl::StrCat(kMostReaders, " reads are under way and do not end"));
  }
  ++readers_;
  return absl::OkStatus();
}

void PostgresDatabase::LeaveReader() {
  MutexLock lock(mutex_);
  --readers_;
  reader_left_.NotifyAll();
}

void PostgresDatabase::CloseIdle() {
  MutexLock lock(mutex_);
  idle_.clear();
  spare_.reset();
}

absl::StatusOr<VersionRows> PostgresDatabase::ReadRows() {
  return WithReader([](PostgresSession& session) { return session.ReadRows(); }, kLongestLook);
}

absl::StatusOr<std::map<std::string, absl::Time>> PostgresDatabase::ReadApplyTimes() {
  return WithReader([](PostgresSession& session) { return session.ReadApplyTimes(); },
                    kLongestLook);
}

absl::StatusOr<DatedRows> PostgresDatabase::ReadDatedRows() {
  return WithReader([](PostgresSession& session) { return session.ReadDatedRows(); }, kLongestLook);
}

absl::StatusOr<std::map<std::string, std::string>> PostgresDatabase::ReadChecksums() {
  return WithReader([](PostgresSession& session) { return session.ReadChecksums(); });
}

absl::StatusOr<Schema> PostgresDatabase::ReadSchema() {
  return WithReader([this](PostgresSession& session) {
    return Translated(name(), [&]() -> absl::StatusOr<Schema> {
      pqxx::transaction<pqxx::isolation_level::repeatable_read> work(session.connection());
      return migd::ReadSchema(work, session.version_table());
    });
  });
}

absl::StatusOr<CatalogFacts> PostgresDatabase::ReadCatalogFacts(const CatalogQuestion& question) {
  return WithReader([&](PostgresSession& session) {
    return Translated(name(), [&]() -> absl::StatusOr<CatalogFacts> {
      pqxx::transaction<pqxx::isolation_level::repeatable_read> work(session.connection());
      return migd::ReadCatalogFacts(work, question);
    });
  });
}

absl::StatusOr<std::map<std::string, TableSize>> PostgresDatabase::ReadTableSizes(
    const std::vector<std::string>& relations) {
  return WithReader([&](PostgresSession& session) {
    return Translated(name(), [&]() -> absl::StatusOr<std::map<std::string, TableSize>> {
      pqxx::work work(session.connection());
      return migd::ReadTableSizes(work, relations);
    });
  });
}

absl::StatusOr<RelationFiles> PostgresDatabase::ReadRelations() {
  return WithReader([](PostgresSession& session) { return session.ReadRelations(); });
}

absl::StatusOr<RelationLocks> PostgresDatabase::ReadHeldLocks(int pid) {
  return WithReader([pid](PostgresSession& session) { return session.ReadLocksOf(pid); });
}

absl::StatusOr<LockState> PostgresDatabase::ReadLockState(int pid) {
  return WithReader([pid](PostgresSession& session) { return session.ReadLockState(pid); });
}

absl::StatusOr<absl::optional<migration::v1::StatementProgress>> PostgresDatabase::ReadProgress(
    int pid) {
  return WithReader([pid](PostgresSession& session) { return session.ReadProgress(pid); });
}

absl::StatusOr<int> PostgresDatabase::CountBlockedSessions() {
  return WithReader([](PostgresSession& session) { return session.CountBlockedSessions(); },
                    kLongestLook);
}

absl::StatusOr<bool> PostgresDatabase::TerminateSession(int pid) {
  return WithReader([pid](PostgresSession& session) { return session.TerminateSession(pid); });
}

}  // namespace migd
