// Sections outside a transaction that are cut off, and the runs after that.
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/execute/executor.h"
#include "tests/support/event_text.h"
#include "tests/support/fake_workspace.h"

namespace migd {
namespace {

using migration::v1::ErrorReason;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

MATCHER_P(FailsWith, reason, "fails with " + errors::ReasonName(reason)) {
  *result_listener << arg.status;
  return errors::ReasonOf(arg.status) == reason;
}

MATCHER(Succeeds, "") {
  *result_listener << arg.status;
  return arg.status.ok();
}

class JournalTest : public ::testing::Test {
 protected:
  ExecuteResult Run(migration::v1::Action action, const std::string& target,
                    RunDecisions decisions = {}) {
    events_.clear();
    ExecuteRequest request;
    request.action = action;
    request.targets = {target};
    request.operation = "op1";
    request.decisions = decisions;
    Cancellation cancellation;
    return Execute(
        fake_.workspace(), request, cancellation,
        [this](const migration::v1::OperationEvent& event) { events_.push_back(Brief(event)); });
  }
  ExecuteResult Upgrade(RunDecisions decisions = {}) {
    return Run(migration::v1::ACTION_UPGRADE, "head", decisions);
  }

  // Revision a, whose section is outside a transaction.
  void Write(const std::string& up) {
    fake_.Write({"a", "", " transaction:false\n" + up, "\nSELECT 1;"});
  }

  // A run that ends when the connection is lost, before the server gets the statement.
  void CutOffAt(const std::string& statement) {
    database_.LoseConnectionAt(statement);
    EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_DATABASE_UNAVAILABLE));
    database_.Heal();
  }
  // The same, after the server has run it.
  void CutOffAfter(const std::string& statement) {
    database_.LoseConnectionAfter(statement);
    EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_DATABASE_UNAVAILABLE));
    database_.Heal();
  }

  // How often a statement that begins so was sent.
  int TimesSent(const std::string& beginning) const {
    int count = 0;
    for (const std::string& line : database_.journal()) count += line.rfind(beginning, 0) == 0;
    return count;
  }

  static std::string Message(const ExecuteResult& result) {
    return std::string(result.status.message());
  }
  static std::string Hint(const ExecuteResult& result) {
    return errors::ToProto(result.status).hint();
  }

  FakeWorkspace fake_;
  FakeDatabase& database_ = fake_.database();
  std::vector<std::string> events_;
};

// --- What is done is not done again ---

TEST_F(JournalTest, TheNextRunGoesOnBehindWhatIsDone) {
  Write("CREATE TABLE t (x int);\nINSERT INTO t VALUES (1);\nCREATE TABLE u (x int);\n");
  database_.FailStatement("INSERT", {"23505", "duplicate key", "", "", "", 0});
  const ExecuteResult failed = Upgrade();
  EXPECT_THAT(failed, FailsWith(ErrorReason::ERROR_REASON_STATEMENT_FAILED));
  EXPECT_THAT(errors::ToProto(failed.status).statement_failure().state(),
              HasSubstr("the next run goes on with statement 2"));

  database_.Heal();
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_THAT(events_,
              ElementsAre("plan a", "start a 1/1", "resume a 2/3", "statement a 2/3 INSERT 0 1",
                          "statement a 3/3 CREATE TABLE", "finish a {a}"));
  EXPECT_EQ(TimesSent("CREATE TABLE t"), 1);
}

TEST_F(JournalTest, NothingIsKeptOfASectionThatIsDone) {
  Write("CREATE TABLE t (x int);\nVACUUM t;\nBEGIN;\nINSERT INTO t VALUES (1);\nCOMMIT;\n");
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_THAT(database_.statement_journal(), IsEmpty());
}

TEST_F(JournalTest, AStatementThatWasCutOffInItsTransactionIsSimplyRun) {
  Write("CREATE TABLE t (x int);\nINSERT INTO t VALUES (1);\n");
  CutOffAfter("INSERT");  // the server rolls it back
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_THAT(events_, Contains("resume a 2/2"));
  EXPECT_EQ(TimesSent("INSERT"), 2);
}

TEST_F(JournalTest, AStatementWhoseCommitWasDoneIsNotRunAgain) {
  Write("CREATE TABLE t (x int);\n");
  database_.LoseConnectionAtCommit(true);
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_DATABASE_UNAVAILABLE));
  database_.Heal();
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_EQ(TimesSent("CREATE TABLE t"), 1);
}

TEST_F(JournalTest, AStatementWhoseCommitWasNotDoneIsRunAgain) {
  Write("CREATE TABLE t (x int);\n");
  database_.LoseConnectionAtCommit(false);
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_DATABASE_UNAVAILABLE));
  database_.Heal();
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_EQ(TimesSent("CREATE TABLE t"), 2);
}

TEST_F(JournalTest, WhatSetsTheSessionUpIsRunEachTime) {
  Write("SET ROLE app;\nCREATE TABLE t (x int);\nBEGIN;\nSET search_path = s;\nCOMMIT;\nVACUUM;\n");
  CutOffAt("VACUUM");
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_EQ(TimesSent("SET ROLE"), 2);
  EXPECT_EQ(TimesSent("SET search_path"), 2);
  EXPECT_EQ(TimesSent("CREATE TABLE"), 1);
}

TEST_F(JournalTest, ATransactionOfTheSectionsOwnIsDoneAsAWhole) {
  Write("BEGIN;\nCREATE TABLE t (x int);\nCOMMIT;\nVACUUM;\n");
  CutOffAt("VACUUM");
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_EQ(TimesSent("CREATE TABLE t"), 1);
}

TEST_F(JournalTest, ATransactionOfTheSectionsOwnThatIsCutOffIsRepeatedAsAWhole) {
  Write(
      "CREATE TABLE s (x int);\nBEGIN;\nCREATE TABLE t (x int);\nINSERT INTO t VALUES (1);\n"
      "COMMIT;\n");
  CutOffAt("INSERT");
  EXPECT_FALSE(database_.HasTable("t"));
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_THAT(events_, Contains("resume a 2/5"));
  EXPECT_EQ(TimesSent("CREATE TABLE s"), 1);
  EXPECT_EQ(TimesSent("CREATE TABLE t"), 2);
}

TEST_F(JournalTest, AStatementThatRefusesATransactionIsRunWithoutOne) {
  Write("CREATE TABLE t (x int);\n");
  database_.FailStatement("CREATE TABLE",
                          {"25001", "cannot run inside a transaction", "", "", "", 0});
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_STATEMENT_FAILED));
  EXPECT_EQ(TimesSent("CREATE TABLE t"), 2);
  EXPECT_THAT(database_.statement_journal(), IsEmpty());
}

// --- What became of a statement that was cut off ---

TEST_F(JournalTest, AConcurrentBuildThatFinishedIsFoundDone) {
  Write("CREATE INDEX CONCURRENTLY i ON t (x);\n");
  CutOffAfter("CREATE INDEX");
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_THAT(events_, Contains("settle a 1 SETTLEMENT_FOUND_DONE"));
  EXPECT_EQ(TimesSent("CREATE INDEX"), 1);
}

TEST_F(JournalTest, AConcurrentBuildThatNeverBeganIsRun) {
  Write("CREATE INDEX CONCURRENTLY i ON t (x);\n");
  CutOffAt("CREATE INDEX");
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_THAT(events_, Contains("settle a 1 SETTLEMENT_RUN_AGAIN"));
  EXPECT_TRUE(database_.HasIndex("i"));
}

TEST_F(JournalTest, AConcurrentBuildThatWasCutOffIsDroppedAndDoneAgain) {
  Write("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (x);\n");
  CutOffAt("CREATE INDEX");
  database_.AddInvalidIndex("i", "ON t (x)");
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_THAT(events_, ElementsAre("plan a", "start a 1/1", "resume a 1/1",
                                   "settle a 1 SETTLEMENT_RUN_AGAIN",
                                   "settle a 1 SETTLEMENT_INVALID_INDEX_DROPPED",
                                   "statement a 1/1 CREATE INDEX", "finish a {a}"));
  EXPECT_TRUE(database_.HasIndex("i"));
}

TEST_F(JournalTest, AnInvalidIndexWithoutAJournalIsDroppedToo) {
  Write("CREATE INDEX CONCURRENTLY i ON t (x);\n");
  database_.AddInvalidIndex("i", "ON t (x)");
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_TRUE(database_.HasIndex("i"));
}

TEST_F(JournalTest, AnInvalidIndexOfAnotherDefinitionIsLeftAlone) {
  Write("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (x);\n");
  database_.AddInvalidIndex("i", "ON t (y)");
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_INVALID_INDEX));
  EXPECT_THAT(Hint(result), HasSubstr("DROP INDEX CONCURRENTLY i"));
  EXPECT_EQ(TimesSent("DROP INDEX"), 0);
}

TEST_F(JournalTest, AnIndexThatSomebodyIsBuildingIsLeftAlone) {
  Write("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (x);\n");
  database_.AddInvalidIndex("i", "ON t (x)");
  database_.SetBuilder(4711);
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_INVALID_INDEX));
  EXPECT_THAT(Hint(result), HasSubstr("wait for pid 4711"));
  EXPECT_EQ(TimesSent("DROP INDEX"), 0);
}

TEST_F(JournalTest, AValidIndexOfAnotherDefinitionIsTheServersBusiness) {
  Write("CREATE INDEX CONCURRENTLY i ON t (x);\n");
  CutOffAt("CREATE INDEX");
  Statement another;
  another.text = "CREATE INDEX i ON t (y)";
  ASSERT_TRUE(database_.OpenSession("other").value()->Execute(another).ok());
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_OBJECT_EXISTS));
}

TEST_F(JournalTest, AConcurrentDropThatFinishedIsFoundDone) {
  Write("CREATE INDEX i ON t (x);\nDROP INDEX CONCURRENTLY i;\n");
  CutOffAfter("DROP INDEX");
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_THAT(events_, Contains("settle a 2 SETTLEMENT_FOUND_DONE"));
}

TEST_F(JournalTest, AConcurrentDropThatDidNotFinishIsRunAgain) {
  Write("CREATE INDEX i ON t (x);\nDROP INDEX CONCURRENTLY i;\n");
  CutOffAt("DROP INDEX");
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_THAT(events_, Contains("settle a 2 SETTLEMENT_RUN_AGAIN"));
  EXPECT_FALSE(database_.HasIndex("i"));
}

TEST_F(JournalTest, MaintenanceIsRunAgain) {
  Write("VACUUM t;\n");
  CutOffAfter("VACUUM");
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_EQ(TimesSent("VACUUM"), 2);
}

TEST_F(JournalTest, AStatementThatTheServerRefusedIsNotInQuestion) {
  Write("CALL pay();\n");
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_STATEMENT_FAILED));
  EXPECT_THAT(database_.statement_journal(), IsEmpty());
}

// --- What nobody knows is decided by people ---

TEST_F(JournalTest, AnOutcomeThatNobodyKnowsStopsTheRun) {
  Write("CREATE TABLE t (x int);\nCALL commits();\n");
  CutOffAfter("CALL");
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_STATEMENT_OUTCOME_UNKNOWN));
  EXPECT_THAT(Message(result), HasSubstr("operation op1 was cut off at statement 2 of 2"));
  EXPECT_THAT(Message(result), HasSubstr("a_step.sql:8"));
  EXPECT_THAT(Hint(result), HasSubstr("--resume"));
  EXPECT_THAT(Hint(result), HasSubstr("--skip-statement 2"));
  EXPECT_EQ(TimesSent("CALL"), 1);
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_STATEMENT_OUTCOME_UNKNOWN));
}

TEST_F(JournalTest, ResumeRunsItAgain) {
  Write("CREATE TABLE t (x int);\nCALL commits();\n");
  CutOffAfter("CALL");
  EXPECT_THAT(Upgrade({true, 0}), Succeeds());
  EXPECT_EQ(TimesSent("CALL"), 2);
  EXPECT_THAT(events_, Contains("settle a 2 SETTLEMENT_RUN_BY_DECISION"));
  EXPECT_THAT(database_.decisions(), ElementsAre("run a 2"));
  EXPECT_THAT(database_.statement_journal(), IsEmpty());
}

TEST_F(JournalTest, SkipTakesItAsDone) {
  Write("CREATE TABLE t (x int);\nCALL commits();\nCREATE TABLE u (x int);\n");
  CutOffAfter("CALL");
  EXPECT_THAT(Upgrade({false, 2}), Succeeds());
  EXPECT_EQ(TimesSent("CALL"), 1);
  EXPECT_TRUE(database_.HasTable("u"));
  EXPECT_THAT(database_.decisions(), ElementsAre("skip a 2"));
}

TEST_F(JournalTest, ADecisionOutlivesTheRunThatItWasMadeIn) {
  Write("CALL commits();\nCREATE TABLE u (x int);\n");
  CutOffAfter("CALL");
  database_.LoseConnectionAt("CREATE TABLE u");
  EXPECT_FALSE(Upgrade({false, 1}).status.ok());
  database_.Heal();
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_EQ(TimesSent("CALL"), 1);
}

TEST_F(JournalTest, OnlyAStatementInQuestionIsSkipped) {
  Write("CREATE TABLE t (x int);\nCALL commits();\n");
  EXPECT_THAT(Upgrade({false, 1}), FailsWith(ErrorReason::ERROR_REASON_INVALID_REQUEST));
  CutOffAfter("CALL");
  EXPECT_THAT(Upgrade({false, 1}), FailsWith(ErrorReason::ERROR_REASON_INVALID_REQUEST));
  EXPECT_EQ(TimesSent("CREATE TABLE t"), 1);
}

TEST_F(JournalTest, ResumeDoesNothingWhereNothingIsInQuestion) {
  Write("CREATE TABLE t (x int);\n");
  EXPECT_THAT(Upgrade({true, 0}), Succeeds());
  EXPECT_THAT(database_.decisions(), IsEmpty());
}

// --- The file has changed ---

TEST_F(JournalTest, AStatementThatIsNotWhatWasRunStopsTheRun) {
  Write("CREATE TABLE t (x int);\nVACUUM;\n");
  CutOffAt("VACUUM");
  Write("CREATE TABLE t (x bigint);\nVACUUM;\n");
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_JOURNAL_MISMATCH));
  EXPECT_THAT(Message(result), HasSubstr("operation op1 ran: CREATE TABLE t (x int)"));
  EXPECT_THAT(Hint(result), HasSubstr("--skip-statement 1"));
  EXPECT_EQ(TimesSent("CREATE TABLE"), 1);
}

TEST_F(JournalTest, SkipKeepsWhatWasRunInsteadOfIt) {
  Write("CREATE TABLE t (x int);\nVACUUM;\n");
  CutOffAt("VACUUM");
  Write("CREATE TABLE t (x bigint);\nVACUUM;\n");
  EXPECT_THAT(Upgrade({false, 1}), Succeeds());
  EXPECT_EQ(TimesSent("CREATE TABLE"), 1);
}

TEST_F(JournalTest, ResumeRunsItAsItIsNow) {
  Write("CREATE TABLE t (x int);\nVACUUM;\n");
  CutOffAt("VACUUM");
  Write("CREATE TABLE u (x int);\nVACUUM;\n");
  EXPECT_THAT(Upgrade({true, 0}), Succeeds());
  EXPECT_TRUE(database_.HasTable("u"));
  EXPECT_THAT(database_.decisions(), ElementsAre("run a 1", "run a 2"));
}

TEST_F(JournalTest, ANewStatementBeforeWhatWasRunStopsTheRun) {
  Write("SET ROLE app;\nCREATE TABLE t (x int);\nVACUUM;\n");
  CutOffAt("VACUUM");
  Write("INSERT INTO t VALUES (1);\nCREATE TABLE t (x int);\nVACUUM;\n");
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_JOURNAL_MISMATCH));
  EXPECT_THAT(Message(result), HasSubstr("statement 1 was not run, though later ones were"));
  EXPECT_EQ(TimesSent("INSERT"), 0);
}

TEST_F(JournalTest, AStatementThatWasRunAndIsGoneStopsTheRun) {
  Write("CREATE TABLE t (x int);\nCREATE TABLE u (x int);\nVACUUM;\n");
  CutOffAt("VACUUM");
  Write("CREATE TABLE t (x int);\n");
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_JOURNAL_MISMATCH));
  EXPECT_THAT(Message(result), HasSubstr("it has no statement 2"));
  EXPECT_THAT(Upgrade({true, 0}), Succeeds());
}

TEST_F(JournalTest, ASectionThatIsATransactionNowStopsTheRun) {
  Write("CREATE TABLE t (x int);\nVACUUM;\n");
  CutOffAt("VACUUM");
  fake_.Write({"a", "", "\nCREATE TABLE IF NOT EXISTS t (x int);\n"});
  const ExecuteResult result = Upgrade();
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_JOURNAL_MISMATCH));
  EXPECT_EQ(errors::ToProto(result.status).statement_failure().state(),
            "what an earlier run did of a stays");
  EXPECT_THAT(Upgrade({true, 0}), Succeeds());
  EXPECT_THAT(database_.statement_journal(), IsEmpty());
}

TEST_F(JournalTest, WhatComesLaterMayChange) {
  Write("CREATE TABLE t (x int);\nnonsense;\n");
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_STATEMENT_FAILED));
  Write("CREATE TABLE t (x int);\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2);\n");
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_EQ(TimesSent("CREATE TABLE t"), 1);
}

// --- What is around the revision ---

TEST_F(JournalTest, WhatAHalfDoneRevisionBuildsUponIsNotTakenAway) {
  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\n", "\nDROP TABLE a;"});
  fake_.Write({"b", "a", " transaction:false\nINSERT INTO a VALUES (1);\nnonsense;\n"});
  EXPECT_FALSE(Upgrade().status.ok());
  const ExecuteResult result = Run(migration::v1::ACTION_DOWNGRADE, "base");
  EXPECT_THAT(result, FailsWith(ErrorReason::ERROR_REASON_REVISION_HALF_DONE));
  EXPECT_THAT(Message(result), HasSubstr("the upgrade of revision b is half done: statement 1"));
  EXPECT_TRUE(database_.HasTable("a"));
}

TEST_F(JournalTest, NothingIsBuiltUponARevisionThatIsHalfTakenDown) {
  fake_.Write(
      {"a", "", "\nCREATE TABLE a (x int);\n", " transaction:false\nDROP TABLE a;\nnonsense;\n"});
  EXPECT_THAT(Upgrade(), Succeeds());
  EXPECT_FALSE(Run(migration::v1::ACTION_DOWNGRADE, "base").status.ok());
  fake_.Write({"b", "a"});
  EXPECT_THAT(Upgrade(), FailsWith(ErrorReason::ERROR_REASON_REVISION_HALF_DONE));
  EXPECT_THAT(database_.ReadRows().value(), ElementsAre("a"));
}

TEST_F(JournalTest, AStampEndsAHalfDoneRevision) {
  Write("CREATE TABLE t (x int);\nnonsense;\n");
  EXPECT_FALSE(Upgrade().status.ok());
  EXPECT_THAT(Run(migration::v1::ACTION_STAMP, "a"), Succeeds());
  EXPECT_THAT(Run(migration::v1::ACTION_DOWNGRADE, "base"), Succeeds());
  EXPECT_THAT(database_.statement_journal(), IsEmpty());
}

}  // namespace
}  // namespace migd
