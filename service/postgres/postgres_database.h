// The one implementation of Database for use: PostgreSQL, on libpqxx and libpq.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/base/mutex.h"
#include "service/database/database.h"
#include "service/postgres/answer_watch.h"
#include "service/postgres/conninfo.h"
#include "service/postgres/hurry.h"
#include "service/postgres/postgres_session.h"

namespace migd {

// Where a database is, and how its version table is called.
struct PostgresOptions {
  // The name for errors, and in requests.
  std::string name;
  // What libpq needs to connect; what is left open comes from the PG* environment. May hold a
  // password: never shown.
  ConnectionOptions connection;
  VersionTable version_table;
  absl::Duration connect_timeout = absl::Seconds(10);
};

// Thread-safe. Its reads share a few connections, each bounded in time: however many callers ask
// while a table is locked, they hold up neither PostgreSQL's connections nor one another for long.
class PostgresDatabase : public Database {
 public:
  // Connects to nothing yet.
  explicit PostgresDatabase(PostgresOptions options);
  ~PostgresDatabase() override;

  absl::StatusOr<std::unique_ptr<Session>> OpenSession(absl::string_view operation) override;
  void TakeBack(std::unique_ptr<Session> session) override;
  absl::StatusOr<VersionRows> ReadRows() override;
  absl::StatusOr<std::map<std::string, absl::Time>> ReadApplyTimes() override;
  absl::StatusOr<DatedRows> ReadDatedRows() override;
  absl::StatusOr<std::map<std::string, std::string>> ReadChecksums() override;
  absl::StatusOr<Schema> ReadSchema() override;
  absl::StatusOr<CatalogFacts> ReadCatalogFacts(const CatalogQuestion& question) override;
  absl::StatusOr<RelationFiles> ReadRelations() override;
  absl::StatusOr<RelationLocks> ReadHeldLocks(int pid) override;
  absl::StatusOr<std::map<std::string, TableSize>> ReadTableSizes(
      const std::vector<std::string>& relations) override;
  absl::StatusOr<LockState> ReadLockState(int pid) override;
  absl::StatusOr<absl::optional<migration::v1::StatementProgress>> ReadProgress(int pid) override;
  absl::StatusOr<int> CountBlockedSessions() override;
  absl::StatusOr<bool> TerminateSession(int pid) override;
  void Hurry() override { hurry_.Request(); }

  // The name for errors.
  const std::string& name() const { return options_.name; }
  const PostgresOptions& options() const { return options_; }

  // How long the reads of one WithReader may take, for a server that does not keep its own
  // timeouts: one that is frozen.
  static constexpr absl::Duration kLongestRead = absl::Minutes(2);

  // Runs `use`, which returns a Status or a StatusOr and takes little time, on a connection that
  // others use before and after it; twice if that turns out lost. DatabaseUnavailable if the server
  // answers nothing within `limit` or a little more.
  template <typename Use>
  auto WithReader(Use use, absl::Duration limit = kLongestRead)
      -> decltype(use(std::declval<PostgresSession&>())) {
    const absl::Status entered = EnterReader();
    if (!entered.ok()) return entered;
    auto result = UseConnection(use, limit);
    LeaveReader();
    return result;
  }

  // Begins to open the session of the first operation, which is about to come, and to prepare it
  // for writing. OpenSession waits for it, unless another comes free before. What goes wrong is
  // found out there.
  void ExpectOperation();
  // It does not come.
  void ExpectNoOperation();

  // A connection for what a server writes about its operations, bounded in time as reads are. It
  // ends soon after the server is lost (PostgresSession::Guard).
  absl::StatusOr<std::unique_ptr<PostgresSession>> ConnectForOperations();

  // A connection for work that takes as long as it takes, and that may idle: without timeouts, but
  // for locks. The server notices within a minute or so when this process is lost.
  absl::StatusOr<std::unique_ptr<PostgresSession>> ConnectForMaintenance(
      const std::string& application_name);

 private:
  absl::StatusOr<std::unique_ptr<PostgresSession>> Connect(const std::string& application_name);
  absl::StatusOr<std::unique_ptr<PostgresSession>> ConnectReader();
  // What `opening_` does. Null if that went wrong.
  std::unique_ptr<PostgresSession> OpenAhead();
  void KeepSpare(std::unique_ptr<PostgresSession> session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasSpare() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Waits for one that is being opened, if there is no other.
  std::unique_ptr<PostgresSession> TakeSpare();
  // Runs `use` on an idle connection, or on a fresh one if there is none or it turns out lost.
  template <typename Use>
  auto UseConnection(const Use& use, absl::Duration limit)
      -> decltype(use(std::declval<PostgresSession&>())) {
    std::unique_ptr<PostgresSession> reader = TakeIdle();
    const bool was_idle = reader != nullptr;
    if (!was_idle) {
      auto connected = ConnectReader();
      if (!connected.ok()) return connected.status();
      reader = *std::move(connected);
    }
    auto result = [&] {
      const AnswerWatch::Use watched(answers_, SocketOf(*reader), limit);
      return use(*reader);
    }();
    if (!IsLost(StatusOf(result))) {
      KeepIdle(std::move(reader));
      return result;
    }
    if (!was_idle) return result;
    // An idle connection may have died long ago (PostgreSQL restarted): so may the others.
    CloseIdle();
    return UseConnection(use, limit);
  }

  static const absl::Status& StatusOf(const absl::Status& status) { return status; }
  template <typename Value>
  static const absl::Status& StatusOf(const absl::StatusOr<Value>& result) {
    return result.status();
  }
  static bool IsLost(const absl::Status& status);
  static int SocketOf(PostgresSession& reader);

  // Null if there is none.
  std::unique_ptr<PostgresSession> TakeIdle();
  void KeepIdle(std::unique_ptr<PostgresSession> reader);
  void CloseIdle();
  // Waits until fewer than the most readers are at work. DatabaseUnavailable if it takes too long.
  absl::Status EnterReader();
  void LeaveReader();

  const PostgresOptions options_;
  migd::Hurry hurry_;
  AnswerWatch answers_;
  Mutex mutex_;
  CondVar reader_left_;
  int readers_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<PostgresSession>> idle_ ABSL_GUARDED_BY(mutex_);
  // For the next operation, if it comes before that time; may be null.
  std::unique_ptr<PostgresSession> spare_ ABSL_GUARDED_BY(mutex_);
  absl::Time spare_until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // Opens a session to spare. Joined by whoever starts the next, or at the end.
  std::thread opening_ ABSL_GUARDED_BY(mutex_);
  bool is_opening_ ABSL_GUARDED_BY(mutex_) = false;
  // The session was opened, or another has come free.
  CondVar opened_;
};

}  // namespace migd
