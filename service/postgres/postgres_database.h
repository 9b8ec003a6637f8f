// The one implementation of Database for use: PostgreSQL, on libpqxx and libpq.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/base/mutex.h"
#include "service/database/database.h"
#include "service/postgres/conninfo.h"
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
  absl::StatusOr<VersionRows> ReadRows() override;
  absl::StatusOr<std::map<std::string, absl::Time>> ReadApplyTimes() override;
  absl::StatusOr<LockState> ReadLockState(int pid) override;
  absl::StatusOr<bool> TerminateSession(int pid) override;

 private:
  absl::StatusOr<std::unique_ptr<PostgresSession>> Connect(const std::string& application_name);
  absl::StatusOr<std::unique_ptr<PostgresSession>> ConnectReader();
  // Runs `read` when it is its turn.
  template <typename Read>
  auto OnReader(Read read) -> decltype(read(std::declval<PostgresSession&>()));
  // Runs `read` on an idle connection, or on a fresh one if there is none or it turns out lost.
  template <typename Read>
  auto ReadOnConnection(const Read& read) -> decltype(read(std::declval<PostgresSession&>()));
  void CloseIdle();
  // Waits until fewer than the most readers are at work. DatabaseUnavailable if it takes too long.
  absl::Status EnterReader();
  void LeaveReader();

  const PostgresOptions options_;
  Mutex mutex_;
  CondVar reader_left_;
  int readers_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<PostgresSession>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace migd
