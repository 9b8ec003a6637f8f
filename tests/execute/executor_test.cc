#include "service/execute/executor.h"

#include <algorithm>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "tests/support/event_text.h"
#include "tests/support/fake_workspace.h"

namespace migd {
namespace {

using migration::v1::ErrorReason;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class ExecuteTest : public ::testing::Test {
 protected:
  ExecuteResult Run(migration::v1::Action action, std::vector<std::string> targets) {
    ExecuteRequest request;
    request.action = action;
    request.targets = std::move(targets);
    request.operation = "op1";
    request.mutex_deadline = mutex_deadline_;
    request.timeouts = {lock_timeout_, absl::Minutes(2)};
    request.lock_retries = lock_retries_;
    request.first_lock_pause = absl::Milliseconds(1);
    request.terminate_blockers = terminate_blockers_;
    request.plan_hash = plan_hash_;
    request.confirmation = confirmation_;
    request.earlier_plan = earlier_plan_;
    request.before_first_commit = before_first_commit_;
    request.patience_with_locks = patience_with_locks_;
    return Execute(fake_.workspace(), request, cancellation_,
                   [this](const migration::v1::OperationEvent& event) {
                     const MutexLock lock(events_mutex_);
                     events_.push_back(Brief(event));
                     if (event.has_plan()) last_plan_ = event.plan();
                     if (event.has_statement_progress()) {
                       last_progress_ = event.statement_progress();
                     }
                     if (on_event_) on_event_(events_.back());
                   });
  }
  ExecuteResult Upgrade(const std::string& target = "head") {
    return Run(migration::v1::ACTION_UPGRADE, {target});
  }

  // a, and b that revises it; each makes the table of its name.
  void WriteTwoRevisions() {
    fake_.Write({"a", "", "\nCREATE TABLE a (x int);\n", "\nDROP TABLE a;"});
    fake_.Write({"b", "a", "\nCREATE TABLE b (x int);\n", "\nDROP TABLE b;"});
  }

  static migration::v1::StatementFailure FailureOf(const ExecuteResult& result) {
    return errors::ToProto(result.status).statement_failure();
  }

  VersionRows CommittedRows() { return database_.ReadRows().value(); }

  FakeWorkspace fake_;
  FakeDatabase& database_ = fake_.database();
  Cancellation cancellation_;
  absl::Time mutex_deadline_ = absl::InfiniteFuture();
  absl::Duration lock_timeout_ = absl::Seconds(5);
  int lock_retries_ = 0;
  bool terminate_blockers_ = false;
  std::string plan_hash_;
  std::string confirmation_;
  migration::v1::Plan earlier_plan_;
  std::function<absl::Status(absl::Duration patience)> before_first_commit_;
  absl::Duration patience_with_locks_ = absl::Minutes(1);
  migration::v1::Plan last_plan_;
  // The locks of a statement are watched by another thread, which emits too.
  Mutex events_mutex_;
  // Called after each event, with its text.
  std::function<void(const std::string&)> on_event_;
  std::vector<std::string> events_;
  absl::optional<migration::v1::StatementProgress> last_progress_;
};

MATCHER_P(FailsWith, reason, "fails with " + errors::ReasonName(reason)) {
  *result_listener << arg.status;
  return errors::ReasonOf(arg.status) == reason;
}

TEST_F(ExecuteTest, EmitsItsEventsInTheOrderInWhichThingsHappen) {
  WriteTwoRevisions();
  const ExecuteResult result = Upgrade();
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_THAT(events_, ElementsAre("plan a b",                      //
                                   "start a 1/2",                   //
                                   "statement a 1/1 CREATE TABLE",  //
                                   "finish a {a}",                  //
                                   "start b 2/2",                   //
                                   "statement b 1/1 CREATE TABLE",  //
                                   "finish b {b}"));
  EXPECT_THAT(result.rows, ElementsAre("b"));
  EXPECT_EQ(result.finished_steps, 2);
  EXPECT_TRUE(database_.HasTable("b"));
}

TEST_F(ExecuteTest, IsAskedOnceBeforeAnythingOutlivesItsTransaction) {
  WriteTwoRevisions();
  std::vector<std::string> before;
  int calls = 0;
  before_first_commit_ = [&](absl::Duration) {
    ++calls;
    before = events_;
    EXPECT_THAT(CommittedRows(), IsEmpty());
    EXPECT_FALSE(database_.HasTable("a"));
    return absl::OkStatus();
  };
  ASSERT_TRUE(Upgrade().status.ok());
  EXPECT_EQ(calls, 1);
  EXPECT_THAT(before, ElementsAre("plan a b", "start a 1/2", "statement a 1/1 CREATE TABLE"));
  EXPECT_THAT(CommittedRows(), ElementsAre("b"));
}

TEST_F(ExecuteTest, IsAskedBeforeTheFirstStatementOutsideATransaction) {
  fake_.Write({"a", "", " transaction:false\nCREATE TABLE a (x int);\n", "\nDROP TABLE a;"});
  std::vector<std::string> before;
  before_first_commit_ = [&](absl::Duration) {
    before = events_;
    return absl::CancelledError("no");
  };
  EXPECT_EQ(Upgrade().status, absl::CancelledError("no"));
  EXPECT_THAT(before, ElementsAre("plan a"));
  EXPECT_THAT(events_, ElementsAre("plan a"));
  EXPECT_FALSE(database_.HasTable("a"));
}

// It may be what the answer waits for.
TEST_F(ExecuteTest, AFirstStepThatMustWaitLongDoesSoWithoutItsLocks) {
  WriteTwoRevisions();
  std::vector<absl::Duration> patience;
  before_first_commit_ = [&](absl::Duration patient_for) {
    patience.push_back(patient_for);
    EXPECT_EQ(database_.journal().back() == "ROLLBACK", patience.size() == 2);
    return patience.size() == 1 ? absl::UnavailableError("not stored yet") : absl::OkStatus();
  };
  ASSERT_TRUE(Upgrade("a").status.ok());
  EXPECT_LE(patience.at(0), patience_with_locks_);
  EXPECT_EQ(patience.at(1), absl::InfiniteDuration());
  EXPECT_THAT(events_, ElementsAre("plan a",                        //
                                   "start a 1/1",                   //
                                   "statement a 1/1 CREATE TABLE",  //
                                   StartsWith("retry a"),           //
                                   "statement a 1/1 CREATE TABLE",  //
                                   "finish a {a}"));
  EXPECT_TRUE(database_.HasTable("a"));
}

TEST_F(ExecuteTest, AFirstStepThatHasHeldItsLocksForLongAsksBehindEachStatement) {
  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\nCREATE TABLE b (x int);\n", ""});
  patience_with_locks_ = absl::ZeroDuration();
  std::vector<absl::Duration> patience;
  before_first_commit_ = [&](absl::Duration patient_for) {
    patience.push_back(patient_for);
    return patience.size() == 1 ? absl::UnavailableError("not stored yet") : absl::OkStatus();
  };
  ASSERT_TRUE(Upgrade().status.ok());
  EXPECT_THAT(patience, ElementsAre(absl::ZeroDuration(), absl::InfiniteDuration()));
  EXPECT_THAT(events_, ElementsAre("plan a",                        //
                                   "start a 1/1",                   //
                                   "statement a 1/2 CREATE TABLE",  //
                                   "retry a 2/2",                   //
                                   "statement a 1/2 CREATE TABLE",  //
                                   "statement a 2/2 CREATE TABLE",  //
                                   "finish a {a}"));
}

TEST_F(ExecuteTest, AttemptsAreCountedForWhateverReason) {
  WriteTwoRevisions();
  lock_retries_ = 1;
  database_.TimeOutAtLock("CREATE TABLE a", 1);
  int calls = 0;
  before_first_commit_ = [&](absl::Duration) {
    return ++calls == 1 ? absl::UnavailableError("not stored yet") : absl::OkStatus();
  };
  ASSERT_TRUE(Upgrade("a").status.ok());
  EXPECT_THAT(events_,
              ElementsAre("plan a", "start a 1/1", "retry a 2/2", "statement a 1/1 CREATE TABLE",
                          "retry a 3/3", "statement a 1/1 CREATE TABLE", "finish a {a}"));
}

TEST_F(ExecuteTest, NothingStaysOfAFirstStepThatMayNotBeCommitted) {
  WriteTwoRevisions();
  before_first_commit_ = [](absl::Duration) { return absl::UnavailableError("it is not stored"); };
  const ExecuteResult refused = Upgrade();
  EXPECT_EQ(refused.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.status.message()),
              AllOf(HasSubstr("it is not stored"), HasSubstr("nothing of a remains")));
  EXPECT_FALSE(database_.HasTable("a"));
  EXPECT_THAT(CommittedRows(), IsEmpty());

  before_first_commit_ = [this](absl::Duration) {
    cancellation_.Request("enough");
    return errors::OperationCancelled("enough");
  };
  const ExecuteResult cancelled = Upgrade();
  EXPECT_THAT(cancelled, FailsWith(ErrorReason::ERROR_REASON_OPERATION_CANCELLED));
  EXPECT_THAT(std::string(cancelled.status.message()),
              HasSubstr("enough; nothing of a remains: it was rolled back"));
  EXPECT_FALSE(database_.HasTable("a"));
}

TEST_F(ExecuteTest, WhatDestroysDataRunsConfirmedOnly) {
  WriteTwoRevisions();
  ASSERT_TRUE(Upgrade().status.ok());
  fake_.ChangePolicy([](Policy& policy) { policy.destructive = DestructivePolicy::kConfirm; });
  events_.clear();
  const ExecuteResult refused = Run(migration::v1::ACTION_DOWNGRADE, {"base"});
  EXPECT_THAT(refused, FailsWith(ErrorReason::ERROR_REASON_CONFIRMATION_REQUIRED));
  EXPECT_THAT(refused.rows, ElementsAre("b"));
  EXPECT_THAT(events_, IsEmpty());
  const migration::v1::Error error = errors::ToProto(refused.status);
  EXPECT_EQ(error.losses().losses_size(), 2);
  confirmation_ = error.metadata().at("confirmation");
  EXPECT_TRUE(Run(migration::v1::ACTION_DOWNGRADE, {"base"}).status.ok());
}

TEST_F(ExecuteTest, APlanThatIsNamedRunsOrNone) {
  WriteTwoRevisions();
  plan_hash_ = "0123456789ab";
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_PLAN_STALE));
  EXPECT_FALSE(database_.HasTable("a"));
  plan_hash_.clear();
  ASSERT_TRUE(Upgrade("a").status.ok());
  plan_hash_ = last_plan_.plan_hash();
  // There is nothing left of it to do, which is not what was looked at.
  EXPECT_THAT(Upgrade("a"), FailsWith(ErrorReason::ERROR_REASON_PLAN_STALE));
}

// What was made by the attempt before was new when the plan was looked at.
TEST_F(ExecuteTest, AnAttemptAfterTheFirstIsNotAskedAboutWhatThatHasMade) {
  fake_.ChangePolicy([](Policy& policy) { policy.destructive = DestructivePolicy::kConfirm; });
  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\n"});
  fake_.Write({"b", "a", "\nDROP TABLE a;\n"});
  database_.LoseConnectionAt("DROP TABLE a");
  ASSERT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_DATABASE_UNAVAILABLE));
  database_.Heal();
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_CONFIRMATION_REQUIRED));
  earlier_plan_ = last_plan_;
  EXPECT_TRUE(Upgrade().status.ok());
  EXPECT_FALSE(database_.HasTable("a"));
}

TEST_F(ExecuteTest, AStepIsOneTransactionWithItsVersionRow) {
  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\nINSERT INTO a VALUES (1);\n"});
  ASSERT_TRUE(Upgrade().status.ok());
  EXPECT_THAT(database_.journal(),
              ElementsAre("timeouts 5s 0", "timeouts 5s 2m", "BEGIN", "CREATE TABLE a (x int)",
                          "INSERT INTO a VALUES (1)", "RESET ALL", "version +a", "COMMIT"));
}

TEST_F(ExecuteTest, TheStatementTimeoutIsForMigrationsNotForItsOwnQueries) {
  WriteTwoRevisions();
  ASSERT_TRUE(Upgrade("a").status.ok());
  const std::vector<std::string> journal = database_.journal();
  ASSERT_GE(journal.size(), 2U);
  EXPECT_EQ(journal[0], "timeouts 5s 0");
  EXPECT_EQ(journal[1], "timeouts 5s 2m");
}

TEST_F(ExecuteTest, LogsWhatWasAppliedByWhichOperation) {
  WriteTwoRevisions();
  ASSERT_TRUE(Upgrade().status.ok());
  const std::vector<LogEntry> log = database_.log();
  ASSERT_EQ(log.size(), 2U);
  EXPECT_EQ(log[1].revision, "b");
  EXPECT_EQ(log[1].direction, Step::Direction::kUpgrade);
  EXPECT_EQ(log[1].operation, "op1");
  EXPECT_EQ(log[1].checksum.size(), 64U);
  EXPECT_THAT(log[1].resulting_rows, ElementsAre("b"));
}

TEST_F(ExecuteTest, NothingToDoIsSuccessAndWritesNothing) {
  WriteTwoRevisions();
  database_.SetRows({"b"});
  database_.FailPreparation(errors::InsufficientPrivilege("must not be asked for", ""));
  const ExecuteResult result = Upgrade();
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_THAT(events_, ElementsAre("plan"));
  EXPECT_THAT(result.rows, ElementsAre("b"));
  EXPECT_THAT(database_.journal(), ElementsAre("timeouts 5s 0"));
}

TEST_F(ExecuteTest, DowngradesThroughTheDownSections) {
  WriteTwoRevisions();
  ASSERT_TRUE(Upgrade().status.ok());
  events_.clear();
  const ExecuteResult result = Run(migration::v1::ACTION_DOWNGRADE, {"base"});
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_THAT(events_,
              ElementsAre("plan b a", "start b 1/2", "statement b 1/1 DROP TABLE", "finish b {a}",
                          "start a 2/2", "statement a 1/1 DROP TABLE", "finish a {}"));
  EXPECT_FALSE(database_.HasTable("a"));
}

TEST_F(ExecuteTest, AnEmptyDownSectionTakesTheRevisionDown) {
  fake_.Write({"a", ""});
  database_.SetRows({"a"});
  const ExecuteResult result = Run(migration::v1::ACTION_DOWNGRADE, {"base"});
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_THAT(CommittedRows(), IsEmpty());
}

TEST_F(ExecuteTest, RefusesADowngradeThroughAnIrreversibleRevisionBeforeItsFirstStep) {
  fake_.Write({"a", "", "\nSELECT 1;\n", "", true});
  fake_.Write({"b", "a"});
  database_.SetRows({"b"});
  EXPECT_THAT(Run(migration::v1::ACTION_DOWNGRADE, {"base"}),
              FailsWith(ErrorReason::ERROR_REASON_IRREVERSIBLE));
  EXPECT_THAT(CommittedRows(), ElementsAre("b"));
}

TEST_F(ExecuteTest, StampWritesRowsAndRunsNoStatement) {
  WriteTwoRevisions();
  const ExecuteResult result = Run(migration::v1::ACTION_STAMP, {"head"});
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_THAT(events_, ElementsAre("plan b", "start b 1/1", "finish b {b}"));
  EXPECT_FALSE(database_.HasTable("b"));
  EXPECT_EQ(database_.log()[0].direction, Step::Direction::kStamp);
  EXPECT_EQ(database_.log()[0].checksum, "");
}

// --- Failures ---

TEST_F(ExecuteTest, AFailedStepIsRolledBackAndThoseBeforeItStay) {
  WriteTwoRevisions();
  fake_.Write({"c", "b", "\nCREATE TABLE c (x int);\nINSERT INTO nowhere VALUES (1);\n"});
  const ExecuteResult result = Upgrade();

  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_STATEMENT_FAILED));
  EXPECT_THAT(CommittedRows(), ElementsAre("b"));
  EXPECT_TRUE(database_.HasTable("b"));
  EXPECT_FALSE(database_.HasTable("c"));
  EXPECT_THAT(result.rows, ElementsAre("b"));
  EXPECT_EQ(result.finished_steps, 2);
  EXPECT_EQ(events_.back(), "statement c 1/2 CREATE TABLE");

  const migration::v1::StatementFailure failure = FailureOf(result);
  EXPECT_EQ(failure.revision(), "c");
  EXPECT_EQ(failure.statement_index(), 2);
  EXPECT_EQ(failure.statement_count(), 2);
  EXPECT_EQ(failure.sqlstate(), "42P01");
  EXPECT_THAT(failure.finished_revisions(), ElementsAre("a", "b"));
  EXPECT_EQ(failure.state(), "nothing of c remains: it was rolled back; finished before: a, b");
}

TEST_F(ExecuteTest, StatementsOutsideATransactionStayAndTheStateSaysSo) {
  fake_.Write({"a", "",
               " transaction:false\nCREATE TABLE a (x int);\nCREATE INDEX i ON a (x);\n"
               "INSERT INTO nowhere VALUES (1);\n"});
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_STATEMENT_FAILED));
  EXPECT_TRUE(database_.HasTable("a"));
  EXPECT_THAT(CommittedRows(), IsEmpty());
  EXPECT_EQ(FailureOf(result).state(),
            "statements 1 to 2 of a stay: the section is transaction:false, and the version table "
            "does not name it; the next run goes on with statement 3");
}

TEST_F(ExecuteTest, TheStateNamesASingleStatementThatStays) {
  fake_.Write({"a", "", " transaction:false\nCREATE TABLE a (x int);\nnonsense;\n"});
  EXPECT_THAT(FailureOf(Upgrade()).state(), HasSubstr("statement 1 of a stays"));
}

TEST_F(ExecuteTest, TheStateSaysIfNoStatementFinished) {
  fake_.Write({"a", "", " transaction:false\nnonsense;\n"});
  EXPECT_EQ(FailureOf(Upgrade()).state(), "no statement of a finished");
}

TEST_F(ExecuteTest, ASectionOutsideATransactionWritesItsRowInOne) {
  fake_.Write({"a", "", " transaction:false\nCREATE TABLE a (x int);\n"});
  ASSERT_TRUE(Upgrade().status.ok());
  EXPECT_THAT(database_.journal(),
              ElementsAre("timeouts 5s 0", "timeouts 5s 2m", "BEGIN", "CREATE TABLE a (x int)",
                          "COMMIT", "RESET ALL", "BEGIN", "RESET ALL", "version +a", "COMMIT"));
}

TEST_F(ExecuteTest, AConcurrentBuildWaitsForLocksWithoutEnd) {
  fake_.Write({"a", "",
               " transaction:false\nCREATE TABLE a (x int);\n"
               "CREATE INDEX CONCURRENTLY i ON a (x);\nSELECT 1;\n"});
  ASSERT_TRUE(Upgrade().status.ok());
  const std::vector<std::string> journal = database_.journal();
  ASSERT_GE(journal.size(), 9U);
  EXPECT_EQ(journal[3], "CREATE TABLE a (x int)");
  EXPECT_EQ(journal[4], "COMMIT");
  EXPECT_EQ(journal[5], "lock timeout 0");
  EXPECT_EQ(journal[6], "CREATE INDEX CONCURRENTLY i ON a (x)");
  EXPECT_EQ(journal[7], "lock timeout 5s");
}

TEST_F(ExecuteTest, ALostConnectionSaysWhatStays) {
  WriteTwoRevisions();
  database_.LoseConnectionAt("CREATE TABLE b");
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_DATABASE_UNAVAILABLE));
  EXPECT_THAT(std::string(result.status.message()),
              EndsWith("nothing of b remains: it was rolled back; finished before: a"));
  EXPECT_THAT(CommittedRows(), ElementsAre("a"));
}

TEST_F(ExecuteTest, AConnectionLostInsideAStatementOutsideATransactionLeavesItUnknown) {
  fake_.Write({"a", "", " transaction:false\nCREATE TABLE a (x int);\nCREATE INDEX i ON a (x);\n"});
  database_.LoseConnectionAt("CREATE INDEX i");
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_DATABASE_UNAVAILABLE));
  EXPECT_THAT(std::string(result.status.message()), HasSubstr("statement 1 of a stays"));
  EXPECT_THAT(std::string(result.status.message()),
              EndsWith("; whether the next statement finished is not known: the next run finds "
                       "out, or asks"));
}

TEST_F(ExecuteTest, AConnectionLostAtCommitLeavesTheOutcomeUnknown) {
  for (const bool committed : {false, true}) {
    FakeWorkspace fake;
    fake.Write({"a", ""});
    fake.database().LoseConnectionAtCommit(committed);
    ExecuteRequest request;
    request.action = migration::v1::ACTION_UPGRADE;
    request.targets = {"head"};
    const ExecuteResult result = Execute(fake.workspace(), request, cancellation_,
                                         [](const migration::v1::OperationEvent&) {});
    EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_OUTCOME_UNKNOWN));
    EXPECT_EQ(result.finished_steps, 0);
    EXPECT_EQ(fake.database().ReadRows()->count("a"), committed ? 1U : 0U);
  }
}

TEST_F(ExecuteTest, ADeferredConstraintFailsAtCommitAndBlamesTheLastStatement) {
  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\nINSERT INTO a VALUES (1);\n"});
  database_.FailCommit({"23503", "violates foreign key constraint", "", "", "", 0});
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_STATEMENT_FAILED));
  EXPECT_EQ(FailureOf(result).statement_index(), 2);
  EXPECT_THAT(FailureOf(result).postgres_context(), HasSubstr("COMMIT"));
  EXPECT_THAT(CommittedRows(), IsEmpty());
}

TEST_F(ExecuteTest, ACommitThatFailsFailsItsStepAndNotTheNext) {
  WriteTwoRevisions();
  database_.FailCommit({"23503", "violates foreign key constraint", "", "", "", 0});
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_STATEMENT_FAILED));
  EXPECT_EQ(FailureOf(result).revision(), "a");
  EXPECT_EQ(result.finished_steps, 0);
  EXPECT_THAT(CommittedRows(), IsEmpty());
  EXPECT_FALSE(database_.HasTable("b"));
  EXPECT_THAT(events_, Not(Contains(HasSubstr("start b"))));
}

TEST_F(ExecuteTest, AStatementThatCommitsBreaksTheTransaction) {
  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\nCALL commits();\nCREATE TABLE b (x int);\n"});
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_TRANSACTION_BROKEN));
  EXPECT_EQ(FailureOf(result).statement_index(), 2);
  EXPECT_FALSE(database_.HasTable("b"));
  EXPECT_THAT(CommittedRows(), IsEmpty());
}

TEST_F(ExecuteTest, ASectionThatEndsInsideItsOwnTransactionIsRolledBack) {
  fake_.Write({"a", "", " transaction:false\nBEGIN;\nCREATE TABLE a (x int);\n"});
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_TRANSACTION_BROKEN));
  EXPECT_FALSE(database_.HasTable("a"));
  EXPECT_THAT(CommittedRows(), IsEmpty());
}

TEST_F(ExecuteTest, WhatASectionsOwnTransactionTakesWithItIsNotSaidToStay) {
  fake_.Write({"a", "",
               " transaction:false\nCREATE TABLE a (x int);\nBEGIN;\nCREATE TABLE b (x int);\n"
               "INSERT INTO nowhere VALUES (1);\nCOMMIT;\n"});
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_STATEMENT_FAILED));
  EXPECT_EQ(FailureOf(result).statement_index(), 4);
  EXPECT_THAT(FailureOf(result).state(), HasSubstr("statement 1 of a stays"));
  EXPECT_TRUE(database_.HasTable("a"));
  EXPECT_FALSE(database_.HasTable("b"));
}

TEST_F(ExecuteTest, ASectionMayEndEachTransactionThatItBegins) {
  fake_.Write({"a", "", " transaction:false\nBEGIN;\nCREATE TABLE a (x int);\nCOMMIT;\n"});
  EXPECT_TRUE(Upgrade().status.ok());
  EXPECT_TRUE(database_.HasTable("a"));
}

TEST_F(ExecuteTest, AVersionTableThatSomebodyChangedFailsTheStep) {
  WriteTwoRevisions();
  database_.SetRows({"a"});
  on_event_ = [this](const std::string& event) {
    if (event == "plan b") database_.SetRows({"z"});
  };
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_VERSION_ROW_MISMATCH));
  EXPECT_FALSE(database_.HasTable("b"));
  EXPECT_THAT(CommittedRows(), ElementsAre("z"));
}

TEST_F(ExecuteTest, ARevisionThatLetsGoOfTheMutexLeavesNothing) {
  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\nSELECT pg_advisory_unlock_all();\n"});
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_MUTEX_LOST));
  EXPECT_FALSE(database_.HasTable("a"));
  EXPECT_THAT(CommittedRows(), IsEmpty());
  EXPECT_THAT(database_.log(), IsEmpty());
  EXPECT_THAT(database_.journal(), Not(Contains("version +a")));
}

TEST_F(ExecuteTest, ASectionOutsideATransactionThatLetsGoOfTheMutexIsNotRecorded) {
  fake_.Write(
      {"a", "", " transaction:false\nCREATE TABLE a (x int);\nSELECT pg_advisory_unlock_all();\n"});
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_MUTEX_LOST));
  EXPECT_TRUE(database_.HasTable("a"));
  EXPECT_THAT(CommittedRows(), IsEmpty());
  EXPECT_THAT(database_.log(), IsEmpty());
}

TEST_F(ExecuteTest, AMutexThatSomebodyElseTookMeanwhileIsLost) {
  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\n"});
  on_event_ = [this](const std::string& event) {
    if (event == "statement a 1/1 CREATE TABLE") database_.HoldMutex({4711, "other", "app", ""});
  };
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_MUTEX_LOST));
  EXPECT_FALSE(database_.HasTable("a"));
}

TEST_F(ExecuteTest, FailsBeforeItsFirstStepIfItCannotWrite) {
  WriteTwoRevisions();
  database_.SetReadOnly();
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_DATABASE_READ_ONLY));
  EXPECT_THAT(events_, IsEmpty());
}

TEST_F(ExecuteTest, FailsAfterThePlanIfItsTablesCannotBeMade) {
  WriteTwoRevisions();
  database_.FailPreparation(errors::InsufficientPrivilege("no CREATE on schema public", ""));
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_INSUFFICIENT_PRIVILEGE));
  EXPECT_THAT(events_, ElementsAre("plan a b"));
}

TEST_F(ExecuteTest, PassesOnWhyTheDatabaseCannotBeReached) {
  WriteTwoRevisions();
  database_.RefuseConnections(errors::DatabaseMissing("app", "no such database"));
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_DATABASE_MISSING));
}

TEST_F(ExecuteTest, RefusesADatabaseThatIsAheadOfTheFiles) {
  WriteTwoRevisions();
  database_.SetRows({"unknown"});
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_DATABASE_AHEAD));
}

TEST_F(ExecuteTest, RefusesBrokenFiles) {
  fake_.WriteFile("a_step.sql", "no header\n");
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_INVALID_MIGRATIONS));
}

TEST_F(ExecuteTest, RefusesToRunWithoutADatabase) {
  WriteTwoRevisions();
  Workspace offline;
  offline.scripts = fake_.workspace().scripts;
  EXPECT_THAT(Execute(offline, {}, cancellation_, [](const migration::v1::OperationEvent&) {}),
              FailsWith(ErrorReason::ERROR_REASON_OFFLINE));
}

TEST_F(ExecuteTest, LeavesNoSessionBehindHoweverItEnds) {
  WriteTwoRevisions();
  ASSERT_TRUE(Upgrade("a").status.ok());
  EXPECT_EQ(database_.open_sessions(), 0);
  database_.FailStatement("CREATE TABLE b", {"XX000", "cache lookup failed", "", "", "", 0});
  ASSERT_FALSE(Upgrade().status.ok());
  EXPECT_EQ(database_.open_sessions(), 0);
}

// --- What is skipped, and what is said ---

TEST_F(ExecuteTest, SaysWhichObjectsAreThereAlready) {
  database_.AddTable("t");
  fake_.Write({"a", "",
               "\nCREATE TABLE IF NOT EXISTS t (x int);\n"
               "CREATE TABLE IF NOT EXISTS u (x int);\n"});
  ASSERT_TRUE(Upgrade().status.ok());
  EXPECT_THAT(events_, ElementsAre("plan a", "start a 1/1", "skip table t exists",
                                   "statement a 1/2 CREATE TABLE", "statement a 2/2 CREATE TABLE",
                                   "finish a {a}"));
}

TEST_F(ExecuteTest, SaysWhichObjectsAreGoneAlready) {
  fake_.Write({"a", "", "\nDROP TABLE IF EXISTS t;\n"});
  ASSERT_TRUE(Upgrade().status.ok());
  EXPECT_THAT(events_, Contains("skip table t missing"));
}

TEST_F(ExecuteTest, RefusesToPassOverAnInvalidIndex) {
  database_.AddTable("t");
  database_.AddInvalidIndex("i");
  fake_.Write(
      {"a", "", " transaction:false\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (x);\n"});
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_INVALID_INDEX));
  EXPECT_THAT(errors::ToProto(result.status).hint(), HasSubstr("DROP INDEX CONCURRENTLY i"));
  EXPECT_EQ(FailureOf(result).statement_index(), 1);
  EXPECT_EQ(FailureOf(result).state(), "no statement of a finished");
  EXPECT_THAT(CommittedRows(), IsEmpty());
}

TEST_F(ExecuteTest, PassesNoticesOnButNotThoseThatSayWhatASkipSays) {
  database_.AddTable("t");
  database_.Say("CREATE TABLE IF NOT EXISTS t",
                {"NOTICE", "42P07", "relation \"t\" already exists, skipping", "", ""});
  fake_.Write({"a", "",
               "\nCREATE TABLE IF NOT EXISTS t (x int);\n"
               "DO $$ BEGIN RAISE WARNING 'careful'; END $$;\n"});
  ASSERT_TRUE(Upgrade().status.ok());
  EXPECT_THAT(events_, Contains("notice WARNING careful"));
  EXPECT_THAT(events_, Not(Contains(HasSubstr("skipping"))));
}

TEST_F(ExecuteTest, PassesOnThatAStatementSkipsWhatNobodyElseTells) {
  database_.Say("DO", {"NOTICE", "42P07", "relation \"t\" already exists, skipping", "", ""});
  fake_.Write(
      {"a", "", "\nDO $$ BEGIN CREATE TABLE IF NOT EXISTS t (); RAISE INFO 'done'; END $$;\n"});
  ASSERT_TRUE(Upgrade().status.ok());
  EXPECT_THAT(events_, Contains("notice NOTICE relation \"t\" already exists, skipping"));
}

TEST_F(ExecuteTest, ShortensNoticesThatAreTooLong) {
  database_.Say("SELECT", {"NOTICE", "00000", std::string(6'000'000, 'x'), "", ""});
  fake_.Write({"a", ""});
  ASSERT_TRUE(Upgrade().status.ok());
  EXPECT_THAT(events_, Contains(AllOf(StartsWith("notice NOTICE xxx"), EndsWith("xxx..."),
                                      SizeIs(::testing::Lt(5000)))));
}

TEST_F(ExecuteTest, LeavesNoticesOutWhenThereAreTooMany) {
  database_.Say("SELECT", {"NOTICE", "00000", "again", "", ""}, 105);
  fake_.Write({"a", ""});
  ASSERT_TRUE(Upgrade().status.ok());
  EXPECT_EQ(std::count(events_.begin(), events_.end(), "notice NOTICE again"), 100);
  EXPECT_THAT(events_, Contains("notice INFO 5 more notices were left out"));
}

// --- The mutex ---

TEST_F(ExecuteTest, WaitsForTheMutexAndSaysWhoHoldsIt) {
  WriteTwoRevisions();
  database_.HoldMutex({4711, "billing", "app", "10.0.0.7"});
  on_event_ = [this](const std::string& event) {
    if (event == "waiting for pid 4711") database_.HoldMutex({4712, "other", "app", ""});
    if (event == "waiting for pid 4712") database_.ReleaseMutex();
  };
  ASSERT_TRUE(Upgrade("a").status.ok());
  EXPECT_THAT(events_, ElementsAre("waiting for pid 4711", "waiting for pid 4712", "plan a",
                                   "start a 1/1", "statement a 1/1 CREATE TABLE", "finish a {a}"));
}

TEST_F(ExecuteTest, PlansFromTheRowsThatItFindsUnderTheMutex) {
  WriteTwoRevisions();
  database_.HoldMutex({4711, "billing", "app", ""});
  on_event_ = [this](const std::string& event) {
    if (event != "waiting for pid 4711") return;
    database_.SetRows({"a"});
    database_.ReleaseMutex();
  };
  ASSERT_TRUE(Upgrade().status.ok());
  EXPECT_THAT(events_, Contains("plan b"));
}

TEST_F(ExecuteTest, GivesUpWhenTheMutexIsNotFreeInTime) {
  WriteTwoRevisions();
  database_.HoldMutex({4711, "billing", "app", ""});
  mutex_deadline_ = absl::Now() + absl::Milliseconds(30);
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_MUTEX_TIMEOUT));
  EXPECT_THAT(std::string(result.status.message()), HasSubstr("pid 4711 (billing, user app)"));
}

TEST_F(ExecuteTest, TriesTheMutexOnceEvenIfTheDeadlineHasPassed) {
  WriteTwoRevisions();
  mutex_deadline_ = absl::InfinitePast();
  EXPECT_TRUE(Upgrade().status.ok());
}

// --- Cancelling ---

TEST_F(ExecuteTest, ACancelWhileItWaitsForTheMutexEndsIt) {
  WriteTwoRevisions();
  database_.HoldMutex({4711, "billing", "app", ""});
  on_event_ = [this](const std::string&) { cancellation_.Request("changed my mind"); };
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_OPERATION_CANCELLED));
  EXPECT_THAT(std::string(result.status.message()), HasSubstr("changed my mind"));
  EXPECT_THAT(events_, ElementsAre("waiting for pid 4711"));
}

TEST_F(ExecuteTest, ACancelBeforeTheFirstStepLeavesTheDatabaseAsItWas) {
  WriteTwoRevisions();
  cancellation_.Request("too late");
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_OPERATION_CANCELLED));
  EXPECT_THAT(CommittedRows(), IsEmpty());
  EXPECT_THAT(database_.journal(), ElementsAre("timeouts 5s 0"));
}

TEST_F(ExecuteTest, ACancelBetweenStepsKeepsThoseThatAreFinished) {
  WriteTwoRevisions();
  on_event_ = [this](const std::string& event) {
    if (event == "finish a {a}") cancellation_.Request("enough");
  };
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_OPERATION_CANCELLED));
  EXPECT_EQ(events_.back(), "finish a {a}");
  EXPECT_THAT(CommittedRows(), ElementsAre("a"));
  EXPECT_THAT(result.rows, ElementsAre("a"));
}

TEST_F(ExecuteTest, ACancelBetweenStatementsRollsTheStepBack) {
  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\nINSERT INTO a VALUES (1);\n"});
  on_event_ = [this](const std::string& event) {
    if (event == "statement a 1/2 CREATE TABLE") cancellation_.Request("enough");
  };
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_OPERATION_CANCELLED));
  EXPECT_THAT(std::string(result.status.message()),
              HasSubstr("enough; nothing of a remains: it was rolled back"));
  EXPECT_FALSE(database_.HasTable("a"));
  EXPECT_THAT(database_.journal(), Not(Contains("INSERT INTO a VALUES (1)")));
}

TEST_F(ExecuteTest, ACancelEndsTheStatementThatRuns) {
  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\nSELECT pg_sleep(600);\n"});
  std::thread canceller([this] {
    EXPECT_TRUE(database_.AwaitBlockedStatement());
    cancellation_.Request("somebody asked for it");
  });
  const ExecuteResult result = Upgrade();
  canceller.join();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_OPERATION_CANCELLED));
  EXPECT_FALSE(database_.HasTable("a"));
}

TEST_F(ExecuteTest, ACancelSaysWhichStatementsStayOutsideATransaction) {
  fake_.Write({"a", "", " transaction:false\nCREATE TABLE a (x int);\nSELECT pg_sleep(600);\n"});
  std::thread canceller([this] {
    EXPECT_TRUE(database_.AwaitBlockedStatement());
    cancellation_.Request("somebody asked for it");
  });
  const ExecuteResult result = Upgrade();
  canceller.join();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_OPERATION_CANCELLED));
  EXPECT_THAT(std::string(result.status.message()), HasSubstr("statement 1 of a stays"));
  EXPECT_TRUE(database_.HasTable("a"));
}

TEST_F(ExecuteTest, ACancelDoesNotDisturbACommit) {
  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\n"});
  bool disturbed = true;
  database_.OnCommit([this, &disturbed] {
    cancellation_.Request("in the middle of it");
    // Three times what the interrupter needs to repeat itself.
    disturbed = database_.AwaitCancelDuringCommit(absl::Milliseconds(300));
  });
  const ExecuteResult result = Upgrade();
  EXPECT_FALSE(disturbed);
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_THAT(CommittedRows(), ElementsAre("a"));
}

TEST_F(ExecuteTest, AStatementThatRunsIntoItsTimeoutIsNoCancel) {
  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\n"});
  database_.FailStatement("CREATE TABLE a",
                          {"57014", "canceling statement due to statement timeout", "", "", "", 0});
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_STATEMENT_TIMEOUT));
}

// --- Locks ---

migration::v1::Blocker BlockerOf(int pid) {
  migration::v1::Blocker blocker;
  blocker.set_pid(pid);
  blocker.set_holds_lock(true);
  return blocker;
}

TEST_F(ExecuteTest, AStepThatMeetsALockIsTriedAgain) {
  WriteTwoRevisions();
  database_.TimeOutAtLock("CREATE TABLE b", 2);
  lock_retries_ = 2;
  const ExecuteResult result = Upgrade();
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_THAT(events_, ElementsAre("plan a b", "start a 1/2", "statement a 1/1 CREATE TABLE",
                                   "finish a {a}", "start b 2/2", "retry b 2/3", "retry b 3/3",
                                   "statement b 1/1 CREATE TABLE", "finish b {b}"));
}

TEST_F(ExecuteTest, ALockThatIsNeverFreeIsToldWithThoseInTheWay) {
  WriteTwoRevisions();
  database_.TimeOutAtLock("CREATE TABLE b", 100);
  lock_retries_ = 3;
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_LOCK_TIMEOUT));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(std::count(events_.begin(), events_.end(), "retry b 4/4"), 1);
  EXPECT_THAT(result.rows, ElementsAre("a"));
  EXPECT_THAT(CommittedRows(), ElementsAre("a"));
}

TEST_F(ExecuteTest, OtherFailuresAreNotTriedAgain) {
  WriteTwoRevisions();
  database_.FailStatement("CREATE TABLE a", {"40P01", "deadlock detected", "", "", "", 0});
  lock_retries_ = 3;
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_TRANSACTION_CONFLICT));
  EXPECT_THAT(events_, Not(Contains(StartsWith("retry"))));
}

TEST_F(ExecuteTest, WhatRunsOutsideATransactionIsTriedAgainFromTheStatementThatTimedOut) {
  fake_.Write(
      {"a", "", " transaction:false\nINSERT INTO t VALUES (1);\nCREATE TABLE a (x int);\n"});
  database_.AddTable("t");
  database_.TimeOutAtLock("CREATE TABLE a", 2);
  lock_retries_ = 3;
  const ExecuteResult result = Upgrade();
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_THAT(events_, ::testing::IsSupersetOf({"retry a 2/4", "resume a 2/2", "retry a 3/4"}));
  const std::vector<std::string> sent = database_.journal();
  EXPECT_EQ(std::count(sent.begin(), sent.end(), "INSERT INTO t VALUES (1)"), 1);
}

TEST_F(ExecuteTest, ARequestToCancelEndsThePause) {
  WriteTwoRevisions();
  database_.TimeOutAtLock("CREATE TABLE a", 100);
  lock_retries_ = 100;
  on_event_ = [this](const std::string& event) {
    if (event == "retry a 3/101") cancellation_.Request("enough");
  };
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_OPERATION_CANCELLED));
  EXPECT_THAT(std::string(result.status.message()), HasSubstr("enough; nothing of a remains"));
  EXPECT_THAT(events_, Not(Contains("retry a 4/101")));
}

TEST_F(ExecuteTest, AStatementThatWaitsIsWatched) {
  fake_.Write({"a", "", "\nSELECT pg_sleep(1000);\n"});
  LockState state{"t", "AccessExclusiveLock", {BlockerOf(4711), BlockerOf(4712)}};
  database_.SetLockState(state);
  lock_timeout_ = absl::Milliseconds(40);
  on_event_ = [this](const std::string& event) {
    if (event == "blocked a 1 by 4711,4712") database_.SetLockState({});
    if (event == "blocked a 1 by ") cancellation_.Request("seen");
  };
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_OPERATION_CANCELLED));
  EXPECT_THAT(events_,
              ElementsAre("plan a", "start a 1/1", "blocked a 1 by 4711,4712", "blocked a 1 by "));
  EXPECT_THAT(database_.terminated(), IsEmpty());
}

migration::v1::StatementProgress ProgressOf(const std::string& phase, int done) {
  migration::v1::StatementProgress progress;
  progress.set_command("CREATE INDEX");
  progress.set_phase(phase);
  progress.set_done(done);
  return progress;
}

TEST_F(ExecuteTest, HowFarAStatementIsIsToldWhenItHasChanged) {
  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\nSELECT pg_sleep(1000);\n"});
  const auto scanning = ProgressOf("scanning", 1);
  database_.SetProgress({scanning, scanning, ProgressOf("scanning", 2), ProgressOf("loading", 2)});
  lock_timeout_ = absl::Milliseconds(40);
  on_event_ = [this](const std::string& event) {
    if (event == "progress CREATE INDEX loading") cancellation_.Request("seen");
  };
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_OPERATION_CANCELLED));
  EXPECT_THAT(events_,
              ElementsAre("plan a", "start a 1/1", "statement a 1/2 CREATE TABLE",
                          "progress CREATE INDEX scanning", "progress CREATE INDEX scanning",
                          "progress CREATE INDEX loading"));
  ASSERT_TRUE(last_progress_.has_value());
  EXPECT_EQ(last_progress_->revision(), "a");
  EXPECT_EQ(last_progress_->statement_index(), 2);
  EXPECT_EQ(last_progress_->statement_count(), 2);
  EXPECT_TRUE(last_progress_->has_elapsed());
  EXPECT_FALSE(last_progress_->has_phase_remaining());
}

TEST_F(ExecuteTest, ThoseInTheWayAreEndedIfTheRequestSaysSo) {
  fake_.Write({"a", "", "\nSELECT pg_sleep(1000);\n"});
  LockState state{"t", "AccessExclusiveLock", {BlockerOf(4711), BlockerOf(4712), BlockerOf(0)}};
  // One that only waits for it, too, is left alone; a prepared transaction has no session.
  state.blockers[1].set_holds_lock(false);
  database_.SetLockState(state);
  lock_timeout_ = absl::Milliseconds(40);
  terminate_blockers_ = true;
  on_event_ = [this](const std::string& event) {
    if (event == "terminated 4711") cancellation_.Request("seen");
  };
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_OPERATION_CANCELLED));
  EXPECT_THAT(database_.terminated(), ElementsAre(4711));
}

}  // namespace
}  // namespace migd
