// `migctl verify`: the schema of a database, and what its files make.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class VerifyTest : public ServiceTest {
 protected:
  void AddTwo() {
    Add({.id = "aa10",
         .up = "CREATE TABLE users (id bigint PRIMARY KEY, name varchar(40) NOT NULL);\n"
               "CREATE INDEX users_name ON users (name);",
         .down = "DROP TABLE users;"});
    Add({.id = "bb20", .revises = "aa10", .up = "CREATE VIEW names AS SELECT name FROM users;"});
  }

  // Of a comparison that finds something.
  Json Differing(Arguments arguments = {}) {
    arguments.insert(arguments.begin(), {"verify", "--output", "json"});
    const Finished verify = Migctl(arguments);
    EXPECT_EQ(verify.exit_code, 3) << verify.err;
    return Json::Parse(verify.out);
  }

  // "KIND_MISSING table public.users".
  static std::vector<std::string> Named(const Json& response) {
    std::vector<std::string> named;
    const Json differences = response["differences"];
    for (int i = 0; i < differences.size(); ++i) {
      const Json difference = differences[i];
      named.push_back(absl::StrCat(difference["kind"].text(), " ", difference["object_kind"].text(),
                                   " ", difference["object_name"].text()));
    }
    return named;
  }

  std::string ScratchDatabases() const {
    return Query("SELECT count(*) FROM pg_database WHERE datname LIKE 'migd_scratch%'");
  }
};

TEST_F(VerifyTest, OfThisProjectsMigrationsNamesTheTableThatIsGone) {
  AddProjectMigrations();
  Text({"upgrade", "head"});
  EXPECT_THAT(Text({"verify"}), HasSubstr("objects, all as the files make them at 2ff41522b3bc"));
  Query("DROP TABLE module_settings");
  const Finished verify = Migctl({"verify"});
  EXPECT_EQ(verify.exit_code, 3);
  EXPECT_THAT(verify.out, AllOf(StartsWith("missing    table public.module_settings\n"),
                                HasSubstr("- CREATE TABLE public.module_settings (\n"),
                                HasSubstr("1 difference between the database and the ")));
  EXPECT_THAT(Named(Differing()), ElementsAre("KIND_MISSING table public.module_settings"));
  EXPECT_EQ(ScratchDatabases(), "0");
}

TEST_F(VerifyTest, ShowsBothDefinitions) {
  AddTwo();
  Text({"upgrade", "aa10"});
  Query("ALTER TABLE users ALTER name TYPE text; DROP INDEX users_name; CREATE TABLE mine ()");
  const Finished verify = Migctl({"verify"});
  EXPECT_EQ(verify.exit_code, 3);
  EXPECT_EQ(verify.out,
            "different  column public.users.name\n"
            "             type\n"
            "             - character varying(40)\n"
            "             + text\n"
            "missing    index public.users_name\n"
            "             - CREATE INDEX users_name ON public.users USING btree (name)\n"
            "unexpected table public.mine\n"
            "             + CREATE TABLE public.mine ()\n"
            "\n" +
                verify.out.substr(verify.out.find("3 differences")));
  EXPECT_THAT(verify.out, HasSubstr("3 differences between the database and the "));
}

TEST_F(VerifyTest, ReadsTheLiveDatabaseOnly) {
  AddTwo();
  Text({"upgrade", "head"});
  const std::string before = Dump();
  const std::string log = Query("SELECT count(*) FROM migration_service.revision_log");
  EXPECT_THAT(Text({"verify"}), HasSubstr(" at bb20"));
  EXPECT_EQ(Dump(), before);
  EXPECT_EQ(Query("SELECT count(*) FROM migration_service.revision_log"), log);
}

TEST_F(VerifyTest, AnEmptyVersionTableStandsForAnEmptyDatabase) {
  AddTwo();
  EXPECT_THAT(Text({"verify"}), HasSubstr("all as the files make them at base"));
  Query("CREATE TABLE users ()");
  EXPECT_THAT(Named(Differing()), ElementsAre("KIND_UNEXPECTED table public.users"));
}

TEST_F(VerifyTest, KnowsSeveralRowsMergesAndDependencies) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();", .labels = "one"});
  Add({.id = "bb10", .up = "CREATE TABLE b ();", .labels = "two"});
  Add({.id = "bb20", .revises = "bb10", .up = "CREATE TABLE c ();", .depends_on = "aa10"});
  Add({.id = "cc10", .up = "CREATE TABLE d ();", .labels = "three"});
  Text({"upgrade", "heads"});
  EXPECT_THAT(Text({"verify"}), HasSubstr("all as the files make them"));
  Add({.id = "dd10", .revises = "bb20,cc10", .up = "CREATE TABLE e ();"});
  Text({"upgrade", "dd10"});
  EXPECT_THAT(Text({"verify"}), HasSubstr("all as the files make them"));
  Query("DROP TABLE d");
  EXPECT_THAT(Named(Differing()), ElementsAre("KIND_MISSING table public.d"));
}

TEST_F(VerifyTest, SchemasAndPatternsChooseWhatIsCompared) {
  Add({.id = "aa10", .up = "CREATE SCHEMA billing; CREATE TABLE billing.invoice (id integer);"});
  Text({"upgrade", "head"});
  Query("CREATE TABLE public.tmp_1 (); DROP TABLE billing.invoice; CREATE SEQUENCE billing.s");
  EXPECT_THAT(
      Named(Differing({"--schema", "billing"})),
      ElementsAre("KIND_UNEXPECTED sequence billing.s", "KIND_MISSING table billing.invoice"));
  const Json ignoring = Differing({"--ignore", "public.tmp_*", "--ignore", "sequence:*"});
  EXPECT_THAT(Named(ignoring), ElementsAre("KIND_MISSING table billing.invoice"));
  EXPECT_EQ(ignoring["ignored_count"].text(), "2");
  EXPECT_THAT(Text({"verify", "--ignore", "*.*"}), HasSubstr("3 differences ignored"));
  const Failure unknown = FailureOf({"verify", "--ignore", "bogus:public.x"});
  EXPECT_EQ(unknown.reason(), "INVALID_REQUEST");
  EXPECT_THAT(unknown.text,
              AllOf(HasSubstr("\"bogus\" is no kind of object"), HasSubstr("check constraint, ")));
  EXPECT_EQ(FailureOf({"verify", "--schema", "biling"}).reason(), "INVALID_REQUEST");
}

TEST_F(VerifyTest, TheConfigurationIgnoresToo) {
  AddTwo();
  AddFile(
      "../migd.yaml",
      absl::StrCat("databases:\n  app:\n    url: ", TestCluster::Uri(database()),
                   "\n    migrations: ", migrations(), "\n    verify_ignore: ['table:*.tmp_*']\n"));
  Migd server({"--config", directory().path() + "/migd.yaml"});
  Query("CREATE TABLE tmp_1 (id integer)");
  const Finished verify = RunCommand(
      {{MigctlCommand({"verify"}).arguments[0], "--server", server.address(), "verify"}});
  EXPECT_EQ(verify.exit_code, 0) << verify.err;
  EXPECT_THAT(verify.out, HasSubstr("1 difference ignored"));
}

TEST_F(VerifyTest, FilesThatDoNotRunInAnEmptyDatabaseSayWhere) {
  Query("CREATE TABLE elsewhere (id integer PRIMARY KEY)");
  Add({.id = "aa10", .up = "CREATE TABLE a (\n  e integer REFERENCES elsewhere);"});
  Text({"upgrade", "head"});
  const Failure failure = FailureOf({"verify"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "REPLAY_FAILED");
  EXPECT_EQ(failure.json["metadata"]["revision"].text(), "aa10");
  EXPECT_EQ(failure.json["statement_failure"]["sqlstate"].text(), "42P01");
  EXPECT_THAT(failure.text, HasSubstr("aa10_test.sql:"));
  EXPECT_EQ(ScratchDatabases(), "0");
}

TEST_F(VerifyTest, ARowWithoutAFileIsAhead) {
  AddTwo();
  Text({"upgrade", "head"});
  Query("UPDATE alembic_version SET version_num = 'ffff'");
  EXPECT_EQ(FailureOf({"verify"}).reason(), "DATABASE_AHEAD");
}

TEST_F(VerifyTest, WhoeverWatchesHearsOfIt) {
  AddTwo();
  Text({"upgrade", "aa10"});
  Query("DROP INDEX users_name");
  Process watch(MigctlCommand({"operations", "watch", "--output", "json"}));
  // The stream begins with a heartbeat or the like only after a while, so the comparison is
  // repeated until it is heard.
  ASSERT_TRUE(Eventually([&] {
    Differing();
    return absl::StrContains(watch.out(), "drift_reported");
  }));
  EXPECT_THAT(watch.out(), AllOf(HasSubstr("\"difference_count\":1"), HasSubstr("\"aa10\"")));
}

TEST_F(VerifyTest, ACallerThatGoesAwayStopsIt) {
  Add({.id = "aa10",
       .up = "SELECT pg_sleep(CASE WHEN current_database() LIKE 'migd_scratch%' "
             "THEN 3600 ELSE 0 END);"});
  Text({"upgrade", "head"});
  const Finished verify = Migctl({"verify", "--timeout", "2s"});
  EXPECT_EQ(verify.exit_code, 4) << verify.err;
  EXPECT_TRUE(Eventually([&] { return ScratchDatabases() == "0"; }));
}

}  // namespace
}  // namespace migd
