// The journal of statements, whatever a migration has done to its session.
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/postgres/postgres_database.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

using ::testing::HasSubstr;

class JournalPgTest : public ::testing::Test {
 protected:
  JournalPgTest() : database_(options_), session_(database_.OpenSession("op").value()) {
    EXPECT_TRUE(session_->PrepareForWriting().ok());
  }

  void Run(const std::string& sql) {
    Statement statement;
    statement.text = sql;
    const auto result = session_->Execute(statement);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_FALSE(result->error.has_value()) << sql << ": " << result->error->message;
  }

  // What a query of the session answers, told by an error.
  std::string Ask(const std::string& expression) {
    const std::string sql = "DO $$ BEGIN RAISE '%', " + expression + "; END $$";
    Statement statement;
    statement.text = sql;
    return session_->Execute(statement)->error->message;
  }

  absl::Status Record() {
    return session_->RecordStatements(
        section_, {{1, {JournalEntry::State::kFinished, "f00d", "INSERT 'ä' \\", "op"}}});
  }

  std::string Query(const std::string& sql) { return TestCluster::Query(options_.connection, sql); }

  // A role of this test's own that may do nothing here.
  std::string MakeRole() {
    const std::string role = "nobody_" + Query(
                                             "SELECT oid FROM pg_database WHERE datname = "
                                             "current_database()");
    Query("CREATE ROLE " + role);
    return role;
  }

  const PostgresOptions options_ = TestCluster::NewDatabaseOptions();
  const JournalKey section_ = {"a", Step::Direction::kUpgrade};
  PostgresDatabase database_;
  std::unique_ptr<Session> session_;
};

TEST_F(JournalPgTest, WaitsForTheDiskUnlessTheCatalogueTellsTheSame) {
  Run("SET synchronous_commit = on");
  Query("CREATE TABLE noted (entry int, synchronous_commit text)");
  Query(
      "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO noted "
      "VALUES (new.statement_index, current_setting('synchronous_commit')); RETURN NULL; END $$");
  Query(
      "CREATE TRIGGER note AFTER INSERT ON migration_service.statement_journal "
      "FOR EACH ROW EXECUTE FUNCTION note()");
  JournalEntry entry = {JournalEntry::State::kStarted, "f", "s", "op"};
  EXPECT_TRUE(session_->RecordStatements(section_, {{1, entry}}).ok());
  JournalEntry told_by_catalogue = entry;
  told_by_catalogue.may_be_lost = true;
  EXPECT_TRUE(session_->RecordStatements(section_, {{2, told_by_catalogue}}).ok());
  EXPECT_TRUE(session_->RecordStatements(section_, {{3, told_by_catalogue}, {4, entry}}).ok());
  // The migration's own transaction is not to be lost.
  EXPECT_TRUE(session_->Begin().ok());
  EXPECT_TRUE(session_->RecordStatements(section_, {{5, told_by_catalogue}}).ok());
  EXPECT_FALSE(session_->Commit()->error.has_value());
  EXPECT_EQ(Query("SELECT string_agg(entry || synchronous_commit, ' ' ORDER BY entry) FROM noted"),
            "1on 2off 3on 4on 5on");
  EXPECT_EQ(Ask("current_setting('synchronous_commit')"), "on");
}

TEST_F(JournalPgTest, ADatabaseFromBeforeTheJournalGetsOne) {
  Query("DROP TABLE migration_service.statement_journal");
  ASSERT_TRUE(session_->PrepareForWriting().ok());
  EXPECT_TRUE(Record().ok());
}

TEST_F(JournalPgTest, ARoleThatAMigrationHasSetDoesNotMatterAndStaysSet) {
  const std::string role = MakeRole();
  Run("SET ROLE " + role);
  EXPECT_TRUE(Record().ok());
  EXPECT_EQ(Ask("current_user"), role);
  EXPECT_TRUE(session_->EraseRecords(section_, 1).ok());
  EXPECT_EQ(Ask("current_user"), role);
}

TEST_F(JournalPgTest, ARoleThatATransactionHasSetStaysSetInIt) {
  const std::string role = MakeRole();
  Run("BEGIN");
  Run("SET LOCAL ROLE " + role);
  ASSERT_TRUE(Record().ok());
  Run("SAVEPOINT s");
  EXPECT_EQ(Ask("current_user"), role);
  Run("ROLLBACK TO s");
  Run("COMMIT");
  EXPECT_NE(Ask("current_user"), role);
  EXPECT_EQ(session_->ReadJournal()->size(), 1U);
}

TEST_F(JournalPgTest, AnotherSessionUserDoesNotMatterAndStays) {
  const std::string role = MakeRole();
  Run("SET SESSION AUTHORIZATION " + role);
  EXPECT_TRUE(Record().ok());
  EXPECT_EQ(Ask("session_user"), role);
  EXPECT_EQ(Ask("current_user"), role);
  Run("RESET SESSION AUTHORIZATION");
  EXPECT_NE(Ask("session_user"), role);
  EXPECT_EQ(Query("SELECT recorded_by FROM migration_service.statement_journal"),
            Query("SELECT session_user"));
}

TEST_F(JournalPgTest, SettingsThatChangeWhatTextMeansDoNotMatter) {
  Run("SET standard_conforming_strings = off");
  Run("SET search_path = ''");
  EXPECT_TRUE(Record().ok());
  EXPECT_EQ(Query("SELECT statement FROM migration_service.statement_journal"), "INSERT 'ä' \\");
  Run("SET client_encoding = 'WIN1251'");
  EXPECT_TRUE(Record().ok());
  EXPECT_EQ(Query("SELECT statement FROM migration_service.statement_journal"),
            "INSERT '?"
            "?' \\");
}

TEST_F(JournalPgTest, DecisionsAreKeptForGood) {
  const JournalEntry entry = {JournalEntry::State::kSkipped, "f00d", "CALL pay()", "op2"};
  ASSERT_TRUE(session_->RecordDecision(section_, 3, entry, JournalDecision::kSkip).ok());
  ASSERT_TRUE(session_->EraseRecords(section_, absl::nullopt).ok());
  EXPECT_EQ(
      Query("SELECT concat_ws(' ', revision, direction, statement_index, statement, decision, "
            "operation, applied_by = session_user) FROM migration_service.revision_log"),
      "a upgrade 3 CALL pay() skip op2 t");
}

TEST_F(JournalPgTest, TheBeginningOfAStatementIsKeptUntilItsEnd) {
  const std::string start = "SELECT start_time FROM migration_service.statement_journal";
  ASSERT_TRUE(
      session_->RecordStatements(section_, {{1, {JournalEntry::State::kStarted, "f", "s", "op"}}})
          .ok());
  const std::string begun = Query(start);
  EXPECT_EQ(Query("SELECT finish_time FROM migration_service.statement_journal"), "");
  ASSERT_TRUE(Record().ok());
  EXPECT_EQ(Query(start), begun);
  EXPECT_EQ(Query("SELECT finish_time > start_time FROM migration_service.statement_journal"), "t");
}

TEST_F(JournalPgTest, EachVersionTableHasItsOwn) {
  ASSERT_TRUE(Record().ok());
  PostgresOptions other = options_;
  other.version_table.name = "other_version";
  PostgresDatabase database(other);
  const auto session = database.OpenSession("op").value();
  ASSERT_TRUE(session->PrepareForWriting().ok());
  EXPECT_TRUE(session->ReadJournal()->empty());
}

}  // namespace
}  // namespace migd
