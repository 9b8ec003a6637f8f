// A connection to PostgreSQL for one operation.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "service/database/database.h"
#include "service/database/service_sql.h"
#include "service/postgres/cancel_request.h"
#include "service/postgres/connection.h"
#include "service/postgres/part_queries.h"
#include "service/postgres/statement_runner.h"
#include "service/postgres/step_end.h"

namespace migd {

// See Session for threads and errors.
class PostgresSession : public Session {
 public:
  // Takes an open connection to the database called `database`, and finds the version table `table`
  // (an empty schema: the search_path decides). PooledConnection if the connection does not lead to
  // a server process of its own; nothing was set on it then. Throws libpqxx's exceptions.
  static absl::StatusOr<std::unique_ptr<PostgresSession>> Open(
      std::unique_ptr<Connection> connection, std::string database, VersionTable table);
  ~PostgresSession() override;

  int pid() const override { return PQbackendPID(connection_->handle()); }
  // DatabaseReadOnly if nothing can be written here.
  absl::Status CheckWritable();
  absl::StatusOr<bool> TryAcquireMutex() override;
  absl::StatusOr<bool> HoldsMutex() override;
  absl::StatusOr<absl::optional<MutexHolder>> ReadMutexHolder() override;
  absl::StatusOr<VersionRows> ReadRows() override;
  absl::Status PrepareForWriting() override;
  absl::Status SetTimeouts(const Timeouts& timeouts) override;
  absl::Status SetLockTimeout(absl::Duration timeout) override;
  absl::Status ResetSettings() override;
  absl::Status Begin() override;
  absl::StatusOr<StatementResult> Commit() override;
  absl::Status Rollback() override;
  bool InTransaction() const override;
  absl::StatusOr<StatementResult> Execute(const Statement& statement) override;
  absl::Status RunPart(const StepPart& part, const StatementHandler& on_statement) override;
  absl::StatusOr<absl::optional<ObjectState>> Inspect(const GuardedObject& object) override;
  absl::Status WriteVersion(const VersionWrite& write, absl::string_view revision) override;
  absl::Status AppendLog(const LogEntry& entry) override;
  absl::Status AcceptChecksum(const ChecksumAcceptance& acceptance) override;
  absl::StatusOr<RelationFiles> ReadRelations() override;
  absl::StatusOr<RelationLocks> ReadHeldLocks() override;
  absl::StatusOr<BuiltIndex> InspectBuild(const ConcurrentBuild& build) override;
  absl::StatusOr<bool> MatchesBuild(const ConcurrentBuild& build) override;
  absl::StatusOr<Journal> ReadJournal() override;
  absl::Status RecordStatements(const JournalKey& section, const SectionJournal& entries) override;
  absl::Status RecordDecision(const JournalKey& section, int statement, const JournalEntry& entry,
                              JournalDecision decision) override;
  absl::Status EraseRecords(const JournalKey& section, absl::optional<int> statement) override;
  void SetNoticeHandler(NoticeHandler handler) override;
  void Cancel() override;

  // For the service's own queries that are not a migration's.
  Connection& connection() { return *connection_; }
  // With its schema, unless no schema of the search_path exists.
  const VersionTable& version_table() const { return table_; }

  // From now on the server ends the session, and with it a statement that runs, soon after this
  // process is gone or can no longer be reached: nobody else could end it then.
  absl::Status Guard();

  // Does what takes time of the next PrepareForWriting, and makes the table of the audit, which
  // the reader that stores the operation meanwhile needs, too. What goes wrong is found out there.
  void PrepareAhead();

  // Whether the connection stands, and the server has sent nothing that nobody asked for, as when
  // it ends the session.
  bool IsQuiet() const;
  // Gives the connection another name when the mutex is tried next.
  void RenameLater(std::string application_name) { new_name_ = std::move(application_name); }
  // Makes it as if it had just been opened, if no statement of a migration was run.
  absl::Status Refresh();

  // See Database.
  absl::StatusOr<std::map<std::string, absl::Time>> ReadApplyTimes();
  absl::StatusOr<DatedRows> ReadDatedRows();
  absl::StatusOr<std::map<std::string, std::string>> ReadChecksums();
  absl::StatusOr<LockState> ReadLockState(int pid);
  absl::StatusOr<RelationLocks> ReadLocksOf(int pid);
  absl::StatusOr<absl::optional<migration::v1::StatementProgress>> ReadProgress(int pid);
  absl::StatusOr<int> CountBlockedSessions();
  absl::StatusOr<bool> TerminateSession(int pid);

 private:
  PostgresSession(std::unique_ptr<Connection> connection, std::string database, VersionTable table,
                  std::string login);

  // What comes before the statements of a part.
  std::vector<OwnQuery> BeginningOf(const StepPart& part,
                                    const absl::optional<Timeouts>& timeouts_in_force);
  std::unique_ptr<PartQueries> QueriesOf(const StepPart& part,
                                         const absl::optional<Timeouts>& timeouts_in_force);
  // The COMMIT behind `part`, with the part behind it if that is known.
  StatementRunner::Batch BehindStep(const StepPart& part);
  // What the end of a step leaves in force.
  Timeouts TimeoutsBehindStep() const { return {timeouts_.lock_timeout, absl::ZeroDuration()}; }
  // Makes all that PrepareForWriting makes but for the version table.
  absl::Status PrepareServiceSchema();
  // What sets the setting migd.mutex to what came of trying the mutex.
  std::string TryMutexSql() const;
  // Whether the mutex is held since then. DatabaseReadOnly.
  absl::StatusOr<bool> IsMutexMine(absl::string_view outcome);
  // From a version table that is there and may be read.
  absl::StatusOr<bool> TryAcquireMutexAndReadRows();
  // The rows, from a table that is there and may be read.
  VersionRows SelectRows();
  // The rows with their times, from tables that are there and may be read.
  DatedRows SelectDatedRows();
  // Runs a text of the service's own; whatever the server refuses in it is a status.
  absl::Status RunOwn(const std::string& sql);
  // The same for what is run between the statements of a migration.
  absl::Status RunAsLogin(const std::string& sql);
  // `entry` as it can be sent, whatever encoding a migration has set.
  JournalEntry Sendable(JournalEntry entry) const;

  const std::unique_ptr<Connection> connection_;
  const std::string database_;
  VersionTable table_;
  // The role that the session has logged in as.
  std::string login_;
  Timeouts timeouts_;
  // Those that are known to be in force.
  absl::optional<Timeouts> timeouts_in_force_;
  // Every setting of the session, the timeouts aside.
  std::vector<Setting> settings_ = {kSessionSettings.begin(), kSessionSettings.end()};
  StepEndStatements step_end_;
  // Those of the part that comes next, if they are on their way.
  std::unique_ptr<PartQueries> queries_ahead_;
  // The version table was there and readable.
  bool has_version_table_ = false;
  // PrepareServiceSchema was done ahead.
  bool is_prepared_ = false;
  // For ReadRows, which is what follows once the mutex is taken.
  absl::optional<VersionRows> rows_under_mutex_;
  // The name that the connection is to get; empty if it has it.
  std::string new_name_;
  // Both tables that ReadDatedRows reads were there and readable.
  bool has_log_ = false;
  StatementRunner runner_;
  CancelRequest cancel_;
};

}  // namespace migd
