// Sections outside a transaction that are cut off in real programs, and the runs after that.
#include <signal.h>

#include <pqxx/pqxx>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A database that is at aa10: two tables, and a procedure that pays, commits, and then waits for a
// lock.
class JournalE2eTest : public ServiceTest {
 protected:
  JournalE2eTest() {
    Add({.id = "aa10",
         .up = "CREATE TABLE t (id int);\nCREATE TABLE paid (id int);\n"
               "CREATE PROCEDURE pay() LANGUAGE plpgsql AS $$ BEGIN\n"
               "  INSERT INTO paid VALUES (1);\n  COMMIT;\n"
               "  PERFORM pg_advisory_xact_lock(42);\nEND $$;",
         .down = "DROP PROCEDURE pay();\nDROP TABLE t, paid;"});
    EXPECT_EQ(Migctl({"upgrade", "aa10"}).exit_code, 0);
  }

  // A revision bb20 whose section is outside a transaction.
  void AddSection(const std::string& up) {
    Add({.id = "bb20", .revises = "aa10", .up = up, .options = "transaction:false"});
  }

  // Somebody who holds what `sql` has locked, for as long as it lives.
  class Blocker {
   public:
    Blocker(const ConnectionOptions& database, const std::string& sql)
        : connection_(FormatConninfo(database)), work_(connection_) {
      work_.exec(sql);
    }

   private:
    pqxx::connection connection_;
    pqxx::work work_;
  };

  // Runs an upgrade until it waits for a Blocker, and kills migd there. The server's session goes
  // on, until PostgreSQL notices.
  void KillMigdWhileItWaits() {
    Process upgrade(MigctlCommand({"upgrade", "head"}));
    EXPECT_TRUE(SomebodyWaitsForALock());
    migd().process().Signal(SIGKILL);
    upgrade.Signal(SIGKILL);
    // What is left is for the next call, not for this server.
    StartMigdWith({"--takeover-after", "1h"});
  }

  // Ends what the killed migd has left in the server.
  void EndItsSession() {
    Query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
        "current_database() AND application_name LIKE 'migd %'");
    EXPECT_TRUE(Eventually([this] {
      return Query(
                 "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                 "application_name LIKE 'migd %'") == "0";
    }));
  }

  // Runs an upgrade until it waits for a Blocker, and cancels it there.
  Finished CancelWhileItWaits() {
    Process upgrade(MigctlCommand({"upgrade", "head"}));
    EXPECT_TRUE(SomebodyWaitsForALock());
    upgrade.Signal(SIGINT);
    return upgrade.Wait();
  }

  std::string Settlement(const std::vector<Json>& events) {
    std::string settlements;
    for (const Json& settled : OfKind(events, "statement_settled")) {
      absl::StrAppend(&settlements, settled["settlement"].text(), " ");
    }
    return settlements;
  }
};

TEST_F(JournalE2eTest, ACancelledBuildSaysWhichIndexItHasLeft) {
  AddSection("CREATE INDEX CONCURRENTLY t_id ON t (id);");
  {
    const Blocker blocker(database(), "INSERT INTO t VALUES (1)");
    const Finished cancelled = CancelWhileItWaits();
    EXPECT_EQ(cancelled.exit_code, 130);
    EXPECT_THAT(cancelled.err, AllOf(HasSubstr("has left index public.t_id INVALID"),
                                     HasSubstr("DROP INDEX CONCURRENTLY public.t_id")));
  }
  EXPECT_EQ(Query("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_id'::regclass"), "f");
  Text({"upgrade", "head"});
  EXPECT_EQ(Query("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_id'::regclass"), "t");
}

TEST_F(JournalE2eTest, AConcurrentBuildThatFinishedUnseenIsFoundDone) {
  AddSection("INSERT INTO t VALUES (1);\nCREATE INDEX CONCURRENTLY i ON t (id);");
  {
    const Blocker blocker(database(), "LOCK TABLE t IN ROW EXCLUSIVE MODE");
    KillMigdWhileItWaits();
    EndItsSession();
  }
  // As if the build had come to its end just before its session.
  Query("REINDEX INDEX i");
  ASSERT_EQ(Query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass"), "t");
  const std::vector<Json> events = Events({"upgrade", "head"});
  EXPECT_EQ(Settlement(events), "SETTLEMENT_FOUND_DONE ");
  EXPECT_EQ(OfKind(events, "step_resumed")[0]["next_statement"].text(), "2");
  EXPECT_EQ(Query("SELECT count(*) FROM t"), "1");
  EXPECT_EQ(VersionRows(), "bb20");
  EXPECT_EQ(Query("SELECT count(*) FROM migration_service.statement_journal"), "0");
}

TEST_F(JournalE2eTest, AConcurrentBuildThatIsCutOffIsDroppedAndDoneAgain) {
  AddSection("INSERT INTO t VALUES (1);\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (id);");
  {
    const Blocker blocker(database(), "LOCK TABLE t IN ROW EXCLUSIVE MODE");
    KillMigdWhileItWaits();
    EndItsSession();
  }
  ASSERT_EQ(Query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass"), "f");
  EXPECT_EQ(Settlement(Events({"upgrade", "head"})),
            "SETTLEMENT_RUN_AGAIN SETTLEMENT_INVALID_INDEX_DROPPED ");
  EXPECT_EQ(Query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass"), "t");
  EXPECT_EQ(Query("SELECT count(*) FROM t"), "1");
}

TEST_F(JournalE2eTest, AnInvalidIndexThatSomebodyIsBuildingIsNotDropped) {
  AddSection("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (id);");
  const Blocker blocker(database(), "LOCK TABLE t IN ROW EXCLUSIVE MODE");
  Process build({{"psql", "-X", "-c", "CREATE INDEX CONCURRENTLY i ON t (id)",
                  TestCluster::Uri(database())}});
  EXPECT_TRUE(SomebodyWaitsForALock());
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.reason(), "INVALID_INDEX");
  EXPECT_THAT(failure.text, HasSubstr("it may be building the index"));
  EXPECT_EQ(Query("SELECT to_regclass('i')"), "i");
}

TEST_F(JournalE2eTest, AnIndexWithADuplicateIsBuiltWhenTheDataIsCorrected) {
  Query("INSERT INTO t VALUES (1), (1)");
  AddSection(
      "INSERT INTO paid VALUES (1);\n"
      "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (id);");
  for (int i = 0; i < 2; ++i) {
    const Finished failed = Migctl({"upgrade", "head"});
    EXPECT_THAT(failed.err, AllOf(HasSubstr("23505"), HasSubstr("statement 1 of bb20 stays"),
                                  HasSubstr("the next run goes on with statement 2")));
  }
  Query("TRUNCATE t");
  EXPECT_EQ(Settlement(Events({"upgrade", "head"})), "SETTLEMENT_INVALID_INDEX_DROPPED ");
  EXPECT_EQ(Query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass"), "t");
  EXPECT_EQ(Query("SELECT count(*) FROM paid"), "1");
}

TEST_F(JournalE2eTest, AStatementThatIsCutOffInItsTransactionIsRunAgainWithoutAQuestion) {
  AddSection(
      "INSERT INTO paid VALUES (1);\n"
      "INSERT INTO paid SELECT 2 FROM pg_advisory_xact_lock(42);");
  {
    const Blocker blocker(database(), "SELECT pg_advisory_xact_lock(42)");
    KillMigdWhileItWaits();
    EndItsSession();
  }
  const std::vector<Json> events = Events({"upgrade", "head"});
  EXPECT_EQ(Settlement(events), "");
  EXPECT_EQ(Query("SELECT string_agg(id::text, ',') FROM paid"), "1,2");
}

TEST_F(JournalE2eTest, AStatementThatFinishedAfterMigdWasKilledIsNotRunTwice) {
  AddSection("INSERT INTO paid SELECT 1 FROM pg_advisory_xact_lock(42);\nVACUUM paid;");
  {
    // The server's session gets the lock, but nobody is there to commit.
    const Blocker blocker(database(), "SELECT pg_advisory_xact_lock(42)");
    KillMigdWhileItWaits();
  }
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(Query("SELECT count(*) FROM paid"), "1");
}

TEST_F(JournalE2eTest, AProcedureThatIsCutOffIsAQuestionForPeople) {
  AddSection("CALL pay();\nINSERT INTO t VALUES (1);");
  {
    const Blocker blocker(database(), "SELECT pg_advisory_xact_lock(42)");
    KillMigdWhileItWaits();
    EndItsSession();
  }
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "STATEMENT_OUTCOME_UNKNOWN");
  EXPECT_EQ(failure.json["statement_failure"]["line"].text(), absl::StrCat(kFirstLineOfUp));
  EXPECT_THAT(failure.text, AllOf(HasSubstr("CALL pay()"), HasSubstr("--resume"),
                                  HasSubstr("--skip-statement 1")));
  EXPECT_EQ(Query("SELECT count(*) FROM paid"), "1");

  const Finished wrong = Migctl({"upgrade", "head", "--skip-statement", "2"});
  EXPECT_THAT(wrong.err, HasSubstr("[INVALID_REQUEST]"));
  const Finished skipped = Migctl({"upgrade", "head", "--skip-statement", "1"});
  EXPECT_EQ(skipped.exit_code, 0);
  EXPECT_THAT(skipped.err, HasSubstr("statement 1 counts as done"));
  EXPECT_EQ(Query("SELECT count(*) FROM paid"), "1");
  EXPECT_EQ(Query("SELECT count(*) FROM t"), "1");
  EXPECT_EQ(Query("SELECT decision FROM migration_service.revision_log WHERE decision IS NOT NULL"),
            "skip");
}

TEST_F(JournalE2eTest, AProcedureThatIsCutOffIsRunAgainIfSomebodySaysSo) {
  AddSection("CALL pay();");
  {
    const Blocker blocker(database(), "SELECT pg_advisory_xact_lock(42)");
    KillMigdWhileItWaits();
    EndItsSession();
  }
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 1);
  EXPECT_EQ(Migctl({"upgrade", "head", "--resume"}).exit_code, 0);
  EXPECT_EQ(Query("SELECT count(*) FROM paid"), "2");
}

TEST_F(JournalE2eTest, WhatTheSectionHasSetIsSetAgain) {
  Query("CREATE SCHEMA s");
  AddSection("SET search_path = s;\nCREATE TABLE u (id int);\nINSERT INTO nowhere VALUES (1);");
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 1);
  Query("CREATE TABLE s.nowhere (id int)");
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(Query("SELECT count(*) FROM s.nowhere"), "1");
}

TEST_F(JournalE2eTest, TransactionsOfTheSectionsOwnAndCopyAreDoneOnce) {
  AddSection(
      "COPY t FROM stdin;\n1\n2\n\\.\n"
      "BEGIN;\nINSERT INTO t VALUES (3);\nSET LOCAL ROLE pg_monitor;\nCOMMIT;\n"
      "DO $$ BEGIN INSERT INTO t VALUES (4); COMMIT; END $$;\n"
      "BEGIN;\nINSERT INTO t VALUES (5);\nSELECT 1 / (count(*) - 5) FROM t;\nCOMMIT;");
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.json["statement_failure"]["sqlstate"].text(), "22012");
  EXPECT_EQ(failure.json["statement_failure"]["statement_index"].text(), "9");
  EXPECT_THAT(failure.text, HasSubstr("the next run goes on with statement 7"));
  EXPECT_EQ(Query("SELECT string_agg(id::text, ',' ORDER BY id) FROM t"), "1,2,3,4");
  Query("INSERT INTO t VALUES (0)");
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(Query("SELECT string_agg(id::text, ',' ORDER BY id) FROM t"), "0,1,2,3,4,5");
}

TEST_F(JournalE2eTest, AChainedTransactionIsOpenedAgain) {
  AddSection(
      "BEGIN;\nINSERT INTO t VALUES (1);\nCOMMIT AND CHAIN;\nINSERT INTO t VALUES (2);\n"
      "SAVEPOINT s;\nSELECT 1 / (count(*) - 2) FROM t;\nCOMMIT;");
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.json["statement_failure"]["sqlstate"].text(), "22012");
  EXPECT_EQ(Query("SELECT string_agg(id::text, ',') FROM t"), "1");
  Query("INSERT INTO t VALUES (0)");
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(Query("SELECT string_agg(id::text, ',' ORDER BY id) FROM t"), "0,1,2");
}

TEST_F(JournalE2eTest, AnErrorOfAStatementInItsTransactionStandsWhereItIs) {
  AddSection("INSERT INTO t VALUES (1);\nINSERT INTO t\n  VALUES (nothing);");
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.json["statement_failure"]["line"].text(), absl::StrCat(kFirstLineOfUp + 2));
  EXPECT_EQ(failure.json["statement_failure"]["column"].text(), "11");
}

TEST_F(JournalE2eTest, ADeferredConstraintFailsItsStatement) {
  AddSection(
      "CREATE TABLE k (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);\n"
      "INSERT INTO k VALUES (1), (1);\nINSERT INTO t VALUES (1);");
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.json["statement_failure"]["statement_index"].text(), "2");
  EXPECT_EQ(failure.json["statement_failure"]["sqlstate"].text(), "23505");
  EXPECT_EQ(Query("SELECT count(*) FROM k"), "0");
}

TEST_F(JournalE2eTest, ANewValueOfATypeIsAddedOnce) {
  AddSection(
      "CREATE TYPE mood AS ENUM ('sad');\nALTER TYPE mood ADD VALUE 'glad';\n"
      "CREATE TABLE m (a mood DEFAULT 'glad');\nINSERT INTO nowhere VALUES (1);");
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 1);
  Query("CREATE TABLE nowhere (id int)");
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
}

TEST_F(JournalE2eTest, AFileThatIsNotWhatWasRunStopsTheRun) {
  AddSection("INSERT INTO t VALUES (1);\nINSERT INTO nowhere VALUES (1);");
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 1);
  AddSection("INSERT INTO t VALUES (2);\nSELECT 1;");
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.reason(), "JOURNAL_MISMATCH");
  EXPECT_THAT(failure.text, AllOf(HasSubstr("ran: INSERT INTO t VALUES (1)"),
                                  HasSubstr(absl::StrCat("bb20_test.sql:", kFirstLineOfUp))));
  EXPECT_EQ(Migctl({"upgrade", "head", "--skip-statement", "1"}).exit_code, 0);
  EXPECT_EQ(Query("SELECT string_agg(id::text, ',') FROM t"), "1");
}

TEST_F(JournalE2eTest, AHalfDoneRevisionIsNotLeftBehind) {
  AddSection("INSERT INTO t VALUES (1);\nINSERT INTO nowhere VALUES (1);");
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 1);
  EXPECT_EQ(FailureOf({"downgrade", "base", "--yes"}).reason(), "REVISION_HALF_DONE");
  const Finished applied = RunCommand({.arguments = {"psql", "-X", "-v", "ON_ERROR_STOP=1", "-f",
                                                     "-", TestCluster::Uri(database())},
                                       .input = Text({"upgrade", "head", "--sql"})});
  EXPECT_EQ(applied.exit_code, 3);
  EXPECT_THAT(applied.err, HasSubstr("a revision of this script is half done"));
  EXPECT_EQ(VersionRows(), "aa10");
}

}  // namespace
}  // namespace migd
