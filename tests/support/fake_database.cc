#include "tests/support/fake_database.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"

namespace migd {
namespace {

// PostgreSQL's codes for what the fake refuses.
constexpr absl::string_view kSyntaxError = "42601";
constexpr absl::string_view kUndefinedTable = "42P01";
constexpr absl::string_view kUndefinedObject = "42704";
constexpr absl::string_view kDuplicateTable = "42P07";
constexpr absl::string_view kActiveTransaction = "25001";
constexpr absl::string_view kFailedTransaction = "25P02";
constexpr absl::string_view kQueryCanceled = "57014";

// The words of a statement in lower case; whatever stands between them is left out.
std::vector<std::string> WordsOf(absl::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '_') {
      words.back() += absl::ascii_tolower(byte);
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

// Takes `expected` from the front of `words`, if they stand there.
bool Consume(std::vector<std::string>& words, const std::vector<std::string>& expected) {
  if (words.size() < expected.size() ||
      !std::equal(expected.begin(), expected.end(), words.begin())) {
    return false;
  }
  words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(expected.size()));
  return true;
}

StatementResult Refused(absl::string_view sqlstate, const std::string& message, int position = 0) {
  StatementResult result;
  result.error = ServerError{std::string(sqlstate), message, "", "", "", position};
  return result;
}

StatementResult Done(const std::string& tag, int64_t rows = 0) { return {tag, rows, {}}; }

// Where `word` stands in `text`, in characters from 1.
int PositionOf(absl::string_view text, const std::string& word) {
  const size_t found = absl::AsciiStrToLower(text).find(word);
  return found == std::string::npos ? 0 : static_cast<int>(found) + 1;
}

absl::Status Gone() {
  return errors::DatabaseUnavailable("fake", "server closed the connection unexpectedly");
}

// What of `planted` is meant for `text`; null if nothing is.
template <typename Faults>
auto FindByBeginning(Faults& planted, absl::string_view text) {
  return std::find_if(planted.begin(), planted.end(),
                      [text](const auto& entry) { return absl::StartsWith(text, entry.first); });
}

}  // namespace

class FakeDatabase::FakeSession : public Session {
 public:
  FakeSession(FakeDatabase& database, int pid, std::string application)
      : database_(database), pid_(pid), application_(std::move(application)) {}

  int pid() const override { return pid_; }

  ~FakeSession() override {
    MutexLock lock(database_.mutex_);
    --database_.open_sessions_;
    if (IsHolder()) database_.holder_.reset();
    database_.changed_.NotifyAll();
  }

  absl::StatusOr<bool> TryAcquireMutex() override {
    MutexLock lock(database_.mutex_);
    if (lost_) return Gone();
    if (database_.read_only_) return errors::DatabaseReadOnly("fake");
    if (!database_.holder_) database_.holder_ = MutexHolder{pid_, application_, "fake", ""};
    return IsHolder();
  }

  absl::StatusOr<bool> HoldsMutex() override {
    MutexLock lock(database_.mutex_);
    if (lost_) return Gone();
    return IsHolder();
  }

  absl::StatusOr<absl::optional<MutexHolder>> ReadMutexHolder() override {
    MutexLock lock(database_.mutex_);
    if (lost_) return Gone();
    return database_.holder_;
  }

  absl::StatusOr<VersionRows> ReadRows() override {
    MutexLock lock(database_.mutex_);
    if (lost_) return Gone();
    return Current().rows;
  }

  absl::Status PrepareForWriting() override {
    MutexLock lock(database_.mutex_);
    return database_.preparation_fault_.ok() ? Alive() : database_.preparation_fault_;
  }

  absl::Status SetTimeouts(const Timeouts& timeouts) override {
    MutexLock lock(database_.mutex_);
    Record(absl::StrCat("timeouts ", absl::FormatDuration(timeouts.lock_timeout), " ",
                        absl::FormatDuration(timeouts.statement_timeout)));
    return Alive();
  }

  absl::Status SetLockTimeout(absl::Duration timeout) override {
    MutexLock lock(database_.mutex_);
    Record(absl::StrCat("lock timeout ", absl::FormatDuration(timeout)));
    return Alive();
  }

  absl::Status ResetSettings() override {
    MutexLock lock(database_.mutex_);
    Record("RESET ALL");
    return Alive();
  }

  absl::Status Begin() override {
    MutexLock lock(database_.mutex_);
    Record("BEGIN");
    OpenTransaction();
    return Alive();
  }

  absl::StatusOr<StatementResult> Commit() override {
    std::function<void()> hook;
    {
      MutexLock lock(database_.mutex_);
      if (lost_) return Gone();
      database_.committing_ = true;
      hook = database_.commit_hook_;
    }
    if (hook) hook();
    MutexLock lock(database_.mutex_);
    database_.committing_ = false;
    if (database_.commit_loss_) {
      lost_ = true;
      Record("COMMIT lost");
      if (*database_.commit_loss_) database_.committed_ = *transaction_;
      transaction_.reset();
      return Gone();
    }
    if (database_.commit_fault_) {
      Record("COMMIT refused");
      transaction_.reset();
      StatementResult refused;
      refused.error = database_.commit_fault_;
      return refused;
    }
    return CommitNow();
  }

  absl::Status Rollback() override {
    MutexLock lock(database_.mutex_);
    Record("ROLLBACK");
    CloseTransaction();
    return Alive();
  }

  bool InTransaction() const override {
    MutexLock lock(database_.mutex_);
    return transaction_.has_value();
  }

  absl::StatusOr<StatementResult> Execute(const Statement& statement) override {
    Relay(statement.text);
    MutexLock lock(database_.mutex_);
    if (lost_) return Gone();
    Record(std::string(statement.text));
    if (failed_ && !IsTransactionControl(statement.text)) {
      return Refused(kFailedTransaction,
                     "current transaction is aborted, commands ignored until end of transaction "
                     "block");
    }
    for (const std::string& beginning : database_.losses_) {
      if (!absl::StartsWith(statement.text, beginning)) continue;
      lost_ = true;
      transaction_.reset();
      return Gone();
    }
    for (const std::string& beginning : database_.losses_after_) {
      if (!absl::StartsWith(statement.text, beginning)) continue;
      Run(statement.text);
      lost_ = true;
      transaction_.reset();
      return Gone();
    }
    StatementResult result;
    const auto fault = FindByBeginning(database_.statement_faults_, statement.text);
    const auto timeout = FindByBeginning(database_.lock_timeouts_, statement.text);
    if (timeout != database_.lock_timeouts_.end() && timeout->second > 0) {
      --timeout->second;
      result.error = {"55P03", "canceling statement due to lock timeout", "", "", "", 0};
    } else if (fault != database_.statement_faults_.end()) {
      result.error = fault->second;
    } else {
      result = Run(statement.text);
    }
    if (result.error && transaction_) failed_ = true;
    return result;
  }

  absl::StatusOr<absl::optional<ObjectState>> Inspect(const GuardedObject& object) override {
    MutexLock lock(database_.mutex_);
    if (lost_) return Gone();
    const State& state = Current();
    absl::optional<ObjectState> found;
    if (object.kind == "table") {
      found = state.tables.count(object.name) > 0 ? ObjectState::kPresent : ObjectState::kMissing;
    } else if (object.kind == "index") {
      found = state.invalid_indexes.count(object.name) > 0 ? ObjectState::kInvalidIndex
              : state.indexes.count(object.name) > 0       ? ObjectState::kPresent
                                                           : ObjectState::kMissing;
    }
    return found;
  }

  absl::Status WriteVersion(const VersionWrite& write, absl::string_view revision) override {
    MutexLock lock(database_.mutex_);
    if (lost_) return Gone();
    VersionRows& rows = Current().rows;
    bool matched = true;
    switch (write.kind) {
      case VersionWrite::Kind::kInsert:
        Record(absl::StrCat("version +", write.to));
        matched = rows.insert(write.to).second;
        break;
      case VersionWrite::Kind::kDelete:
        Record(absl::StrCat("version -", write.from));
        matched = rows.erase(write.from) == 1;
        break;
      case VersionWrite::Kind::kUpdate:
        Record(absl::StrCat("version ", write.from, "->", write.to));
        matched = rows.erase(write.from) == 1;
        if (matched) rows.insert(write.to);
        break;
    }
    if (matched) return absl::OkStatus();
    return errors::VersionRowMismatch(revision, "expected to match one row; 0 found");
  }

  absl::Status AppendLog(const LogEntry& entry) override {
    MutexLock lock(database_.mutex_);
    if (lost_) return Gone();
    Current().log.push_back(entry);
    if (entry.direction == Step::Direction::kUpgrade) {
      Current().apply_times[entry.revision] = absl::Now();
      Current().checksums[entry.revision] = entry.checksum;
    } else {
      Current().checksums.erase(entry.revision);
    }
    return absl::OkStatus();
  }

  absl::Status AcceptChecksum(const ChecksumAcceptance& acceptance) override {
    MutexLock lock(database_.mutex_);
    if (lost_) return Gone();
    Current().checksums[acceptance.revision] = acceptance.checksum;
    return absl::OkStatus();
  }

  absl::StatusOr<RelationFiles> ReadRelations() override { return database_.ReadRelations(); }

  absl::StatusOr<RelationLocks> ReadHeldLocks() override { return RelationLocks(); }

  absl::StatusOr<BuiltIndex> InspectBuild(const ConcurrentBuild& build) override {
    MutexLock lock(database_.mutex_);
    if (lost_) return Gone();
    const State& state = Current();
    BuiltIndex index;
    if (state.indexes.count(build.name) > 0) index.state = ObjectState::kPresent;
    if (state.invalid_indexes.count(build.name) > 0) {
      index.state = ObjectState::kInvalidIndex;
      index.builder_pid = database_.builder_pid_;
    }
    if (index.state != ObjectState::kMissing) index.name = build.name;
    return index;
  }

  absl::StatusOr<bool> MatchesBuild(const ConcurrentBuild& build) override {
    MutexLock lock(database_.mutex_);
    if (lost_) return Gone();
    const std::string definition =
        Definition(WordsOf(absl::StrCat("on ", build.table, " ", build.definition)));
    for (const auto* indexes : {&Current().indexes, &Current().invalid_indexes}) {
      const auto index = indexes->find(build.name);
      if (index != indexes->end()) return index->second == definition;
    }
    return false;
  }

  absl::StatusOr<Journal> ReadJournal() override {
    MutexLock lock(database_.mutex_);
    if (lost_) return Gone();
    return Current().journal;
  }

  absl::Status RecordStatements(const JournalKey& section, const SectionJournal& entries) override {
    MutexLock lock(database_.mutex_);
    for (const auto& [statement, entry] : entries) {
      if (!lost_) Current().journal[section][statement] = entry;
    }
    return Alive();
  }

  absl::Status RecordDecision(const JournalKey& section, int statement, const JournalEntry& entry,
                              JournalDecision decision) override {
    MutexLock lock(database_.mutex_);
    if (lost_) return Gone();
    const bool skip = decision == JournalDecision::kSkip;
    if (skip) {
      Current().journal[section][statement] = entry;
    } else {
      Erase(section, statement);
    }
    Current().decisions.push_back(
        absl::StrCat(skip ? "skip " : "run ", section.revision, " ", statement));
    return absl::OkStatus();
  }

  absl::Status EraseRecords(const JournalKey& section, absl::optional<int> statement) override {
    MutexLock lock(database_.mutex_);
    if (lost_) return Gone();
    Erase(section, statement);
    return absl::OkStatus();
  }

  void SetNoticeHandler(NoticeHandler handler) override { notice_handler_ = std::move(handler); }

  void Cancel() override {
    MutexLock lock(database_.mutex_);
    if (database_.committing_) database_.cancelled_in_commit_ = true;
    if (running_) cancelled_ = true;
    database_.changed_.NotifyAll();
  }

 private:
  bool IsHolder() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(database_.mutex_) {
    return database_.holder_ && database_.holder_->pid == pid_;
  }

  absl::Status Alive() const { return lost_ ? Gone() : absl::OkStatus(); }

  void Record(std::string line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(database_.mutex_) {
    database_.journal_.push_back(std::move(line));
  }

  static std::string Definition(const std::vector<std::string>& words) {
    return absl::StrJoin(words, " ");
  }

  void Erase(const JournalKey& section, absl::optional<int> statement)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(database_.mutex_) {
    Journal& journal = Current().journal;
    if (statement) journal[section].erase(*statement);
    if (!statement || journal[section].empty()) journal.erase(section);
  }

  // What statements see and change.
  State& Current() ABSL_EXCLUSIVE_LOCKS_REQUIRED(database_.mutex_) {
    return transaction_ ? *transaction_ : database_.committed_;
  }

  void OpenTransaction() ABSL_EXCLUSIVE_LOCKS_REQUIRED(database_.mutex_) {
    transaction_ = database_.committed_;
    failed_ = false;
  }

  void CloseTransaction() {
    transaction_.reset();
    failed_ = false;
  }

  StatementResult CommitNow() ABSL_EXCLUSIVE_LOCKS_REQUIRED(database_.mutex_) {
    Record("COMMIT");
    const bool rolled_back = failed_;
    if (transaction_ && !failed_) database_.committed_ = *transaction_;
    CloseTransaction();
    return Done(rolled_back ? "ROLLBACK" : "COMMIT");
  }

  // Hands on what the server says while `text` runs: to the handler, which may call a session.
  void Relay(absl::string_view text) {
    std::vector<ServerNotice> notices;
    {
      MutexLock lock(database_.mutex_);
      const auto saying = FindByBeginning(database_.sayings_, text);
      if (saying != database_.sayings_.end()) {
        notices.assign(static_cast<size_t>(saying->second.times), saying->second.notice);
      }
    }
    if (absl::StartsWithIgnoreCase(text, "do ")) notices.push_back(RaisedBy(text));
    if (!notice_handler_) return;
    for (const ServerNotice& notice : notices) notice_handler_(notice);
  }

  // The notice of `DO ... RAISE <severity> '<text>'`.
  static ServerNotice RaisedBy(absl::string_view text) {
    ServerNotice notice;
    const size_t raise = text.find("RAISE ");
    const size_t open = text.find('\'', raise);
    if (raise == text.npos || open == text.npos) return notice;
    notice.severity =
        std::string(absl::StripAsciiWhitespace(text.substr(raise + 6, open - raise - 6)));
    notice.sqlstate = notice.severity == "WARNING" ? "01000" : "00000";
    notice.message = std::string(text.substr(open + 1, text.find('\'', open + 1) - open - 1));
    return notice;
  }

  StatementResult Run(absl::string_view text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(database_.mutex_) {
    std::vector<std::string> words = WordsOf(text);
    if (Consume(words, {"select", "pg_sleep"})) return RunUntilCancelled();
    if (Consume(words, {"select"})) {
      if (Consume(words, {"pg_advisory_unlock_all"}) && IsHolder()) database_.holder_.reset();
      return Done("SELECT 1", 1);
    }
    if (Consume(words, {"set"})) return Done("SET");
    if (Consume(words, {"vacuum"})) {
      return transaction_
                 ? Refused(kActiveTransaction, "VACUUM cannot run inside a transaction block")
                 : Done("VACUUM");
    }
    if (Consume(words, {"do"})) return Done("DO");
    if (Consume(words, {"begin"})) {
      OpenTransaction();
      return Done("BEGIN");
    }
    if (Consume(words, {"commit"})) return CommitNow();
    if (Consume(words, {"call", "commits"})) {
      CommitNow();
      return Done("CALL");
    }
    if (Consume(words, {"rollback"})) {
      CloseTransaction();
      return Done("ROLLBACK");
    }
    if (Consume(words, {"insert", "into"})) return Insert(words, text);
    if (Consume(words, {"create"})) return Create(words, text);
    if (Consume(words, {"drop"})) return Drop(words);
    const std::string first = words.empty() ? "" : words.front();
    return Refused(kSyntaxError, absl::StrCat("syntax error at or near \"", first, "\""),
                   PositionOf(text, first));
  }

  StatementResult RunUntilCancelled() ABSL_EXCLUSIVE_LOCKS_REQUIRED(database_.mutex_) {
    running_ = true;
    cancelled_ = false;
    ++database_.blocked_;
    database_.changed_.NotifyAll();
    while (!cancelled_) database_.changed_.Wait(database_.mutex_);
    --database_.blocked_;
    running_ = false;
    return Refused(kQueryCanceled, "canceling statement due to user request");
  }

  StatementResult Insert(const std::vector<std::string>& words, absl::string_view text)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(database_.mutex_) {
    const std::string table = words.empty() ? "" : words.front();
    if (Current().tables.count(table) == 0) {
      return Refused(kUndefinedTable, absl::StrCat("relation \"", table, "\" does not exist"),
                     PositionOf(text, table));
    }
    return Done("INSERT 0 1", 1);
  }

  StatementResult Create(std::vector<std::string>& words, absl::string_view text)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(database_.mutex_) {
    Consume(words, {"unique"});
    const bool index = Consume(words, {"index"});
    if (!index && !Consume(words, {"table"})) {
      const std::string kind = words.empty() ? "" : words.front();
      return Refused(kSyntaxError, absl::StrCat("syntax error at or near \"", kind, "\""),
                     PositionOf(text, kind));
    }
    if (index && Consume(words, {"concurrently"}) && transaction_) {
      return Refused(kActiveTransaction,
                     "CREATE INDEX CONCURRENTLY cannot run inside a transaction block");
    }
    const bool guarded = Consume(words, {"if", "not", "exists"});
    const std::string name = words.empty() ? "" : words.front();
    if (!words.empty()) words.erase(words.begin());
    const bool added = Current().invalid_indexes.count(name) == 0 &&
                       (index ? Current().indexes.emplace(name, Definition(words)).second
                              : Current().tables.insert(name).second);
    if (!added && !guarded) {
      return Refused(kDuplicateTable, absl::StrCat("relation \"", name, "\" already exists"));
    }
    return Done(index ? "CREATE INDEX" : "CREATE TABLE");
  }

  StatementResult Drop(std::vector<std::string>& words)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(database_.mutex_) {
    const bool index = Consume(words, {"index"});
    if (!index) Consume(words, {"table"});
    if (index && Consume(words, {"concurrently"}) && transaction_) {
      return Refused(kActiveTransaction,
                     "DROP INDEX CONCURRENTLY cannot run inside a transaction block");
    }
    const bool guarded = Consume(words, {"if", "exists"});
    const std::string name = words.empty() ? "" : words.front();
    const size_t erased =
        index ? Current().indexes.erase(name) + Current().invalid_indexes.erase(name)
              : Current().tables.erase(name);
    if (erased == 0 && !guarded) {
      return index ? Refused(kUndefinedObject, absl::StrCat("index \"", name, "\" does not exist"))
                   : Refused(kUndefinedTable, absl::StrCat("table \"", name, "\" does not exist"));
    }
    return Done(index ? "DROP INDEX" : "DROP TABLE");
  }

  FakeDatabase& database_;
  const int pid_;
  const std::string application_;
  NoticeHandler notice_handler_;
  // Of the thread that uses the session; the database's mutex guards what Cancel touches.
  absl::optional<State> transaction_;
  bool failed_ = false;
  bool lost_ = false;
  bool running_ ABSL_GUARDED_BY(database_.mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(database_.mutex_) = false;
};

FakeDatabase::FakeDatabase() = default;
FakeDatabase::~FakeDatabase() = default;

absl::StatusOr<std::unique_ptr<Session>> FakeDatabase::OpenSession(absl::string_view operation) {
  MutexLock lock(mutex_);
  if (!connect_fault_.ok()) return connect_fault_;
  ++open_sessions_;
  return std::make_unique<FakeSession>(*this, ++next_pid_, absl::StrCat("migd ", operation));
}

absl::StatusOr<VersionRows> FakeDatabase::ReadRows() {
  MutexLock lock(mutex_);
  if (!connect_fault_.ok()) return connect_fault_;
  return committed_.rows;
}

absl::StatusOr<std::map<std::string, absl::Time>> FakeDatabase::ReadApplyTimes() {
  MutexLock lock(mutex_);
  if (!connect_fault_.ok()) return connect_fault_;
  return committed_.apply_times;
}

absl::StatusOr<DatedRows> FakeDatabase::ReadDatedRows() {
  MutexLock lock(mutex_);
  if (!connect_fault_.ok()) return connect_fault_;
  DatedRows dated = {committed_.rows, {}};
  for (const std::string& row : dated.rows) {
    const auto time = committed_.apply_times.find(row);
    if (time != committed_.apply_times.end()) dated.apply_times.insert(*time);
  }
  return dated;
}

absl::StatusOr<std::map<std::string, std::string>> FakeDatabase::ReadChecksums() {
  MutexLock lock(mutex_);
  if (!connect_fault_.ok()) return connect_fault_;
  return committed_.checksums;
}

absl::StatusOr<Schema> FakeDatabase::ReadSchema() {
  MutexLock lock(mutex_);
  if (!connect_fault_.ok()) return connect_fault_;
  Schema schema;
  for (const std::string& table : committed_.tables) schema[{"table", "public." + table}] = {};
  return schema;
}

absl::StatusOr<CatalogFacts> FakeDatabase::ReadCatalogFacts(const CatalogQuestion& question) {
  MutexLock lock(mutex_);
  if (!connect_fault_.ok()) return connect_fault_;
  CatalogFacts facts;
  std::set<CatalogName> names = question.relations;
  for (const DropTarget& target : question.drops) names.insert(target.name);
  for (const CatalogName& name : names) {
    if (committed_.tables.count(name.name) == 0) continue;
    const RelationId id = static_cast<RelationId>(facts.names.size()) + 1;
    facts.names[name] = id;
    facts.relations[id].schema = "public";
    facts.relations[id].name = name.name;
  }
  for (const DropTarget& target : question.drops) {
    const auto table = facts.names.find(target.name);
    if (table == facts.names.end() || target.kind != "table") continue;
    facts.drops[target].dropped = {{table->second, "", false}};
    facts.drops[target].locked = {{table->second, "", false}};
  }
  return facts;
}

absl::StatusOr<std::map<std::string, TableSize>> FakeDatabase::ReadTableSizes(
    const std::vector<std::string>& relations) {
  MutexLock lock(mutex_);
  if (!connect_fault_.ok()) return connect_fault_;
  std::map<std::string, TableSize> sizes;
  for (const std::string& relation : relations) {
    if (committed_.tables.count(relation) == 0) continue;
    const auto size = table_sizes_.find(relation);
    sizes[relation] = size == table_sizes_.end() ? TableSize{0} : size->second;
  }
  return sizes;
}

void FakeDatabase::SetTableSize(const std::string& name, TableSize size) {
  MutexLock lock(mutex_);
  table_sizes_[name] = size;
}

void FakeDatabase::SetRows(const VersionRows& rows) {
  MutexLock lock(mutex_);
  committed_.rows = rows;
}

void FakeDatabase::AddTable(const std::string& name) {
  MutexLock lock(mutex_);
  committed_.tables.insert(name);
}

void FakeDatabase::AddInvalidIndex(const std::string& name, const std::string& definition) {
  MutexLock lock(mutex_);
  committed_.invalid_indexes[name] = absl::StrJoin(WordsOf(definition), " ");
}

void FakeDatabase::SetBuilder(int pid) {
  MutexLock lock(mutex_);
  builder_pid_ = pid;
}

bool FakeDatabase::HasIndex(const std::string& name) const {
  MutexLock lock(mutex_);
  return committed_.indexes.count(name) > 0;
}

Journal FakeDatabase::statement_journal() const {
  MutexLock lock(mutex_);
  return committed_.journal;
}

std::vector<std::string> FakeDatabase::decisions() const {
  MutexLock lock(mutex_);
  return committed_.decisions;
}

bool FakeDatabase::HasTable(const std::string& name) const {
  MutexLock lock(mutex_);
  return committed_.tables.count(name) > 0;
}

std::vector<LogEntry> FakeDatabase::log() const {
  MutexLock lock(mutex_);
  return committed_.log;
}

std::vector<std::string> FakeDatabase::journal() const {
  MutexLock lock(mutex_);
  return journal_;
}

void FakeDatabase::RefuseConnections(absl::Status status) {
  MutexLock lock(mutex_);
  connect_fault_ = std::move(status);
}

void FakeDatabase::SetReadOnly() {
  MutexLock lock(mutex_);
  read_only_ = true;
}

void FakeDatabase::FailPreparation(absl::Status status) {
  MutexLock lock(mutex_);
  preparation_fault_ = std::move(status);
}

void FakeDatabase::FailStatement(const std::string& beginning, ServerError error) {
  MutexLock lock(mutex_);
  statement_faults_[beginning] = std::move(error);
}

void FakeDatabase::TimeOutAtLock(const std::string& beginning, int times) {
  MutexLock lock(mutex_);
  lock_timeouts_[beginning] = times;
}

void FakeDatabase::SetLockState(const LockState& state) {
  MutexLock lock(mutex_);
  lock_state_ = state;
}

absl::StatusOr<RelationFiles> FakeDatabase::ReadRelations() {
  MutexLock lock(mutex_);
  RelationFiles relations;
  int64_t number = 0;
  for (const std::string& table : committed_.tables) relations[++number].name = table;
  return relations;
}

absl::StatusOr<RelationLocks> FakeDatabase::ReadHeldLocks(int) { return RelationLocks(); }

void FakeDatabase::SetBlockedSessions(int count) {
  MutexLock lock(mutex_);
  blocked_sessions_ = count;
}

absl::StatusOr<int> FakeDatabase::CountBlockedSessions() {
  MutexLock lock(mutex_);
  return blocked_sessions_;
}

absl::StatusOr<LockState> FakeDatabase::ReadLockState(int) {
  MutexLock lock(mutex_);
  return lock_state_;
}

void FakeDatabase::SetProgress(const std::vector<migration::v1::StatementProgress>& seen) {
  MutexLock lock(mutex_);
  progress_ = seen;
}

absl::StatusOr<absl::optional<migration::v1::StatementProgress>> FakeDatabase::ReadProgress(int) {
  MutexLock lock(mutex_);
  if (progress_.empty()) return absl::optional<migration::v1::StatementProgress>();
  const migration::v1::StatementProgress seen = progress_.front();
  if (progress_.size() > 1) progress_.erase(progress_.begin());
  return absl::make_optional(seen);
}

absl::StatusOr<bool> FakeDatabase::TerminateSession(int pid) {
  MutexLock lock(mutex_);
  terminated_.push_back(pid);
  return true;
}

std::vector<int> FakeDatabase::terminated() const {
  MutexLock lock(mutex_);
  return terminated_;
}

void FakeDatabase::LoseConnectionAt(const std::string& beginning) {
  MutexLock lock(mutex_);
  losses_.insert(beginning);
}

void FakeDatabase::LoseConnectionAfter(const std::string& beginning) {
  MutexLock lock(mutex_);
  losses_after_.insert(beginning);
}

void FakeDatabase::Heal() {
  MutexLock lock(mutex_);
  connect_fault_ = absl::OkStatus();
  preparation_fault_ = absl::OkStatus();
  read_only_ = false;
  statement_faults_.clear();
  losses_.clear();
  losses_after_.clear();
  commit_loss_.reset();
  commit_fault_.reset();
}

void FakeDatabase::LoseConnectionAtCommit(bool committed) {
  MutexLock lock(mutex_);
  commit_loss_ = committed;
}

void FakeDatabase::FailCommit(ServerError error) {
  MutexLock lock(mutex_);
  commit_fault_ = std::move(error);
}

void FakeDatabase::OnCommit(std::function<void()> hook) {
  MutexLock lock(mutex_);
  commit_hook_ = std::move(hook);
}

bool FakeDatabase::AwaitCancelDuringCommit(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  MutexLock lock(mutex_);
  while (!cancelled_in_commit_ && absl::Now() < deadline) {
    changed_.WaitFor(mutex_, deadline - absl::Now());
  }
  return cancelled_in_commit_;
}

void FakeDatabase::Say(const std::string& beginning, ServerNotice notice, int times) {
  MutexLock lock(mutex_);
  sayings_[beginning] = {std::move(notice), times};
}

void FakeDatabase::HoldMutex(const MutexHolder& holder) {
  MutexLock lock(mutex_);
  holder_ = holder;
}

void FakeDatabase::ReleaseMutex() {
  MutexLock lock(mutex_);
  holder_.reset();
}

bool FakeDatabase::AwaitBlockedStatement() {
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  MutexLock lock(mutex_);
  while (blocked_ == 0 && absl::Now() < deadline) {
    changed_.WaitFor(mutex_, deadline - absl::Now());
  }
  return blocked_ > 0;
}

int FakeDatabase::open_sessions() const {
  MutexLock lock(mutex_);
  return open_sessions_;
}

}  // namespace migd
