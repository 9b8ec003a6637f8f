// --sql: scripts that psql applies, compared with the calls that they stand for.
#include <pqxx/pqxx>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// database() is migrated by calls, `other_` by scripts.
class OfflineSqlTest : public ServiceTest {
 protected:
  Finished Apply(const std::string& script) const {
    directory().Write("script.sql", script);
    return RunCommand({{"psql", "-X", "-v", "ON_ERROR_STOP=1", "-f",
                        directory().path() + "/script.sql", TestCluster::Uri(other_)}});
  }

  // Makes the script of a call and applies it.
  void ApplyScriptOf(Arguments arguments) {
    arguments.push_back("--sql");
    const Finished applied = Apply(Text(arguments));
    EXPECT_EQ(applied.exit_code, 0) << applied.err;
  }

  // Makes a call, and does the same by its script; both databases are the same after it.
  void DoBoth(const Arguments& arguments) {
    SCOPED_TRACE(absl::StrCat(arguments[0], " ", arguments[1]));
    ApplyScriptOf(arguments);
    Arguments call = arguments;
    if (call[0] == "downgrade") call.push_back("--yes");
    Text(call);
    EXPECT_EQ(Dump(other_), Dump());
    EXPECT_EQ(Log(other_), Log(database()));
  }

  std::string QueryOther(const std::string& sql) const { return TestCluster::Query(other_, sql); }

  // The log of applied revisions, without what depends on when and by whom.
  static std::string Log(const ConnectionOptions& of) {
    return TestCluster::Query(
        of,
        "SELECT string_agg(concat_ws(' ', version_table, revision, direction, checksum, "
        "applied_by, "
        "resulting_revisions, start_time <= finish_time, start_time > now() - interval '1 hour'), "
        "E'\\n' ORDER BY entry) FROM migration_service.revision_log");
  }

  const ConnectionOptions other_ = TestCluster::CreateDatabase();
};

TEST_F(OfflineSqlTest, TheProjectsMigrationsUpAndDown) {
  AddProjectMigrations();
  DoBoth({"upgrade", "head"});
  DoBoth({"downgrade", "-1"});
  DoBoth({"downgrade", "base"});
}

TEST_F(OfflineSqlTest, BranchesMergesAndDependencies) {
  Add({.id = "aa10", .up = "CREATE TABLE a (n int[]);", .down = "DROP TABLE a;", .labels = "core"});
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();", .down = "DROP TABLE b;"});
  Add({.id = "bb21", .revises = "aa10", .up = "CREATE TABLE c ();", .down = "DROP TABLE c;"});
  Add({.id = "cc30", .revises = "bb20, bb21", .up = "SELECT 1;", .down = "SELECT 1;"});
  Add({.id = "dd40",
       .up = "CREATE TABLE d ();",
       .down = "DROP TABLE d;",
       .labels = "billing",
       .depends_on = "bb20"});
  for (const Arguments& call :
       {Arguments{"upgrade", "bb21"}, Arguments{"upgrade", "billing@head"},
        Arguments{"upgrade", "heads"}, Arguments{"downgrade", "billing@base"},
        Arguments{"upgrade", "heads"}, Arguments{"downgrade", "bb20"},
        Arguments{"stamp", "aa10", "dd40"}, Arguments{"stamp", "heads"},
        Arguments{"stamp", "base"}}) {
    DoBoth(call);
  }
}

TEST_F(OfflineSqlTest, WhatASectionMayHold) {
  Add({.id = "aa10",
       .up = "CREATE TABLE a (id int, n int[], t text);\n"
             "COPY a (id, t) FROM stdin;\n1\tä\\tb\n2\t:DBNAME\n\\.\n"
             "UPDATE a SET n = (ARRAY[1, 2, 3])[1:id], t = t || ':DBNAME' || $$;:x$$;\n"
             "CREATE FUNCTION f(DBNAME int) RETURNS int[] LANGUAGE sql\n"
             "BEGIN ATOMIC SELECT (ARRAY[1, 2, 3])[1:DBNAME]; END;\n"
             "SET ROLE pg_read_all_data;\n"
             "SET search_path = pg_temp;",
       .down = "DROP FUNCTION f;\nDROP TABLE a;"});
  Add({.id = "bb20",
       .revises = "aa10",
       .up =
           "SET search_path = '';\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a_id ON public.a (id);\n"
           "VACUUM public.a;\nRESET ALL;",
       .down = "DROP INDEX CONCURRENTLY a_id;",
       .options = "transaction:false"});
  DoBoth({"upgrade", "head"});
  EXPECT_EQ(QueryOther("SELECT string_agg(t, '|' ORDER BY id) FROM a"),
            "ä\tb:DBNAME;:x|:DBNAME:DBNAME;:x");
  DoBoth({"downgrade", "base"});
}

TEST_F(OfflineSqlTest, TheVersionTableMayHaveAnotherNameAndSchema) {
  for (const ConnectionOptions& each : {database(), other_}) {
    TestCluster::Query(each, "CREATE SCHEMA \"Odd Schema\"");
  }
  StartMigdWith({"--version-table", "versions", "--version-table-schema", "Odd Schema"});
  Add({.id = "aa10", .up = "CREATE TABLE a ();", .down = "DROP TABLE a;"});
  DoBoth({"upgrade", "head"});
  EXPECT_EQ(QueryOther("SELECT version_num FROM \"Odd Schema\".versions"), "aa10");
  DoBoth({"downgrade", "base"});
}

TEST_F(OfflineSqlTest, ARangeNeedsNoDatabase) {
  StartMigdOffline();
  Add({.id = "aa10", .up = "CREATE TABLE a ();", .down = "DROP TABLE a;"});
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();", .down = "DROP TABLE b;"});
  Add({.id = "cc30", .revises = "bb20", .up = "CREATE TABLE c ();", .down = "DROP TABLE c;"});
  ApplyScriptOf({"upgrade", "base:bb20"});
  EXPECT_EQ(QueryOther("SELECT version_num FROM alembic_version"), "bb20");
  ApplyScriptOf({"upgrade", "bb20:+1"});
  EXPECT_EQ(QueryOther("SELECT version_num FROM alembic_version"), "cc30");
  ApplyScriptOf({"downgrade", "cc30:-2"});
  EXPECT_EQ(QueryOther("SELECT version_num FROM alembic_version"), "aa10");
  ApplyScriptOf({"stamp", "aa10:cc30"});
  EXPECT_EQ(QueryOther("SELECT version_num FROM alembic_version"), "cc30");
  ApplyScriptOf({"stamp", "cc30:aa10"});
  ApplyScriptOf({"downgrade", "base", "--from", "aa10"});
  EXPECT_EQ(QueryOther("SELECT count(*) FROM alembic_version"), "0");
  EXPECT_EQ(FailureOf({"upgrade", "head", "--sql"}).reason(), "OFFLINE");
}

TEST_F(OfflineSqlTest, AnotherStartingPointIsRefusedBeforeAnything) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();"});
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();"});
  const std::string before = Dump(other_);
  const Finished applied = Apply(Text({"upgrade", "aa10:head", "--sql"}));
  EXPECT_EQ(applied.exit_code, 3);
  EXPECT_THAT(applied.err,
              AllOf(HasSubstr("this script begins at aa10, but the database is at base"),
                    HasSubstr("Make the script again")));
  EXPECT_EQ(Dump(other_), before);
  EXPECT_EQ(QueryOther("SELECT to_regnamespace('migration_service')"), "");
}

TEST_F(OfflineSqlTest, ItStopsAtAnErrorEvenIfPsqlIsNotToldTo) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();"});
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "CREATE TABLE IF NOT EXISTS b ();",
       .options = "transaction:false"});
  const std::string script = Text({"upgrade", "base:head", "--sql"});
  EXPECT_EQ(Apply(script).exit_code, 0);
  TestCluster::Query(other_, "DROP TABLE b");
  const Finished again = RunCommand(
      {{"psql", "-X", "-f", directory().path() + "/script.sql", TestCluster::Uri(other_)}});
  EXPECT_EQ(again.exit_code, 3);
  EXPECT_EQ(QueryOther("SELECT string_agg(version_num, ',') FROM alembic_version"), "bb20");
  EXPECT_EQ(QueryOther("SELECT to_regclass('b')"), "");
}

TEST_F(OfflineSqlTest, ItDoesNotRunBesideAnotherMigration) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();"});
  const std::string script = Text({"upgrade", "head", "--sql"});
  pqxx::connection holder(TestCluster::Uri(other_));
  pqxx::nontransaction(holder).exec("SELECT pg_advisory_lock(1835624292, 1)");
  const Finished applied = Apply(script);
  EXPECT_EQ(applied.exit_code, 3);
  EXPECT_THAT(applied.err, HasSubstr("another migration of this database is running"));
  EXPECT_EQ(QueryOther("SELECT to_regclass('a')"), "");
}

TEST_F(OfflineSqlTest, AFailingStepIsUndoneAndThoseBeforeItStay) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();"});
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();\nSELECT 1 / 0;"});
  const Finished applied = Apply(Text({"upgrade", "head", "--sql"}));
  EXPECT_EQ(applied.exit_code, 3);
  EXPECT_THAT(applied.err, HasSubstr("division by zero"));
  EXPECT_EQ(QueryOther("SELECT version_num FROM alembic_version"), "aa10");
  EXPECT_EQ(QueryOther("SELECT to_regclass('b')"), "");
}

TEST_F(OfflineSqlTest, ARowThatSomebodyElseChangedStopsIt) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();"});
  Add({.id = "bb20", .revises = "aa10", .up = "UPDATE alembic_version SET version_num = 'zz';"});
  const Finished applied = Apply(Text({"upgrade", "head", "--sql"}));
  EXPECT_EQ(applied.exit_code, 3);
  EXPECT_THAT(applied.err, HasSubstr("expected to match one row when updating 'aa10' to 'bb20' in "
                                     "'alembic_version'; 0 found"));
  EXPECT_EQ(QueryOther("SELECT version_num FROM alembic_version"), "aa10");
}

TEST_F(OfflineSqlTest, AMigrationThatGivesUpTheLockIsStopped) {
  Add({.id = "aa10", .up = "SELECT pg_advisory_unlock_all();"});
  const Finished applied = Apply(Text({"upgrade", "head", "--sql"}));
  EXPECT_EQ(applied.exit_code, 3);
  EXPECT_THAT(applied.err, HasSubstr("the lock that lets one migration run at a time was lost"));
}

TEST_F(OfflineSqlTest, AnInvalidIndexIsNotPassedOver) {
  TestCluster::Query(other_, "CREATE TABLE a (id int); INSERT INTO a VALUES (1), (1)");
  const Finished built =
      RunCommand({{"psql", "-X", "-c", "CREATE UNIQUE INDEX CONCURRENTLY i ON a (id)",
                   TestCluster::Uri(other_)}});
  EXPECT_NE(built.exit_code, 0);
  Add({.id = "aa10",
       .up = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON a (id);",
       .options = "transaction:false"});
  const Finished applied = Apply(Text({"upgrade", "head", "--sql"}));
  EXPECT_EQ(applied.exit_code, 3);
  EXPECT_THAT(applied.err, HasSubstr("index i exists, but is INVALID"));
  EXPECT_EQ(QueryOther("SELECT count(*) FROM alembic_version"), "0");
}

TEST_F(OfflineSqlTest, ALargeScriptArrivesWhole) {
  std::string inserts = "CREATE TABLE a (t text);\n";
  for (int i = 0; i < 20000; ++i) {
    absl::StrAppend(&inserts, "INSERT INTO a VALUES ('", std::string(300, 'x'), "');\n");
  }
  Add({.id = "aa10", .up = inserts});
  ApplyScriptOf({"upgrade", "head"});
  EXPECT_EQ(QueryOther("SELECT count(*) FROM a"), "20000");
  EXPECT_EQ(VersionRows(), "no table");
}

TEST_F(OfflineSqlTest, JsonIsOneObjectAPiece) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();"});
  const Json piece = Object({"upgrade", "head", "--sql"});
  EXPECT_THAT(piece["sql"].text(), StartsWith("-- "));
}

TEST_F(OfflineSqlTest, WhatAlembicRefusesIsRefused) {
  Add({.id = "aa10"});
  Add({.id = "bb20", .revises = "aa10"});
  Add({.id = "bb21", .revises = "aa10"});
  EXPECT_EQ(FailureOf({"downgrade", "heads:base", "--sql"}).reason(), "MULTIPLE_HEADS");
  EXPECT_EQ(FailureOf({"stamp", "aa10:bb20", "base:bb21", "--sql"}).reason(), "INVALID_REQUEST");
  EXPECT_EQ(FailureOf({"upgrade", "aa10:", "--sql"}).reason(), "INVALID_SYMBOL");
  EXPECT_EQ(FailureOf({"upgrade", "aa10:heads", "--from", "aa10", "--sql"}).reason(),
            "INVALID_REQUEST");
  // A range without --sql, as Alembic has it.
  EXPECT_EQ(FailureOf({"upgrade", "aa10:heads"}).reason(), "INVALID_SYMBOL");
  EXPECT_EQ(Migctl({"stamp", "heads", "--purge", "--sql"}).exit_code, 2);
  EXPECT_EQ(Migctl({"upgrade", "heads", "--from", "aa10"}).exit_code, 2);
  EXPECT_EQ(VersionRows(), "no table");
}

}  // namespace
}  // namespace migd
