// A database in memory, with faults that a test plants.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "service/base/mutex.h"
#include "service/database/database.h"

namespace migd {

// Keeps version rows, a log, a journal, and the names of tables and indexes. It understands CREATE
// and DROP of TABLE and INDEX with their IF [NOT] EXISTS, INSERT, SELECT, SET, VACUUM, BEGIN,
// COMMIT, ROLLBACK, and `DO ... RAISE <severity> '<text>'`; a failed concurrent build leaves no
// INVALID index, unless a test adds it; `CALL commits()` ends the transaction, as no statement of a
// real migration can without showing it; `SELECT pg_sleep(...)` runs until it is cancelled; `SELECT
// pg_advisory_unlock_all()` gives the mutex up; anything else is a syntax error. Names are
// unquoted, of one schema. A transaction works on a copy of the committed state. Passes the
// contract suite of Database. Thread-safe; sessions must end before it.
//
// Faults meet every statement that begins with the given text, until the test ends.
class FakeDatabase : public Database {
 public:
  FakeDatabase();
  ~FakeDatabase() override;

  absl::StatusOr<std::unique_ptr<Session>> OpenSession(absl::string_view operation) override;
  absl::StatusOr<VersionRows> ReadRows() override;
  absl::StatusOr<std::map<std::string, absl::Time>> ReadApplyTimes() override;
  absl::StatusOr<DatedRows> ReadDatedRows() override;
  absl::StatusOr<std::map<std::string, std::string>> ReadChecksums() override;
  absl::StatusOr<Schema> ReadSchema() override;
  // Tables, of unknown size, as far as they are there; nothing goes with one that is dropped.
  absl::StatusOr<CatalogFacts> ReadCatalogFacts(const CatalogQuestion& question) override;
  // Tables alone, without files; nobody holds locks.
  absl::StatusOr<RelationFiles> ReadRelations() override;
  absl::StatusOr<RelationLocks> ReadHeldLocks(int pid) override;
  absl::StatusOr<std::map<std::string, TableSize>> ReadTableSizes(
      const std::vector<std::string>& relations) override;
  absl::StatusOr<LockState> ReadLockState(int pid) override;
  absl::StatusOr<absl::optional<migration::v1::StatementProgress>> ReadProgress(int pid) override;
  absl::StatusOr<int> CountBlockedSessions() override;
  absl::StatusOr<bool> TerminateSession(int pid) override;

  // --- What is there ---
  void SetRows(const VersionRows& rows);
  void AddTable(const std::string& name);
  // What ReadTableSizes tells of a table; nothing is in it otherwise.
  void SetTableSize(const std::string& name, TableSize size);
  // An index whose concurrent build did not finish; `definition` is what follows its name.
  void AddInvalidIndex(const std::string& name, const std::string& definition = "");
  // A session, 0 for none, that works on the tables of all INVALID indexes.
  void SetBuilder(int pid);
  bool HasIndex(const std::string& name) const;
  // The journal of statements, and what was decided: `skip a 2`, `run a 2`.
  Journal statement_journal() const;
  std::vector<std::string> decisions() const;
  bool HasTable(const std::string& name) const;
  std::vector<LogEntry> log() const;
  // The statements that sessions ran, in their order, with BEGIN, COMMIT, ROLLBACK, RESET ALL and
  // `version +a`, `version -a`, `version a->b` in between.
  std::vector<std::string> journal() const;

  // --- Faults ---
  // Connecting fails from now on; OK ends that.
  void RefuseConnections(absl::Status status);
  void SetReadOnly();
  // The version table and the service's own schema cannot be made.
  void FailPreparation(absl::Status status);
  void FailStatement(const std::string& beginning, ServerError error);
  // The first `times` statements that begin so run into lock_timeout.
  void TimeOutAtLock(const std::string& beginning, int times);
  // What CountBlockedSessions tells.
  void SetBlockedSessions(int count);
  // What ReadLockState tells of every session.
  void SetLockState(const LockState& state);
  // What ReadProgress tells of every session from now on, one after the other; the last stays.
  void SetProgress(const std::vector<migration::v1::StatementProgress>& seen);
  // The sessions that TerminateSession ended.
  std::vector<int> terminated() const;
  // The connection is lost instead of the statement being run.
  void LoseConnectionAt(const std::string& beginning);
  // The connection is lost after the statement was run, before its answer.
  void LoseConnectionAfter(const std::string& beginning);
  // No fault is left.
  void Heal();
  // The connection is lost while COMMIT runs, which succeeds or not.
  void LoseConnectionAtCommit(bool committed);
  // COMMIT is refused, and everything rolled back.
  void FailCommit(ServerError error);
  // Calls `hook` when a COMMIT begins; a Session::Cancel from then until its end is remembered.
  void OnCommit(std::function<void()> hook);
  [[nodiscard]] bool AwaitCancelDuringCommit(absl::Duration timeout);
  // The server says this while the statement runs, `times` times.
  void Say(const std::string& beginning, ServerNotice notice, int times = 1);
  // Somebody who is no session of this database holds the mutex.
  void HoldMutex(const MutexHolder& holder);
  void ReleaseMutex();

  // Waits until a session runs a statement that ends only by Cancel. False after a minute.
  [[nodiscard]] bool AwaitBlockedStatement();
  // How many sessions are open.
  int open_sessions() const;

 private:
  class FakeSession;

  // What a transaction can change.
  struct State {
    VersionRows rows;
    std::set<std::string> tables;
    // By name: what followed the name, in words.
    std::map<std::string, std::string> indexes;
    std::map<std::string, std::string> invalid_indexes;
    std::vector<LogEntry> log;
    Journal journal;
    std::vector<std::string> decisions;
    std::map<std::string, absl::Time> apply_times;
    std::map<std::string, std::string> checksums;
  };

  struct Saying {
    ServerNotice notice;
    int times;
  };

  mutable Mutex mutex_;
  CondVar changed_;
  State committed_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> journal_ ABSL_GUARDED_BY(mutex_);
  absl::optional<MutexHolder> holder_ ABSL_GUARDED_BY(mutex_);
  int next_pid_ ABSL_GUARDED_BY(mutex_) = 1000;
  int open_sessions_ ABSL_GUARDED_BY(mutex_) = 0;
  int blocked_ ABSL_GUARDED_BY(mutex_) = 0;

  absl::Status connect_fault_ ABSL_GUARDED_BY(mutex_);
  absl::Status preparation_fault_ ABSL_GUARDED_BY(mutex_);
  bool read_only_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, ServerError> statement_faults_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> lock_timeouts_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, TableSize> table_sizes_ ABSL_GUARDED_BY(mutex_);
  int blocked_sessions_ ABSL_GUARDED_BY(mutex_) = 0;
  LockState lock_state_ ABSL_GUARDED_BY(mutex_);
  std::vector<migration::v1::StatementProgress> progress_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> terminated_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> losses_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> losses_after_ ABSL_GUARDED_BY(mutex_);
  int builder_pid_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::optional<bool> commit_loss_ ABSL_GUARDED_BY(mutex_);
  absl::optional<ServerError> commit_fault_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> commit_hook_ ABSL_GUARDED_BY(mutex_);
  bool committing_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_in_commit_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Saying> sayings_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace migd
