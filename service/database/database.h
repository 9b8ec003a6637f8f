// What the engine needs of a database, in the words of migrations. One implementation talks to
// PostgreSQL (service/postgres/); tests have another. Both pass the same contract suite.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "migration/v1/error.pb.h"
#include "migration/v1/operation.pb.h"
#include "service/database/catalog_facts.h"
#include "service/database/relation_use.h"
#include "service/plan/plan.h"
#include "service/schema/schema.h"
#include "service/script/run_mode.h"
#include "service/script/statement.h"

namespace migd {

// What the server says about a statement that it refuses. Named as PostgreSQL's error fields.
struct ServerError {
  std::string sqlstate;
  std::string message;
  std::string detail;
  std::string hint;
  std::string context;
  // Where in the statement, in characters from 1; 0 if the server does not say.
  int position = 0;
};

// What a statement that ran returned.
struct StatementResult {
  std::string command_tag;
  // Rows returned or affected.
  int64_t rows = 0;
  // Set if the server refused the statement; the connection is still good.
  absl::optional<ServerError> error;
};

// Something that the server said while a statement ran.
struct ServerNotice {
  std::string severity;
  std::string sqlstate;
  std::string message;
  std::string detail;
  std::string hint;
};

// Who holds the mutex, as far as the server tells.
struct MutexHolder {
  int pid = 0;
  std::string application;
  std::string user;
  std::string address;

  friend bool operator==(const MutexHolder&, const MutexHolder&) = default;
};

// How an object stands in the catalogue.
enum class ObjectState {
  kMissing,
  kPresent,
  // An index that is there but not valid: its concurrent build did not finish.
  kInvalidIndex,
};

// What a session waits for, as another one sees it.
struct LockState {
  // A relation's name, or the kind of another lock, such as "transactionid".
  std::string relation;
  // Such as "AccessExclusiveLock".
  std::string mode;
  // In the order of their process ids; nobody if the session does not wait.
  std::vector<migration::v1::Blocker> blockers;
};

// How large a relation is.
struct TableSize {
  // Its rows, and what is stored beside them (TOAST), with its partitions, without indexes. Nothing
  // if somebody has it locked so that it cannot be told.
  absl::optional<int64_t> bytes;
};

// How long statements may wait and run. Zero sets no limit.
struct Timeouts {
  absl::Duration lock_timeout;
  absl::Duration statement_timeout;

  friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

// Where the version table is or would be. Without a schema, where the search_path finds it, else in
// the first schema of the search_path.
struct VersionTable {
  std::string schema;
  std::string name = "alembic_version";
};

// The rows of the version table, and when their revisions were last applied, as far as is known.
struct DatedRows {
  VersionRows rows;
  std::map<std::string, absl::Time> apply_times;
};

// One row of the log of applied revisions.
struct LogEntry {
  std::string revision;
  Step::Direction direction = Step::Direction::kUpgrade;
  // MigrationFile::checksum(); empty for a stamp.
  std::string checksum;
  std::string operation;
  // When the transaction began that writes it, if it is not said.
  absl::optional<absl::Time> start_time;
  VersionRows resulting_rows;
};

// A migration file that is accepted though it is not the one that was applied.
struct ChecksumAcceptance {
  std::string revision;
  // MigrationFile::checksum() of the file.
  std::string checksum;
  std::string operation;
};

// One section in the journal of statements.
struct JournalKey {
  std::string revision;
  Step::Direction direction = Step::Direction::kUpgrade;

  friend auto operator<=>(const JournalKey&, const JournalKey&) = default;
};

// What the journal has of one statement. A statement that it does not have was not sent, or the
// server refused it.
struct JournalEntry {
  enum class State {
    // It was to be sent; nobody knows what became of it.
    kStarted,
    kFinished,
    // Somebody decided that it counts as done.
    kSkipped,
  };
  State state = State::kStarted;
  // ComputeFingerprint().
  std::string fingerprint;
  // The beginning of its text, for people, without passwords.
  std::string summary;
  // The operation that ran it.
  std::string operation;
  // The catalogue tells what became of the statement, and PostgreSQL logs the entry before anything
  // that the statement does: it need not be on the disk first. Not stored.
  bool may_be_lost = false;
};

// By index, from 1.
using SectionJournal = std::map<int, JournalEntry>;
using Journal = std::map<JournalKey, SectionJournal>;

// What somebody has decided about a statement in question.
enum class JournalDecision { kRun, kSkip };

// The index of a concurrent build, as it stands in the catalogue.
struct BuiltIndex {
  // kPresent also for a relation of this name that is no index.
  ObjectState state = ObjectState::kMissing;
  // Its name with its schema, as SQL; empty if it is missing.
  std::string name;
  // Of an INVALID index: another session that may be building it; 0 if there is none.
  int builder_pid = 0;
};

// What a step leaves behind: its version rows and its entry in the log.
struct StepEnd {
  absl::Span<const VersionWrite> writes;
  LogEntry log;
};

// A part of a step that runs in a transaction, which is sent without a wait between the statements.
struct StepPart {
  // Set if a transaction is open that is to be committed before anything else, that of the step
  // before; called as soon as it is known what became of it. If the server refused, everything is
  // rolled back and nothing of the part runs; then, and if the status is not OK, the part ends with
  // that status.
  std::function<absl::Status(const StatementResult& result)> on_commit;
  // Set for the first: the timeouts are set and the transaction is begun before the statements.
  absl::optional<Timeouts> begin;
  // Each RunsTogether().
  absl::Span<const Statement> statements;
  // What is looked up before the statement of the same index, as Inspect does it. None before those
  // that it is too short for.
  absl::Span<const std::vector<GuardedObject>> lookups;
  // Called with what Inspect says of the objects before a statement, if there is one of a kind that
  // can be looked up. If the status is not OK the part ends with it; the statement may have run.
  std::function<absl::Status(size_t statement,
                             const std::vector<absl::optional<ObjectState>>& states)>
      on_lookup;
  // Set for the last: behind the statements the settings are reset, it is made sure that the mutex
  // is held, and this is written.
  absl::optional<StepEnd> end;
  // With `end`: if all goes well the transaction is committed, whatever comes then. The COMMIT may
  // be on its way once the handler has said OK of the last statement, and nothing but Commit(), or
  // a part with `on_commit`, may be called behind this part. If the connection is lost from then
  // on, nobody knows whether the step was committed.
  bool is_committed = false;
  // With `is_committed`, may be set: asked once the handler has said OK of the last statement for
  // the part behind the COMMIT, which has an `on_commit`; null if there is none, or it is not known
  // yet. It may be on its way with the COMMIT: nothing but RunPart with this very part may be
  // called then, and it must not change or go before.
  std::function<const StepPart*()> next;
};

// One connection, for the run of one operation. Used by one thread, except Cancel. Destroying it
// rolls back what is open and releases the mutex.
//
// What a migration's statement does wrong is a value (StatementResult::error). After a non-OK
// status of any function the caller rolls back, and goes no further with the operation; the
// connection itself is lost only if the status says DATABASE_UNAVAILABLE.
class Session {
 public:
  using NoticeHandler = std::function<void(const ServerNotice&)>;

  virtual ~Session() = default;

  // The process id of the server's end of the connection.
  virtual int pid() const = 0;

  // Takes the mutex that lets one operation at a time migrate the database, on this very
  // connection. Never waits: false if somebody else has it. Not inside a transaction.
  // DatabaseReadOnly if migrations cannot be run here at all.
  virtual absl::StatusOr<bool> TryAcquireMutex() = 0;
  // Whether this connection still has it.
  virtual absl::StatusOr<bool> HoldsMutex() = 0;
  // Who has it; nothing if nobody has.
  virtual absl::StatusOr<absl::optional<MutexHolder>> ReadMutexHolder() = 0;

  // The rows of the version table; none if there is no such table.
  virtual absl::StatusOr<VersionRows> ReadRows() = 0;
  // Makes the version table and the service's own schema if they are missing.
  // InsufficientPrivilege names all that the role lacks for this, and for what a migration is
  // recorded with, at once.
  virtual absl::Status PrepareForWriting() = 0;

  // Sets the timeouts of everything that follows, the service's own queries included.
  virtual absl::Status SetTimeouts(const Timeouts& timeouts) = 0;
  // Sets the lock timeout alone, until SetTimeouts or ResetSettings.
  virtual absl::Status SetLockTimeout(absl::Duration timeout) = 0;
  // Undoes what the statements of a revision set for the session (SET, SET ROLE), so that it
  // touches neither the version table nor the next revision. The lock timeout is that of the last
  // SetTimeouts again; there is no statement timeout, which is meant for migrations.
  virtual absl::Status ResetSettings() = 0;

  virtual absl::Status Begin() = 0;
  // StatementResult::error if the server refused, for example by a deferred constraint: everything
  // is rolled back then. If the connection is lost, nobody knows whether it was committed.
  virtual absl::StatusOr<StatementResult> Commit() = 0;
  virtual absl::Status Rollback() = 0;
  // Whether a transaction is open, also one that a statement opened, or one that has failed.
  virtual bool InTransaction() const = 0;

  // Runs one statement of a migration, with its COPY data.
  virtual absl::StatusOr<StatementResult> Execute(const Statement& statement) = 0;
  // Called after the statement of this index among those of the part, as soon as the server has
  // told of its end. What follows it is being sent, or runs already, inside the same transaction.
  using StatementHandler = std::function<absl::Status(size_t index, const StatementResult& result)>;
  // Runs a part of a step: up to the first statement that the server refuses, which `on_statement`
  // is told, or for which it returns another status than OK, which is returned. MutexLost;
  // VersionRowMismatch as WriteVersion.
  virtual absl::Status RunPart(const StepPart& part, const StatementHandler& on_statement);
  // Looks an object up in the catalogue, as the statement that guards it would. A guarded object
  // of a kind that cannot be looked up is std::nullopt.
  virtual absl::StatusOr<absl::optional<ObjectState>> Inspect(const GuardedObject& object) = 0;

  // Makes one write to the version table and checks that it matched exactly one row.
  // VersionRowMismatch if not.
  virtual absl::Status WriteVersion(const VersionWrite& write, absl::string_view revision) = 0;
  // Adds to the log of applied revisions.
  virtual absl::Status AppendLog(const LogEntry& entry) = 0;
  // Adds to the log, for good. Not inside a transaction, after PrepareForWriting.
  virtual absl::Status AcceptChecksum(const ChecksumAcceptance& acceptance) = 0;

  // What is needed of the index of a concurrent build. Not inside a transaction.
  virtual absl::StatusOr<BuiltIndex> InspectBuild(const ConcurrentBuild& build) = 0;
  // Whether the index that is there has the definition that `build` would give it, as the server
  // understands both. False also if that cannot be found out. Not inside a transaction.
  virtual absl::StatusOr<bool> MatchesBuild(const ConcurrentBuild& build) = 0;

  // The relations that this session sees, but for PostgreSQL's own and temporary ones.
  virtual absl::StatusOr<RelationFiles> ReadRelations() = 0;
  // The locks that it holds on such relations, but for indexes. Also in a transaction.
  virtual absl::StatusOr<RelationLocks> ReadHeldLocks() = 0;

  // The journal of statements, of this version table: all sections that are half done.
  virtual absl::StatusOr<Journal> ReadJournal() = 0;
  // Writes the entries, over those that are there: in the transaction that is open, or in one of
  // its own. What the migration has set for the session (SET ROLE) does not disturb it. Those that
  // may be lost all together are if PostgreSQL crashes within the next moments.
  virtual absl::Status RecordStatements(const JournalKey& section,
                                        const SectionJournal& entries) = 0;
  // Writes the entry of a statement that is skipped, removes that of one that is to run, and adds
  // the decision to the log, for good.
  virtual absl::Status RecordDecision(const JournalKey& section, int statement,
                                      const JournalEntry& entry, JournalDecision decision) = 0;
  // Removes the entry of one statement, or of all.
  virtual absl::Status EraseRecords(const JournalKey& section, absl::optional<int> statement) = 0;

  // What the server says from now on goes to `handler`, on the thread that uses the session.
  virtual void SetNoticeHandler(NoticeHandler handler) = 0;

  // Asks the server to end the running statement; nothing happens if none runs. Returns within a
  // second or so, even if the server cannot be reached: the request may still arrive then.
  // Thread-safe.
  virtual void Cancel() = 0;

 private:
  // What StepPart has to look up before a statement.
  absl::Status LookUp(const StepPart& part, size_t statement);
};

// One configured place to migrate. Thread-safe.
//
// Errors of every function: DatabaseUnavailable, DatabaseLoginRefused, DatabaseMissing,
// DatabaseUnsuitable, PooledConnection.
class Database {
 public:
  virtual ~Database() = default;

  // Opens a connection for `operation`, which is shown to others as the connection's name: an id,
  // and whatever else is to be known of it, some fifty characters at most.
  virtual absl::StatusOr<std::unique_ptr<Session>> OpenSession(absl::string_view operation) = 0;

  // Takes back a session of OpenSession in which no statement of a migration was run, for the next
  // that is opened. The mutex is released.
  virtual void TakeBack(std::unique_ptr<Session> session) { session.reset(); }

  // The rows of the version table; none if there is no such table. Writes nothing.
  virtual absl::StatusOr<VersionRows> ReadRows() = 0;

  // When each revision was last applied, as far as the log knows. Writes nothing.
  virtual absl::StatusOr<std::map<std::string, absl::Time>> ReadApplyTimes() = 0;

  // The rows, and of the revisions that they name when each was last applied. Writes nothing; it is
  // what is asked most, and costs no more than a look at both tables.
  virtual absl::StatusOr<DatedRows> ReadDatedRows() = 0;

  // The checksum of each revision that was applied last, or accepted since, as far as the log
  // knows: none of one that was taken down or stamped after that. Writes nothing.
  virtual absl::StatusOr<std::map<std::string, std::string>> ReadChecksums() = 0;

  // Everything that the catalogue has, in one snapshot. Reads the catalogue only; LockTimeout if
  // somebody keeps a table that a view reads locked against reading.
  virtual absl::StatusOr<Schema> ReadSchema() = 0;

  // What the catalogue says of the relations, types, functions and objects in question, and of
  // those that go with them. Reads the catalogue only, and waits for no lock on a table.
  virtual absl::StatusOr<CatalogFacts> ReadCatalogFacts(const CatalogQuestion& question) = 0;

  // As Session::ReadRelations. Waits for no lock.
  virtual absl::StatusOr<RelationFiles> ReadRelations() = 0;
  // The locks that the session `pid` holds, as Session::ReadHeldLocks.
  virtual absl::StatusOr<RelationLocks> ReadHeldLocks(int pid) = 0;

  // The sizes of those of `relations`, names as SQL, that exist. Waits for no lock on a table.
  virtual absl::StatusOr<std::map<std::string, TableSize>> ReadTableSizes(
      const std::vector<std::string>& relations) = 0;

  // Who keeps the session `pid` waiting. Does not wait for locks.
  virtual absl::StatusOr<LockState> ReadLockState(int pid) = 0;
  // What the session `pid` does, with the fields that the server knows: from `command` to
  // `locker_pid`. Nothing if it does nothing that the server tells the progress of.
  virtual absl::StatusOr<absl::optional<migration::v1::StatementProgress>> ReadProgress(
      int pid) = 0;
  // How many sessions wait for a lock that an operation holds, whichever server runs it.
  virtual absl::StatusOr<int> CountBlockedSessions() = 0;
  // Ends a session of this database. False if there is none of this pid any more;
  // InsufficientPrivilege if the role may not end it.
  virtual absl::StatusOr<bool> TerminateSession(int pid) = 0;

  // The server stops: whoever waits for a connection, now or later, does so for a moment only. The
  // default is for what never waits.
  virtual void Hurry() {}
};

}  // namespace migd
