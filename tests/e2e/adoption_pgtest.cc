// Databases that are there already: stamps that look, objects that are passed over, baselines.
#include <string>
#include <vector>

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

class AdoptionTest : public ServiceTest {
 protected:
  void AddUsers() {
    Add({.id = "aa10",
         .up = "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);",
         .down = "DROP TABLE users;"});
  }

  // "KIND_MISSING table public.users", of the one comparison among the events.
  static std::vector<std::string> Compared(const std::vector<Json>& events) {
    std::vector<std::string> named;
    const std::vector<Json> compared = OfKind(events, "schema_compared");
    EXPECT_THAT(compared, SizeIs(1));
    for (const Json& event : compared) {
      const Json differences = event["differences"];
      for (int i = 0; i < differences.size(); ++i) {
        const Json difference = differences[i];
        named.push_back(absl::StrCat(difference["kind"].text(), " ",
                                     difference["object_kind"].text(), " ",
                                     difference["object_name"].text()));
      }
    }
    return named;
  }
};

TEST_F(AdoptionTest, AStampToldToVerifyRefusesADatabaseThatIsNotThere) {
  AddUsers();
  Query("CREATE TABLE users (id bigint PRIMARY KEY, name text)");
  const std::string before = Dump();
  const Failure failure = FailureOf({"stamp", "head", "--verify"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "SCHEMA_DIFFERS");
  EXPECT_THAT(failure.text,
              AllOf(HasSubstr("different  column public.users.name\n             not null\n"
                              "             - yes\n"),
                    HasSubstr("is not that of revision aa10: 1 object differs")));
  EXPECT_EQ(VersionRows(), "no table");
  EXPECT_EQ(Dump(), before);
}

TEST_F(AdoptionTest, AStampToldToVerifyTakesADatabaseThatIsThere) {
  AddUsers();
  Query("CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL)");
  EXPECT_THAT(Compared(Events({"stamp", "head", "--verify"})), IsEmpty());
  EXPECT_EQ(VersionRows(), "aa10");
  // Also if there is nothing left to write.
  Query("DROP TABLE users");
  EXPECT_EQ(FailureOf({"stamp", "head", "--verify"}).reason(), "SCHEMA_DIFFERS");
}

TEST_F(AdoptionTest, AStampTellsWhatDiffersAndGoesOn) {
  AddUsers();
  const Finished stamp = Migctl({"stamp", "head"});
  EXPECT_EQ(stamp.exit_code, 0) << stamp.err;
  EXPECT_THAT(stamp.err, HasSubstr("missing    table public.users\n"));
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(AdoptionTest, AStampToBaseComparesWithAnEmptyDatabase) {
  AddUsers();
  Text({"upgrade", "head"});
  EXPECT_THAT(Compared(Events({"stamp", "base"})),
              ElementsAre("KIND_UNEXPECTED table public.users"));
  EXPECT_EQ(VersionRows(), "");
}

TEST_F(AdoptionTest, AStampToldNotToComparesNothing) {
  AddUsers();
  EXPECT_THAT(OfKind(Events({"stamp", "head", "--no-verify"}), "schema_compared"), IsEmpty());
}

TEST_F(AdoptionTest, AStampWhoseFilesCannotBeReplayedSaysSo) {
  Add({.id = "aa10", .up = "ALTER TABLE elsewhere ADD COLUMN a integer;"});
  EXPECT_EQ(FailureOf({"stamp", "head", "--verify"}).reason(), "REPLAY_FAILED");
  const std::vector<Json> events = OfKind(Events({"stamp", "head"}), "schema_compared");
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0]["error"]["reason"].text(), "REPLAY_FAILED");
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(AdoptionTest, AnUpgradeComparesWhatItPassedOver) {
  Add({.id = "aa10",
       .up = "CREATE TABLE IF NOT EXISTS users (id bigint PRIMARY KEY, name text NOT NULL);\n"
             "CREATE TABLE IF NOT EXISTS orders (id bigint PRIMARY KEY);"});
  Query(
      "CREATE TABLE users (id bigint PRIMARY KEY, name varchar(9) NOT NULL); CREATE TABLE other "
      "()");
  const std::vector<Json> events = Events({"upgrade", "head"});
  EXPECT_THAT(Compared(events), ElementsAre("KIND_DIFFERENT column public.users.name"));
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(AdoptionTest, AnUpgradeThatPassesOverNothingComparesNothing) {
  AddUsers();
  EXPECT_THAT(OfKind(Events({"upgrade", "head"}), "schema_compared"), IsEmpty());
}

TEST_F(AdoptionTest, ExistingObjectsStopAnUpgradeUnlessTheyAreSkipped) {
  Add({.id = "aa10",
       .up = "CREATE SCHEMA shop;\n"
             "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);\n"
             "CREATE INDEX users_name ON users (name);\n"
             "CREATE VIEW names AS SELECT name FROM users;\n"
             "CREATE TYPE mood AS ENUM ('good', 'bad');\n"
             "CREATE SEQUENCE numbers;\n"
             "ALTER TABLE users ADD COLUMN age integer;\n"
             "CREATE TABLE fresh (id integer);"});
  Query(
      "CREATE SCHEMA shop; CREATE TABLE users (id bigint PRIMARY KEY, name text, age integer);"
      "CREATE INDEX users_name ON users (name DESC); CREATE VIEW names AS SELECT name FROM users;"
      "CREATE TYPE mood AS ENUM ('good'); CREATE SEQUENCE numbers");
  EXPECT_EQ(FailureOf({"upgrade", "head"}).reason(), "OBJECT_EXISTS");
  const std::vector<Json> events = Events({"upgrade", "head", "--existing", "skip"});
  std::vector<std::string> skipped;
  for (const Json& event : OfKind(events, "object_skipped")) {
    skipped.push_back(absl::StrCat(event["object_kind"].text(), " ", event["object_name"].text()));
  }
  EXPECT_THAT(skipped, ElementsAre("schema shop", "table users", "index users_name", "view names",
                                   "type mood", "sequence numbers", "column users.age"));
  EXPECT_THAT(Compared(events), ElementsAre("KIND_DIFFERENT column public.users.name",
                                            "KIND_DIFFERENT index public.users_name",
                                            "KIND_DIFFERENT type public.mood"));
  EXPECT_EQ(Query("SELECT count(*) FROM fresh"), "0");
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(AdoptionTest, ABaselineMakesTheSameSchema) {
  if (!TestCluster::HasPgDump()) GTEST_SKIP() << "pg_dump is older than the server";
  Query(
      "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);"
      "CREATE FUNCTION first_name(users) RETURNS text LANGUAGE sql AS $$/*\n"
      "\\restrict is no command here\n"
      "*/ SELECT split_part($1.name, ' ', 1)$$;"
      "CREATE MATERIALIZED VIEW names AS SELECT name FROM users;"
      "CREATE SCHEMA shop; CREATE TABLE shop.orders (user_id bigint REFERENCES users);"
      "COMMENT ON TABLE users IS 'all of them'");
  const std::string before = Dump();
  const Finished baseline =
      Migctl({"baseline", "-m", "as it was", "--rev-id", "aa10", "--migrations", migrations()});
  ASSERT_EQ(baseline.exit_code, 0) << baseline.err;
  EXPECT_THAT(baseline.out, HasSubstr("aa10_as_it_was.sql"));
  EXPECT_THAT(baseline.err, HasSubstr("next: migctl stamp aa10 --verify"));
  // Lint does not ask for a way back that cannot be.
  EXPECT_THAT(Text({"lint", "--all"}), HasSubstr("0 errors, 0 warnings, 1 waived in 1 revision"));
  EXPECT_EQ(Dump(), before);
  EXPECT_THAT(Compared(Events({"stamp", "aa10", "--verify"})), IsEmpty());
  EXPECT_EQ(VersionRows(), "aa10");
  EXPECT_THAT(Text({"verify"}), HasSubstr("all as the files make them at aa10"));
  // There is one now.
  EXPECT_EQ(FailureOf({"baseline", "-m", "again"}).reason(), "INVALID_REQUEST");
  EXPECT_EQ(FailureOf({"downgrade", "base"}).reason(), "IRREVERSIBLE");
}

TEST_F(AdoptionTest, ABaselineKnowsNothingOfTheServicesOwnTables) {
  if (!TestCluster::HasPgDump()) GTEST_SKIP() << "pg_dump is older than the server";
  AddUsers();
  Text({"upgrade", "head"});
  RunCommand({{"rm", migrations() + "/aa10_test.sql"}});
  const Json baseline = Object({"baseline", "-m", "as it was", "--migrations", migrations()});
  EXPECT_THAT(baseline["content"].text(),
              AllOf(HasSubstr("CREATE TABLE public.users"), Not(HasSubstr("alembic_version")),
                    Not(HasSubstr("migration_service")), Not(HasSubstr("restrict")),
                    Not(HasSubstr("lock_timeout"))));
}

}  // namespace
}  // namespace migd
