// What every implementation of Database does: one suite, instantiated for each of them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/database/database.h"

namespace migd {

// Makes a fresh, empty database.
using DatabaseFactory = std::function<std::unique_ptr<Database>()>;

class DatabaseContract : public ::testing::TestWithParam<DatabaseFactory> {
 protected:
  DatabaseContract() : database_(GetParam()()) {}

  std::unique_ptr<Session> OpenSession(const std::string& operation = "op") {
    auto session = database_->OpenSession(operation);
    EXPECT_TRUE(session.ok()) << session.status();
    return *std::move(session);
  }

  // A session that can write.
  std::unique_ptr<Session> OpenWriter() {
    auto session = OpenSession();
    EXPECT_TRUE(session->PrepareForWriting().ok());
    return session;
  }

  static StatementResult Run(Session& session, const std::string& sql) {
    Statement statement;
    statement.text = sql;
    const auto result = session.Execute(statement);
    EXPECT_TRUE(result.ok()) << sql << ": " << result.status();
    return result.value_or(StatementResult());
  }

  static std::string SqlstateOf(Session& session, const std::string& sql) {
    const StatementResult result = Run(session, sql);
    return result.error ? result.error->sqlstate : "";
  }

  static absl::Status Insert(Session& session, const std::string& row) {
    return session.WriteVersion({VersionWrite::Kind::kInsert, "", row}, row);
  }

  static ObjectState StateOf(Session& session, const std::string& kind, const std::string& name) {
    GuardedObject object;
    object.kind = kind;
    object.name = name;
    object.guard = GuardedObject::Guard::kIfExists;
    const auto state = session.Inspect(object);
    EXPECT_TRUE(state.ok() && state->has_value()) << kind << " " << name;
    return state->value_or(ObjectState::kInvalidIndex);
  }

  VersionRows CommittedRows() {
    const auto rows = database_->ReadRows();
    EXPECT_TRUE(rows.ok()) << rows.status();
    return rows.value_or(VersionRows());
  }

  static LogEntry Entry(const std::string& revision, Step::Direction direction) {
    return {revision, direction, "checksum", "op", absl::Now(), {revision}};
  }

  static JournalEntry Record(JournalEntry::State state) {
    return {state, "f00d", "INSERT 'ä' \\ INTO \"t\"", "op"};
  }

  // Until `condition` holds; for what a server does on its own time.
  template <typename Condition>
  static bool Eventually(Condition condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(2));
    }
    return true;
  }

  const std::unique_ptr<Database> database_;
};

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST_P(DatabaseContract, AFreshDatabaseHasNeitherRowsNorApplyTimes) {
  EXPECT_THAT(CommittedRows(), IsEmpty());
  EXPECT_THAT(OpenSession()->ReadRows().value(), IsEmpty());
  EXPECT_THAT(database_->ReadApplyTimes().value(), IsEmpty());
}

TEST_P(DatabaseContract, PreparingTwiceIsPreparingOnce) {
  const auto session = OpenWriter();
  ASSERT_TRUE(Insert(*session, "a").ok());
  EXPECT_TRUE(session->PrepareForWriting().ok());
  EXPECT_THAT(CommittedRows(), ElementsAre("a"));
}

TEST_P(DatabaseContract, WritesInsertUpdateAndDeleteRows) {
  const auto session = OpenWriter();
  ASSERT_TRUE(Insert(*session, "a").ok());
  ASSERT_TRUE(Insert(*session, "b").ok());
  ASSERT_TRUE(session->WriteVersion({VersionWrite::Kind::kUpdate, "a", "c"}, "c").ok());
  ASSERT_TRUE(session->WriteVersion({VersionWrite::Kind::kDelete, "b", ""}, "b").ok());
  EXPECT_THAT(CommittedRows(), ElementsAre("c"));
  EXPECT_THAT(session->ReadRows().value(), ElementsAre("c"));
}

TEST_P(DatabaseContract, AWriteThatDoesNotMatchOneRowIsRefused) {
  const auto session = OpenWriter();
  ASSERT_TRUE(Insert(*session, "a").ok());
  const std::vector<VersionWrite> mismatches = {{VersionWrite::Kind::kInsert, "", "a"},
                                                {VersionWrite::Kind::kUpdate, "x", "y"},
                                                {VersionWrite::Kind::kDelete, "x", ""}};
  for (const VersionWrite& write : mismatches) {
    EXPECT_EQ(errors::ReasonOf(session->WriteVersion(write, "r")),
              migration::v1::ERROR_REASON_VERSION_ROW_MISMATCH)
        << write.from << " -> " << write.to;
  }
  EXPECT_THAT(CommittedRows(), ElementsAre("a"));
}

TEST_P(DatabaseContract, OthersSeeATransactionOnlyAfterItsCommit) {
  const auto session = OpenWriter();
  ASSERT_TRUE(session->Begin().ok());
  ASSERT_TRUE(Insert(*session, "a").ok());
  EXPECT_THAT(CommittedRows(), IsEmpty());
  EXPECT_THAT(session->ReadRows().value(), ElementsAre("a"));

  const auto committed = session->Commit();
  ASSERT_TRUE(committed.ok());
  EXPECT_EQ(committed->command_tag, "COMMIT");
  EXPECT_FALSE(committed->error.has_value());
  EXPECT_THAT(CommittedRows(), ElementsAre("a"));
}

TEST_P(DatabaseContract, RollbackUndoesStatementsRowsAndLog) {
  const auto session = OpenWriter();
  ASSERT_TRUE(session->Begin().ok());
  Run(*session, "CREATE TABLE t (a int)");
  ASSERT_TRUE(Insert(*session, "a").ok());
  ASSERT_TRUE(session->AppendLog(Entry("a", Step::Direction::kUpgrade)).ok());
  ASSERT_TRUE(session->Rollback().ok());

  EXPECT_EQ(StateOf(*session, "table", "t"), ObjectState::kMissing);
  EXPECT_THAT(CommittedRows(), IsEmpty());
  EXPECT_THAT(database_->ReadApplyTimes().value(), IsEmpty());
}

TEST_P(DatabaseContract, ASessionThatEndsRollsBackWhatIsOpen) {
  {
    const auto session = OpenWriter();
    ASSERT_TRUE(session->Begin().ok());
    ASSERT_TRUE(Insert(*session, "a").ok());
  }
  const auto next = OpenWriter();
  // Waits for the row if the other transaction has not ended yet.
  EXPECT_TRUE(Insert(*next, "a").ok());
}

TEST_P(DatabaseContract, TheMutexHasOneHolder) {
  const auto first = OpenSession("first");
  const auto second = OpenSession("second");
  EXPECT_TRUE(first->TryAcquireMutex().value());
  EXPECT_FALSE(second->TryAcquireMutex().value());
}

TEST_P(DatabaseContract, KnowsWhetherItStillHoldsTheMutex) {
  const auto session = OpenSession();
  const auto other = OpenSession("other");
  EXPECT_FALSE(session->HoldsMutex().value());
  ASSERT_TRUE(session->TryAcquireMutex().value());
  EXPECT_TRUE(session->HoldsMutex().value());
  EXPECT_FALSE(other->HoldsMutex().value());
  Run(*session, "SELECT pg_advisory_unlock_all()");
  EXPECT_FALSE(session->HoldsMutex().value());
  ASSERT_TRUE(other->TryAcquireMutex().value());
  EXPECT_FALSE(session->HoldsMutex().value());
}

TEST_P(DatabaseContract, TheMutexNamesItsHolder) {
  const auto observer = OpenSession("observer");
  EXPECT_FALSE(observer->ReadMutexHolder().value().has_value());

  const auto holder = OpenSession("7k2m");
  ASSERT_TRUE(holder->TryAcquireMutex().value());
  const auto found = observer->ReadMutexHolder().value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->application, "migd 7k2m");
  EXPECT_GT(found->pid, 0);
  EXPECT_NE(found->user, "");
}

TEST_P(DatabaseContract, TheMutexOutlivesTransactionsAndEndsWithItsSession) {
  auto holder = OpenSession("holder");
  const auto other = OpenSession("other");
  ASSERT_TRUE(holder->TryAcquireMutex().value());
  ASSERT_TRUE(holder->Begin().ok());
  ASSERT_TRUE(holder->Rollback().ok());
  ASSERT_TRUE(holder->ResetSettings().ok());
  EXPECT_FALSE(other->TryAcquireMutex().value());

  holder.reset();
  EXPECT_TRUE(Eventually([&] { return other->TryAcquireMutex().value(); }));
}

// --- Parts of steps ---

inline std::vector<Statement> StatementsOf(const std::vector<const char*>& texts) {
  std::vector<Statement> statements(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) statements[i].text = texts[i];
  return statements;
}

TEST_P(DatabaseContract, RunsAStepInOnePart) {
  const auto session = OpenWriter();
  ASSERT_TRUE(session->TryAcquireMutex().value());
  const auto statements = StatementsOf({"CREATE TABLE a ()", "CREATE TABLE b ()"});
  const std::vector<VersionWrite> writes = {{VersionWrite::Kind::kInsert, "", "r1"}};
  StepPart part;
  part.begin = Timeouts();
  part.statements = statements;
  part.end = StepEnd{writes, {"r1", Step::Direction::kUpgrade, "sum", "op", absl::Now(), {"r1"}}};
  std::vector<size_t> told;
  const absl::Status status =
      session->RunPart(part, [&](size_t index, const StatementResult& result) {
        EXPECT_FALSE(result.error.has_value());
        told.push_back(index);
        return absl::OkStatus();
      });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(told, (std::vector<size_t>{0, 1}));
  EXPECT_TRUE(session->InTransaction());
  EXPECT_EQ(database_->ReadRows().value(), VersionRows());
  ASSERT_FALSE(session->Commit()->error.has_value());
  EXPECT_EQ(database_->ReadRows().value(), VersionRows{"r1"});
  EXPECT_EQ(database_->ReadChecksums().value().at("r1"), "sum");
  EXPECT_EQ(StateOf(*session, "table", "b"), ObjectState::kPresent);
}

TEST_P(DatabaseContract, AStepCanComeInSeveralParts) {
  const auto session = OpenWriter();
  ASSERT_TRUE(session->TryAcquireMutex().value());
  const auto no_statement = [](size_t, const StatementResult&) { return absl::OkStatus(); };
  StepPart first;
  first.begin = Timeouts();
  ASSERT_TRUE(session->RunPart(first, no_statement).ok());
  ASSERT_TRUE(session->InTransaction());
  Run(*session, "CREATE TABLE a ()");
  StepPart last;
  const std::vector<VersionWrite> writes = {{VersionWrite::Kind::kInsert, "", "r1"}};
  last.end = StepEnd{writes, {"r1", Step::Direction::kUpgrade, "sum", "op", absl::Now(), {"r1"}}};
  ASSERT_TRUE(session->RunPart(last, no_statement).ok());
  ASSERT_FALSE(session->Commit()->error.has_value());
  EXPECT_EQ(database_->ReadRows().value(), VersionRows{"r1"});
}

// The end of a step whose revision is the only one from then on.
inline StepEnd EndOfStep(absl::Span<const VersionWrite> writes, const std::string& revision) {
  return {writes, {revision, Step::Direction::kUpgrade, "sum", "op", absl::nullopt, {revision}}};
}

TEST_P(DatabaseContract, AStepIsCommittedWithTheBeginningOfTheNext) {
  const auto session = OpenWriter();
  ASSERT_TRUE(session->TryAcquireMutex().value());
  const auto no_statement = [](size_t, const StatementResult&) { return absl::OkStatus(); };
  const std::vector<VersionWrite> first_write = {{VersionWrite::Kind::kInsert, "", "r1"}};
  StepPart first;
  first.begin = Timeouts();
  first.end = EndOfStep(first_write, "r1");
  ASSERT_TRUE(session->RunPart(first, no_statement).ok());

  const auto statements = StatementsOf({"CREATE TABLE b ()"});
  const std::vector<VersionWrite> next_write = {{VersionWrite::Kind::kUpdate, "r1", "r2"}};
  bool committed = false;
  StepPart next;
  next.on_commit = [&](const StatementResult& result) {
    EXPECT_FALSE(result.error.has_value());
    committed = true;
    EXPECT_EQ(database_->ReadRows().value(), VersionRows{"r1"});
    return absl::OkStatus();
  };
  next.begin = Timeouts();
  next.statements = statements;
  next.end = EndOfStep(next_write, "r2");
  const absl::Status status = session->RunPart(next, [&](size_t, const StatementResult&) {
    EXPECT_TRUE(committed);
    return absl::OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(session->InTransaction());
  EXPECT_EQ(database_->ReadRows().value(), VersionRows{"r1"});
  ASSERT_TRUE(session->Rollback().ok());
  EXPECT_EQ(StateOf(*session, "table", "b"), ObjectState::kMissing);
}

TEST_P(DatabaseContract, NothingOfAPartStaysIfTheCallerStopsBehindTheCommit) {
  const auto session = OpenWriter();
  ASSERT_TRUE(session->Begin().ok());
  Run(*session, "CREATE TABLE a ()");
  const auto statements = StatementsOf({"CREATE TABLE b ()"});
  StepPart next;
  next.on_commit = [](const StatementResult&) { return absl::CancelledError("enough"); };
  next.begin = Timeouts();
  next.statements = statements;
  const absl::Status status = session->RunPart(next, [](size_t, const StatementResult&) {
    ADD_FAILURE();
    return absl::OkStatus();
  });
  EXPECT_EQ(status, absl::CancelledError("enough"));
  if (session->InTransaction()) {
    EXPECT_TRUE(session->Rollback().ok());
  }
  EXPECT_EQ(StateOf(*session, "table", "a"), ObjectState::kPresent);
  EXPECT_EQ(StateOf(*session, "table", "b"), ObjectState::kMissing);
}

TEST_P(DatabaseContract, APartEndsAtTheStatementThatTheCallerDislikes) {
  const auto session = OpenWriter();
  const auto statements = StatementsOf({"CREATE TABLE a ()", "CREATE TABLE b ()"});
  StepPart part;
  part.begin = Timeouts();
  part.statements = statements;
  int told = 0;
  const absl::Status status = session->RunPart(part, [&](size_t, const StatementResult&) {
    ++told;
    return absl::CancelledError("enough");
  });
  EXPECT_EQ(status, absl::CancelledError("enough"));
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(session->Rollback().ok());
  EXPECT_EQ(StateOf(*session, "table", "a"), ObjectState::kMissing);
}

TEST_P(DatabaseContract, AStepDoesNotEndWithoutTheMutex) {
  const auto session = OpenWriter();
  const auto other = OpenSession("other");
  ASSERT_TRUE(other->TryAcquireMutex().value());
  const std::vector<VersionWrite> writes = {{VersionWrite::Kind::kInsert, "", "r1"}};
  StepPart part;
  part.begin = Timeouts();
  part.end = StepEnd{writes, {"r1", Step::Direction::kUpgrade, "", "op", absl::Now(), {"r1"}}};
  const absl::Status status =
      session->RunPart(part, [](size_t, const StatementResult&) { return absl::OkStatus(); });
  EXPECT_EQ(errors::ReasonOf(status), migration::v1::ERROR_REASON_MUTEX_LOST);
  EXPECT_TRUE(session->Rollback().ok());
  EXPECT_EQ(database_->ReadRows().value(), VersionRows());
}

TEST_P(DatabaseContract, AStepDoesNotEndOnOtherRowsThanItExpects) {
  const auto session = OpenWriter();
  ASSERT_TRUE(session->TryAcquireMutex().value());
  const std::vector<VersionWrite> writes = {{VersionWrite::Kind::kUpdate, "r0", "r1"}};
  StepPart part;
  part.begin = Timeouts();
  part.end = StepEnd{writes, {"r1", Step::Direction::kUpgrade, "", "op", absl::Now(), {"r1"}}};
  const absl::Status status =
      session->RunPart(part, [](size_t, const StatementResult&) { return absl::OkStatus(); });
  EXPECT_EQ(errors::ReasonOf(status), migration::v1::ERROR_REASON_VERSION_ROW_MISMATCH);
  EXPECT_TRUE(session->Rollback().ok());
}

TEST_P(DatabaseContract, KnowsWhetherATransactionIsOpen) {
  const auto session = OpenSession();
  EXPECT_FALSE(session->InTransaction());
  ASSERT_TRUE(session->Begin().ok());
  EXPECT_TRUE(session->InTransaction());
  ASSERT_TRUE(session->Commit().ok());
  EXPECT_FALSE(session->InTransaction());
}

TEST_P(DatabaseContract, KnowsOfATransactionThatAStatementOpenedOrEnded) {
  const auto session = OpenSession();
  Run(*session, "BEGIN");
  EXPECT_TRUE(session->InTransaction());
  Run(*session, "COMMIT");
  EXPECT_FALSE(session->InTransaction());
}

TEST_P(DatabaseContract, AFailedTransactionIsOpenAndTakesNoStatement) {
  const auto session = OpenSession();
  ASSERT_TRUE(session->Begin().ok());
  EXPECT_EQ(SqlstateOf(*session, "DROP TABLE nowhere"), "42P01");
  EXPECT_TRUE(session->InTransaction());
  EXPECT_EQ(SqlstateOf(*session, "SELECT 1"), "25P02");
  ASSERT_TRUE(session->Rollback().ok());
  EXPECT_EQ(SqlstateOf(*session, "SELECT 1"), "");
}

TEST_P(DatabaseContract, CommittingAFailedTransactionRollsItBack) {
  const auto session = OpenSession();
  ASSERT_TRUE(session->Begin().ok());
  Run(*session, "CREATE TABLE t (a int)");
  EXPECT_EQ(SqlstateOf(*session, "DROP TABLE nowhere"), "42P01");
  EXPECT_EQ(session->Commit()->command_tag, "ROLLBACK");
  EXPECT_EQ(StateOf(*session, "table", "t"), ObjectState::kMissing);
}

TEST_P(DatabaseContract, ARefusedStatementIsAValueAndTheSessionGoesOn) {
  const auto session = OpenSession();
  EXPECT_EQ(SqlstateOf(*session, "CREATE TABLE t (a int)"), "");
  const StatementResult refused = Run(*session, "CREATE TABLE t (a int)");
  ASSERT_TRUE(refused.error.has_value());
  EXPECT_EQ(refused.error->sqlstate, "42P07");
  EXPECT_EQ(refused.error->message, "relation \"t\" already exists");
  EXPECT_EQ(SqlstateOf(*session, "SELECT 1"), "");
}

TEST_P(DatabaseContract, AnErrorSaysWhereInTheStatementItIs) {
  const auto session = OpenSession();
  const StatementResult refused = Run(*session, "INSERT INTO nowhere VALUES (1)");
  ASSERT_TRUE(refused.error.has_value());
  EXPECT_EQ(refused.error->sqlstate, "42P01");
  EXPECT_EQ(refused.error->position, 13);
}

TEST_P(DatabaseContract, TellsTagAndRowsOfAStatement) {
  const auto session = OpenSession();
  EXPECT_EQ(Run(*session, "CREATE TABLE t (a int)").command_tag, "CREATE TABLE");
  const StatementResult inserted = Run(*session, "INSERT INTO t VALUES (1)");
  EXPECT_EQ(inserted.command_tag, "INSERT 0 1");
  EXPECT_EQ(inserted.rows, 1);
  const StatementResult selected = Run(*session, "SELECT 1");
  EXPECT_EQ(selected.command_tag, "SELECT 1");
  EXPECT_EQ(selected.rows, 1);
}

TEST_P(DatabaseContract, IfNotExistsPassesOverWhatExists) {
  const auto session = OpenSession();
  Run(*session, "CREATE TABLE t (a int)");
  EXPECT_EQ(SqlstateOf(*session, "CREATE TABLE IF NOT EXISTS t (a int)"), "");
  EXPECT_EQ(SqlstateOf(*session, "DROP TABLE IF EXISTS nowhere"), "");
}

TEST_P(DatabaseContract, InspectTellsWhatIsThere) {
  const auto session = OpenSession();
  EXPECT_EQ(StateOf(*session, "table", "t"), ObjectState::kMissing);
  EXPECT_EQ(StateOf(*session, "index", "i"), ObjectState::kMissing);
  Run(*session, "CREATE TABLE t (a int)");
  Run(*session, "CREATE INDEX i ON t (a)");
  EXPECT_EQ(StateOf(*session, "table", "t"), ObjectState::kPresent);
  EXPECT_EQ(StateOf(*session, "index", "i"), ObjectState::kPresent);
}

TEST_P(DatabaseContract, InspectSeesWhatTheTransactionMade) {
  const auto session = OpenSession();
  ASSERT_TRUE(session->Begin().ok());
  Run(*session, "CREATE TABLE t (a int)");
  EXPECT_EQ(StateOf(*session, "table", "t"), ObjectState::kPresent);
}

TEST_P(DatabaseContract, InspectKnowsWhatItDoesNotKnow) {
  GuardedObject object;
  object.kind = "policy";
  object.name = "p";
  EXPECT_FALSE(OpenSession()->Inspect(object).value().has_value());
}

TEST_P(DatabaseContract, ConcurrentBuildsNeedToStandOutsideATransaction) {
  const auto session = OpenSession();
  Run(*session, "CREATE TABLE t (a int)");
  EXPECT_EQ(SqlstateOf(*session, "CREATE INDEX CONCURRENTLY i ON t (a)"), "");
  ASSERT_TRUE(session->Begin().ok());
  EXPECT_EQ(SqlstateOf(*session, "CREATE INDEX CONCURRENTLY j ON t (a)"), "25001");
}

TEST_P(DatabaseContract, ApplyTimesAreThoseOfUpgrades) {
  const auto session = OpenWriter();
  const absl::Time before = absl::Now();
  ASSERT_TRUE(session->AppendLog(Entry("up", Step::Direction::kUpgrade)).ok());
  ASSERT_TRUE(session->AppendLog(Entry("down", Step::Direction::kDowngrade)).ok());
  ASSERT_TRUE(session->AppendLog(Entry("stamped", Step::Direction::kStamp)).ok());
  const auto times = database_->ReadApplyTimes().value();
  ASSERT_EQ(times.size(), 1U);
  // PostgreSQL keeps microseconds.
  EXPECT_GE(times.at("up"), before - absl::Microseconds(1));
  EXPECT_LE(times.at("up"), absl::Now() + absl::Microseconds(1));
}

TEST_P(DatabaseContract, DatedRowsAreTheRowsAndTheirTimes) {
  EXPECT_THAT(database_->ReadDatedRows().value().rows, IsEmpty());
  const auto session = OpenWriter();
  ASSERT_TRUE(Insert(*session, "up").ok());
  EXPECT_EQ(database_->ReadDatedRows().value().rows, VersionRows{"up"});
  EXPECT_THAT(database_->ReadDatedRows().value().apply_times, IsEmpty());
  ASSERT_TRUE(session->AppendLog(Entry("up", Step::Direction::kUpgrade)).ok());
  ASSERT_TRUE(session->AppendLog(Entry("other", Step::Direction::kUpgrade)).ok());
  ASSERT_TRUE(session->WriteVersion({VersionWrite::Kind::kInsert, "", "two"}, "two").ok());
  // More than once: what is asked again may be answered in another way.
  for (int i = 0; i < 3; ++i) {
    const DatedRows dated = database_->ReadDatedRows().value();
    EXPECT_EQ(dated.rows, (VersionRows{"two", "up"}));
    ASSERT_EQ(dated.apply_times.size(), 1U);
    EXPECT_EQ(dated.apply_times.at("up"), database_->ReadApplyTimes().value().at("up"));
  }
}

// --- Checksums ---

TEST_P(DatabaseContract, ChecksumsAreThoseOfWhatIsApplied) {
  EXPECT_THAT(database_->ReadChecksums().value(), IsEmpty());
  const auto session = OpenWriter();
  const auto log = [&](const std::string& revision, Step::Direction direction,
                       const std::string& checksum) {
    LogEntry entry = Entry(revision, direction);
    entry.checksum = checksum;
    ASSERT_TRUE(session->AppendLog(entry).ok());
  };
  log("a", Step::Direction::kUpgrade, "a1");
  log("b", Step::Direction::kUpgrade, "b1");
  log("b", Step::Direction::kDowngrade, "b1");
  log("c", Step::Direction::kUpgrade, "c1");
  log("c", Step::Direction::kDowngrade, "c1");
  log("c", Step::Direction::kUpgrade, "c2");
  log("d", Step::Direction::kUpgrade, "d1");
  log("d", Step::Direction::kStamp, "");
  const auto checksums = database_->ReadChecksums();
  ASSERT_TRUE(checksums.ok()) << checksums.status();
  EXPECT_THAT(*checksums, ElementsAre(Pair("a", "a1"), Pair("c", "c2")));
}

TEST_P(DatabaseContract, AnAcceptedChecksumStandsUntilTheNextUpgrade) {
  const auto session = OpenWriter();
  LogEntry entry = Entry("a", Step::Direction::kUpgrade);
  entry.checksum = "a1";
  ASSERT_TRUE(session->AppendLog(entry).ok());
  ASSERT_TRUE(session->AcceptChecksum({"a", "a2", "operation"}).ok());
  EXPECT_THAT(database_->ReadChecksums().value(), ElementsAre(Pair("a", "a2")));
  entry.checksum = "a3";
  ASSERT_TRUE(session->AppendLog(entry).ok());
  EXPECT_THAT(database_->ReadChecksums().value(), ElementsAre(Pair("a", "a3")));
}

TEST_P(DatabaseContract, ADecisionIsNoApplication) {
  const auto session = OpenWriter();
  LogEntry entry = Entry("a", Step::Direction::kUpgrade);
  entry.checksum = "a1";
  ASSERT_TRUE(session->AppendLog(entry).ok());
  const auto times = database_->ReadApplyTimes().value();
  for (const std::string revision : {"a", "b"}) {
    const JournalKey section = {revision, Step::Direction::kUpgrade};
    const JournalEntry skipped = Record(JournalEntry::State::kSkipped);
    ASSERT_TRUE(session->RecordDecision(section, 1, skipped, JournalDecision::kSkip).ok());
    ASSERT_TRUE(session->RecordDecision(section, 1, skipped, JournalDecision::kRun).ok());
  }
  ASSERT_TRUE(session->AcceptChecksum({"a", "a2", "operation"}).ok());
  ASSERT_TRUE(Insert(*session, "a").ok());
  ASSERT_TRUE(Insert(*session, "b").ok());
  EXPECT_EQ(database_->ReadApplyTimes().value(), times);
  EXPECT_EQ(database_->ReadDatedRows()->apply_times, times);
  EXPECT_THAT(database_->ReadChecksums().value(), ElementsAre(Pair("a", "a2")));
}

// --- The journal of statements ---

TEST_P(DatabaseContract, AFreshJournalIsEmpty) {
  EXPECT_THAT(OpenWriter()->ReadJournal().value(), IsEmpty());
}

TEST_P(DatabaseContract, TheJournalKeepsWhatItIsTold) {
  const auto session = OpenWriter();
  const JournalKey up = {"a", Step::Direction::kUpgrade};
  const JournalKey down = {"a", Step::Direction::kDowngrade};
  ASSERT_TRUE(session
                  ->RecordStatements(up, {{1, Record(JournalEntry::State::kFinished)},
                                          {2, Record(JournalEntry::State::kStarted)}})
                  .ok());
  ASSERT_TRUE(session->RecordStatements(down, {{1, Record(JournalEntry::State::kStarted)}}).ok());

  const Journal journal = OpenSession()->ReadJournal().value();
  ASSERT_EQ(journal.size(), 2U);
  const SectionJournal& section = journal.at(up);
  ASSERT_EQ(section.size(), 2U);
  EXPECT_EQ(section.at(1).state, JournalEntry::State::kFinished);
  EXPECT_EQ(section.at(2).state, JournalEntry::State::kStarted);
  EXPECT_EQ(section.at(1).fingerprint, "f00d");
  EXPECT_EQ(section.at(1).summary, "INSERT 'ä' \\ INTO \"t\"");
  EXPECT_EQ(section.at(1).operation, "op");
  EXPECT_EQ(journal.at(down).size(), 1U);
}

TEST_P(DatabaseContract, ALaterRecordReplacesAnEarlierOne) {
  const auto session = OpenWriter();
  const JournalKey section = {"a", Step::Direction::kUpgrade};
  ASSERT_TRUE(
      session->RecordStatements(section, {{1, Record(JournalEntry::State::kStarted)}}).ok());
  ASSERT_TRUE(
      session->RecordStatements(section, {{1, Record(JournalEntry::State::kFinished)}}).ok());
  EXPECT_EQ(session->ReadJournal().value().at(section).at(1).state, JournalEntry::State::kFinished);
}

TEST_P(DatabaseContract, RecordsAreErasedOneByOneOrTogether) {
  const auto session = OpenWriter();
  const JournalKey section = {"a", Step::Direction::kUpgrade};
  const JournalEntry entry = Record(JournalEntry::State::kFinished);
  ASSERT_TRUE(session->RecordStatements(section, {{1, entry}, {2, entry}, {3, entry}}).ok());
  ASSERT_TRUE(session->EraseRecords(section, 2).ok());
  EXPECT_EQ(session->ReadJournal().value().at(section).size(), 2U);
  ASSERT_TRUE(session->EraseRecords(section, absl::nullopt).ok());
  EXPECT_THAT(session->ReadJournal().value(), IsEmpty());
}

TEST_P(DatabaseContract, ARecordInATransactionCountsWhenThatIsCommitted) {
  const auto session = OpenWriter();
  const JournalKey section = {"a", Step::Direction::kUpgrade};
  const SectionJournal entries = {{1, Record(JournalEntry::State::kFinished)}};
  ASSERT_TRUE(session->Begin().ok());
  ASSERT_TRUE(session->RecordStatements(section, entries).ok());
  EXPECT_THAT(OpenSession()->ReadJournal().value(), IsEmpty());
  ASSERT_TRUE(session->Rollback().ok());
  EXPECT_THAT(session->ReadJournal().value(), IsEmpty());

  ASSERT_TRUE(session->Begin().ok());
  ASSERT_TRUE(session->RecordStatements(section, entries).ok());
  ASSERT_TRUE(session->Commit().ok());
  EXPECT_EQ(OpenSession()->ReadJournal().value().size(), 1U);
}

TEST_P(DatabaseContract, ADecisionSkipsAStatementOrForgetsIt) {
  const auto session = OpenWriter();
  const JournalKey section = {"a", Step::Direction::kUpgrade};
  const JournalEntry started = Record(JournalEntry::State::kStarted);
  ASSERT_TRUE(session->RecordStatements(section, {{1, started}, {2, started}}).ok());
  ASSERT_TRUE(session
                  ->RecordDecision(section, 1, Record(JournalEntry::State::kSkipped),
                                   JournalDecision::kSkip)
                  .ok());
  ASSERT_TRUE(session->RecordDecision(section, 2, started, JournalDecision::kRun).ok());
  const SectionJournal left = session->ReadJournal().value().at(section);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left.at(1).state, JournalEntry::State::kSkipped);
}

TEST_P(DatabaseContract, FindsTheIndexOfAConcurrentBuild) {
  const auto session = OpenSession();
  Run(*session, "CREATE TABLE t (a int, b int)");
  const std::string sql = "CREATE INDEX CONCURRENTLY i ON t (a)";
  const ConcurrentBuild build = *ConcurrentBuildOf(sql);
  EXPECT_EQ(session->InspectBuild(build)->state, ObjectState::kMissing);
  EXPECT_FALSE(session->MatchesBuild(build).value());
  Run(*session, sql);
  EXPECT_EQ(session->InspectBuild(build)->state, ObjectState::kPresent);
  EXPECT_TRUE(session->MatchesBuild(build).value());
  const std::string other = "CREATE INDEX CONCURRENTLY i ON t (b)";
  EXPECT_FALSE(session->MatchesBuild(*ConcurrentBuildOf(other)).value());
  EXPECT_FALSE(session->InTransaction());
}

TEST_P(DatabaseContract, CancelEndsTheRunningStatementAndTheSessionGoesOn) {
  const auto session = OpenSession();
  std::atomic<bool> ended = false;
  std::thread canceller([&] {
    // A cancel that comes before the statement is lost; so it is repeated.
    while (!ended) {
      session->Cancel();
      absl::SleepFor(absl::Milliseconds(5));
    }
  });
  EXPECT_EQ(SqlstateOf(*session, "SELECT pg_sleep(600)"), "57014");
  ended = true;
  canceller.join();
  EXPECT_FALSE(session->InTransaction());
  // The last cancel may still be on its way.
  EXPECT_TRUE(Eventually([&] { return SqlstateOf(*session, "SELECT 1").empty(); }));
}

TEST_P(DatabaseContract, ASessionThatDoesNothingIsNeitherBlockedNorUnderWay) {
  const auto session = OpenSession();
  EXPECT_THAT(database_->ReadLockState(session->pid()).value().blockers, IsEmpty());
  EXPECT_FALSE(database_->ReadProgress(session->pid()).value().has_value());
  // Nor is one that is not there.
  EXPECT_FALSE(database_->ReadProgress(0).value().has_value());
}

TEST_P(DatabaseContract, TellsTheSizesOfTheTablesThatExist) {
  const auto session = OpenSession();
  Run(*session, "CREATE TABLE t (a int)");
  const auto sizes = database_->ReadTableSizes({"t", "nowhere"}).value();
  ASSERT_EQ(sizes.size(), 1U);
  EXPECT_EQ(sizes.at("t").bytes, 0);
  EXPECT_TRUE(database_->ReadTableSizes({})->empty());
}

TEST_P(DatabaseContract, NoticesGoToTheHandlerWhileThereIsOne) {
  const auto session = OpenSession();
  std::vector<std::string> said;
  session->SetNoticeHandler([&said](const ServerNotice& notice) {
    said.push_back(notice.severity + " " + notice.message);
  });
  Run(*session, "DO $$ BEGIN RAISE WARNING 'careful'; END $$");
  session->SetNoticeHandler(nullptr);
  Run(*session, "DO $$ BEGIN RAISE WARNING 'unheard'; END $$");
  EXPECT_THAT(said, ElementsAre("WARNING careful"));
}

TEST_P(DatabaseContract, SettingsCanBeSetAndReset) {
  const auto session = OpenSession();
  EXPECT_TRUE(session->SetTimeouts({absl::Seconds(5), absl::Minutes(1)}).ok());
  EXPECT_TRUE(session->ResetSettings().ok());
  EXPECT_EQ(SqlstateOf(*session, "SELECT 1"), "");
}

}  // namespace migd
