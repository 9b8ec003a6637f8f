// Steps that fail: what is said, and what stays in the database.
#include <pqxx/pqxx>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A database that is at aa10 already.
class FailedStepTest : public ServiceTest {
 protected:
  FailedStepTest() {
    Add({.id = "aa10", .up = "CREATE TABLE a (id int UNIQUE);", .down = "DROP TABLE a;"});
    Migctl({"upgrade", "aa10"});
  }
};

TEST_F(FailedStepTest, ASymbolThatNamesNothingIsRefused) {
  const std::string before = Dump();
  for (const char* command : {"upgrade", "downgrade", "stamp", "show"}) {
    const Failure failure = FailureOf({command, "ffff"});
    EXPECT_EQ(failure.exit_code, 1);
    EXPECT_EQ(failure.reason(), "UNKNOWN_REVISION");
    EXPECT_EQ(failure.json["code"].text(), "NOT_FOUND");
    EXPECT_THAT(failure.text, AllOf(HasSubstr("\"ffff\""), HasSubstr("migctl history")));
  }
  EXPECT_EQ(Dump(), before);
}

TEST_F(FailedStepTest, ASymbolThatFitsSeveralIsRefusedWithThem) {
  Add({.id = "bb21", .revises = "aa10"});
  Add({.id = "bb22", .revises = "bb21"});
  const Failure failure = FailureOf({"upgrade", "bb2"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "AMBIGUOUS_REVISION");
  EXPECT_EQ(failure.json["metadata"]["candidates"].text(), "bb21, bb22");
  EXPECT_THAT(failure.text, HasSubstr("bb21, bb22"));
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(FailedStepTest, AStatementIsNamedWithItsPlaceAndWhatPostgresSays) {
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "CREATE TABLE b (id int);\n"
             "CREATE INDEX b_id ON b (idd);\n"
             "CREATE TABLE never ();"});
  const std::string before = Dump();
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "STATEMENT_FAILED");
  EXPECT_EQ(failure.json["code"].text(), "FAILED_PRECONDITION");
  const Json statement = failure.json["statement_failure"];
  EXPECT_EQ(statement["revision"].text(), "bb20");
  EXPECT_EQ(statement["file"].text(), "bb20_test.sql");
  EXPECT_EQ(statement["line"].text(), absl::StrCat(kFirstLineOfUp + 1));
  EXPECT_EQ(statement["statement_index"].text(), "2");
  EXPECT_EQ(statement["statement_count"].text(), "3");
  EXPECT_EQ(statement["sqlstate"].text(), "42703");
  EXPECT_EQ(statement["postgres_message"].text(), "column \"idd\" does not exist");
  EXPECT_THAT(statement["finished_revisions"].texts(), IsEmpty());
  EXPECT_THAT(failure.text, AllOf(HasSubstr("[STATEMENT_FAILED]"),
                                  HasSubstr(absl::StrCat("--> bb20_test.sql:", kFirstLineOfUp + 1)),
                                  HasSubstr("CREATE INDEX b_id ON b (idd)"),
                                  HasSubstr("postgres 42703: column \"idd\" does not exist"),
                                  HasSubstr("state: nothing of bb20 ")));
  EXPECT_EQ(Dump(), before);
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(FailedStepTest, LineAndColumnAreThoseOfTheFault) {
  Add({.id = "bb20", .revises = "aa10", .up = "SELECT 'ä',\n       nothing;"});
  const Failure failure = FailureOf({"upgrade", "head"});
  const Json statement = failure.json["statement_failure"];
  EXPECT_EQ(statement["line"].text(), absl::StrCat(kFirstLineOfUp + 1));
  EXPECT_EQ(statement["column"].text(), "8");
  EXPECT_EQ(statement["length"].text(), "7");
  EXPECT_THAT(failure.text, HasSubstr(" |        ^^^^^^^\n"));
}

TEST_F(FailedStepTest, ANameThatPostgresQuotesIsPointedAtThoughItSaysNoPosition) {
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE INDEX a_discount\n  ON a (discont);"});
  const Failure failure = FailureOf({"upgrade", "head"});
  const Json statement = failure.json["statement_failure"];
  EXPECT_EQ(statement["line"].text(), absl::StrCat(kFirstLineOfUp + 1));
  EXPECT_EQ(statement["column"].text(), "9");
  EXPECT_EQ(statement["length"].text(), "7");
  EXPECT_THAT(failure.text, HasSubstr(" |         ^^^^^^^\n"));
}

TEST_F(FailedStepTest, PostgresDetailAndHintAreShown) {
  Add({.id = "bb20", .revises = "aa10", .up = "INSERT INTO a VALUES (1), (2), (1);"});
  Add({.id = "cc30", .revises = "aa10", .up = "SELECT coun(*);"});
  const Failure duplicate = FailureOf({"upgrade", "bb20"});
  EXPECT_EQ(duplicate.json["statement_failure"]["sqlstate"].text(), "23505");
  EXPECT_THAT(duplicate.text, HasSubstr("detail: Key (id)=(1) already exists."));
  const Failure misspelled = FailureOf({"upgrade", "cc30"});
  EXPECT_THAT(misspelled.text, HasSubstr("postgres hint: No function matches"));
  EXPECT_EQ(Query("SELECT count(*) FROM a"), "0");
}

TEST_F(FailedStepTest, TheRevisionsBeforeItStay) {
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();"});
  Add({.id = "cc30", .revises = "bb20", .up = "SELECT 1 / 0;"});
  const Finished upgrade = Migctl({"upgrade", "head"}, {{"MIGCTL_OUTPUT", "json"}});
  EXPECT_EQ(upgrade.exit_code, 1);
  const Json statement = Json::Parse(upgrade.err)["error"]["statement_failure"];
  EXPECT_THAT(statement["finished_revisions"].texts(), ElementsAre("bb20"));
  EXPECT_EQ(VersionRows(), "bb20");
  EXPECT_EQ(Query("SELECT to_regclass('b')"), "b");

  const Json last = Json::ParseLines(upgrade.out).back()["operation_finished"];
  EXPECT_EQ(last["state"].text(), "STATE_FAILED");
  EXPECT_THAT(last["resulting_revisions"].texts(), ElementsAre("bb20"));
  EXPECT_EQ(last["error"]["reason"].text(), "STATEMENT_FAILED");
  EXPECT_EQ(last["finished_step_count"].text(), "1");
}

TEST_F(FailedStepTest, OutsideATransactionWhatSucceededStays) {
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "CREATE INDEX CONCURRENTLY IF NOT EXISTS a_one ON a (id);\n"
             "CREATE INDEX CONCURRENTLY IF NOT EXISTS a_two ON a (idd);",
       .options = "transaction:false"});
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.reason(), "STATEMENT_FAILED");
  EXPECT_THAT(failure.text, HasSubstr("state: statement 1 of bb20 stays"));
  EXPECT_EQ(VersionRows(), "aa10");
  EXPECT_EQ(Query("SELECT to_regclass('a_one')"), "a_one");

  Add({.id = "bb20",
       .revises = "aa10",
       .up = "CREATE INDEX CONCURRENTLY IF NOT EXISTS a_one ON a (id);\n"
             "CREATE INDEX CONCURRENTLY IF NOT EXISTS a_two ON a (id);",
       .options = "transaction:false"});
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "bb20");
}

TEST_F(FailedStepTest, WhatItsOwnTransactionTakesWithItIsNotSaidToStay) {
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "BEGIN;\nCREATE TABLE t4 (id int);\nSELECT 1 / 0;\nCOMMIT;",
       .options = "transaction:false"});
  const std::string before = Dump();
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.reason(), "STATEMENT_FAILED");
  EXPECT_EQ(failure.json["statement_failure"]["statement_index"].text(), "3");
  EXPECT_EQ(failure.json["statement_failure"]["state"].text(), "no statement of bb20 finished");
  EXPECT_EQ(Dump(), before);
}

TEST_F(FailedStepTest, AConnectionLostOutsideATransactionLeavesTheStatementUnknown) {
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "CREATE TABLE b ();\nSELECT pg_sleep(3600);",
       .options = "transaction:false"});
  Process upgrade(MigctlCommand({"upgrade", "head"}));
  EXPECT_TRUE(Eventually([this] {
    return Query(
               "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
               "current_database() AND wait_event = 'PgSleep'") == "t";
  }));
  const Finished finished = upgrade.Wait();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err,
              AllOf(HasSubstr("[SESSION_ENDED]"), HasSubstr("somebody ended the session"),
                    HasSubstr("statement 1 of bb20 stays"),
                    HasSubstr("whether the next statement finished is not known")));
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(FailedStepTest, ARevisionThatLetsGoOfTheMutexIsNotRecorded) {
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "CREATE TABLE b ();\nSELECT pg_advisory_unlock_all();"});
  const std::string before = Dump();
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "MUTEX_LOST");
  EXPECT_THAT(failure.text, HasSubstr("pg_advisory_unlock_all()"));
  EXPECT_EQ(Dump(), before);

  Add({.id = "bb20",
       .revises = "aa10",
       .up = "CREATE TABLE IF NOT EXISTS b ();\nDISCARD ALL;",
       .options = "transaction:false"});
  EXPECT_EQ(FailureOf({"upgrade", "head"}).reason(), "MUTEX_LOST");
  EXPECT_EQ(VersionRows(), "aa10");
  EXPECT_EQ(Query("SELECT to_regclass('b')"), "b");
}

TEST_F(FailedStepTest, AnIndexThatIsLeftInvalidIsNotPassedOver) {
  Query("INSERT INTO a VALUES (1), (2)");
  Query("CREATE TABLE twice AS SELECT 1 AS id FROM a");
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS twice_id ON twice (id);",
       .options = "transaction:false"});
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 1);  // leaves the index behind, invalid
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "CREATE INDEX CONCURRENTLY IF NOT EXISTS twice_id ON twice (id);",
       .options = "transaction:false"});
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.reason(), "INVALID_INDEX");
  EXPECT_THAT(failure.text, HasSubstr("DROP INDEX CONCURRENTLY public.twice_id"));
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(FailedStepTest, ACreateWithoutAGuardSaysHowToAdoptWhatExists) {
  Query("CREATE TABLE b (kept text)");
  Query("INSERT INTO b VALUES ('precious')");
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();", .down = "DROP TABLE b;"});
  const std::string before = Dump();
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "OBJECT_EXISTS");
  EXPECT_THAT(failure.text, AllOf(HasSubstr("relation \"b\" already exists"),
                                  HasSubstr("migctl stamp"), HasSubstr("IF NOT EXISTS")));
  EXPECT_EQ(Dump(), before);

  // Both ways that the hint names.
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE IF NOT EXISTS b ();"});
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  Migctl({"stamp", "aa10"});
  EXPECT_EQ(Migctl({"stamp", "bb20"}).exit_code, 0);
  EXPECT_EQ(Query("SELECT kept FROM b"), "precious");
}

TEST_F(FailedStepTest, ALockThatIsNotFreeInTimeIsNoHarm) {
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();\nALTER TABLE a ADD x int;"});
  const std::string before = Dump();
  pqxx::connection other(FormatConninfo(database()));
  pqxx::work reading(other);
  reading.exec("SELECT count(*) FROM a");

  const Failure failure =
      FailureOf({"upgrade", "head", "--lock-timeout", "200ms", "--lock-retries", "0"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "LOCK_TIMEOUT");
  EXPECT_EQ(failure.json["code"].text(), "ABORTED");
  EXPECT_EQ(failure.json["statement_failure"]["sqlstate"].text(), "55P03");
  EXPECT_THAT(failure.text, HasSubstr("--lock-timeout"));
  reading.abort();
  EXPECT_EQ(Dump(), before);
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
}

TEST_F(FailedStepTest, AStatementThatRunsTooLongIsRolledBack) {
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();\nSELECT pg_sleep(3600);"});
  const std::string before = Dump();
  const Failure failure = FailureOf({"upgrade", "head", "--statement-timeout", "50ms"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "STATEMENT_TIMEOUT");
  EXPECT_EQ(Dump(), before);
}

TEST_F(FailedStepTest, ARevisionWithoutADownSectionIsNotTakenDown) {
  AddFile("bb20_test.sql", "-- message\n-- Revision ID: bb20\n-- Revises: aa10\n-- migrate:up\n");
  Migctl({"upgrade", "head"});
  const std::string before = Dump();
  const Failure failure = FailureOf({"downgrade", "base", "--yes"});
  EXPECT_EQ(failure.reason(), "IRREVERSIBLE");
  EXPECT_THAT(failure.text, HasSubstr("bb20_test.sql"));
  EXPECT_EQ(Dump(), before);
}

TEST_F(FailedStepTest, ADatabaseAheadOfTheFilesIsLeftAlone) {
  Query("UPDATE alembic_version SET version_num = 'dd40'");
  const std::string before = Dump();
  for (const Arguments& arguments :
       {Arguments{"upgrade", "head"}, {"downgrade", "base"}, {"plan", "upgrade", "head"}}) {
    const Failure failure = FailureOf(arguments);
    EXPECT_EQ(failure.exit_code, 1);
    EXPECT_EQ(failure.reason(), "DATABASE_AHEAD");
    EXPECT_EQ(failure.json["metadata"]["revisions"].text(), "dd40");
    EXPECT_THAT(failure.text, AllOf(HasSubstr("dd40"), HasSubstr("migctl stamp --purge")));
  }
  EXPECT_EQ(Dump(), before);

  EXPECT_EQ(Text({"current"}), "dd40 (no file has this revision)\n");
  EXPECT_EQ(Object({"current"})["revisions"][0]["is_missing"].text(), "true");
  EXPECT_EQ(Migctl({"stamp", "--purge", "aa10"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(FailedStepTest, RowsThatContainOneAnotherAreRefused) {
  Add({.id = "bb20", .revises = "aa10"});
  Add({.id = "cc30", .revises = "bb20", .up = "CREATE TABLE c ();"});
  Query("INSERT INTO alembic_version VALUES ('bb20')");
  const std::string before = Dump();
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "OVERLAPPING_REVISIONS");
  EXPECT_THAT(failure.text, AllOf(HasSubstr("aa10"), HasSubstr("bb20"), HasSubstr("stamp")));
  EXPECT_EQ(Dump(), before);
}

TEST_F(FailedStepTest, RowsOfBranchesThatHaveNothingInCommonAreKept) {
  Add({.id = "xx10"});
  Add({.id = "xx20", .revises = "xx10", .up = "CREATE TABLE x ();"});
  Query("INSERT INTO alembic_version VALUES ('xx10')");
  EXPECT_EQ(Migctl({"upgrade", "xx20"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "aa10,xx20");
}

TEST_F(FailedStepTest, AVersionTableThatChangesUnderneathIsNoticed) {
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();\nDELETE FROM alembic_version;"});
  const std::string before = Dump();
  const Failure failure = FailureOf({"upgrade", "head", "--yes"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "VERSION_ROW_MISMATCH");
  EXPECT_EQ(Dump(), before);
}

TEST_F(FailedStepTest, AFileThatEndsTheTransactionByItselfIsRefused) {
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "CREATE TABLE b ();\nDO $$ BEGIN EXECUTE 'SELECT 1'; COMMIT; END $$;"});
  const std::string before = Dump();
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 1);
  EXPECT_EQ(Dump(), before);
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();\nCOMMIT;"});
  EXPECT_EQ(FailureOf({"upgrade", "head"}).reason(), "INVALID_MIGRATIONS");
  EXPECT_EQ(Dump(), before);
}

}  // namespace
}  // namespace migd
