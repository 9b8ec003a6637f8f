// What a plan says of its statements, and that it is what runs.
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A database at aa10.
class PlanTest : public ServiceTest {
 protected:
  PlanTest() {
    Add({.id = "aa10",
         .up = "CREATE TABLE orders (id int, total int);",
         .down = "DROP TABLE orders;"});
    Text({"upgrade", "head"});
    Query("INSERT INTO orders SELECT i, i FROM generate_series(1, 1000) i");
    Query("ANALYZE");
  }

  std::string HashOf(const Arguments& plan) { return Object(plan)["plan_hash"].text(); }
};

TEST_F(PlanTest, TellsLocksWorkAndLosses) {
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "ALTER TABLE orders ALTER COLUMN total TYPE bigint;\n"
             "CREATE TABLE fresh (id int);\nCREATE INDEX ON fresh (id);\n"
             "CREATE INDEX totals ON orders (total);"});
  const Json step = Object({"plan", "upgrade", "head"})["steps"][0];
  const Json statements = step["statements"];
  ASSERT_EQ(statements.size(), 4);
  EXPECT_EQ(statements[0]["command"].text(), "ALTER TABLE");
  EXPECT_EQ(statements[0]["line"].text(), absl::StrCat(kFirstLineOfUp));
  EXPECT_EQ(statements[0]["locks"][0]["relation"].text(), "public.orders");
  EXPECT_EQ(statements[0]["locks"][0]["mode"].text(), "LOCK_MODE_ACCESS_EXCLUSIVE");
  EXPECT_EQ(statements[0]["works"][0]["kind"].text(), "RELATION_WORK_KIND_REWRITE");
  EXPECT_EQ(statements[0]["works"][0]["estimated_rows"].text(), "1000");
  EXPECT_EQ(statements[2]["locks"][0]["is_new"].text(), "true");
  EXPECT_EQ(statements[3]["works"][0]["kind"].text(), "RELATION_WORK_KIND_INDEX_BUILD");

  const std::string text = Text({"plan", "upgrade", "head"});
  EXPECT_THAT(text, AllOf(HasSubstr("REWRITES public.orders ("),
                          HasSubstr(" ~1,000 rows): type of column total "
                                    "changes from integer to bigint"),
                          HasSubstr("blocks writes of public.orders"),
                          HasSubstr("migctl upgrade head --plan "), Not(HasSubstr("DESTROYS"))));
  EXPECT_THAT(Text({"plan", "downgrade", "base"}),
              AllOf(HasSubstr("DESTROYS table public.orders, ~1,000 rows, "),
                    HasSubstr("this destroys data:")));
}

TEST_F(PlanTest, RunsTheOneThatWasLookedAt) {
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();"});
  const std::string hash = HashOf({"plan", "upgrade", "head"});
  Text({"upgrade", "head", "--plan", hash.substr(0, 12)});
  EXPECT_EQ(VersionRows(), "bb20");
}

TEST_F(PlanTest, RunsNothingOnceAFileHasChanged) {
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();"});
  const std::string hash = HashOf({"plan", "upgrade", "head"});
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE c ();"});
  const Failure failure = FailureOf({"upgrade", "head", "--plan", hash});
  EXPECT_EQ(failure.reason(), "PLAN_STALE");
  EXPECT_EQ(failure.json["code"].text(), "ABORTED");
  EXPECT_EQ(failure.json["metadata"]["plan_hash"].text(), HashOf({"plan", "upgrade", "head"}));
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(PlanTest, RunsNothingOnceTheDatabaseHasMovedOn) {
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();"});
  const std::string hash = HashOf({"plan", "upgrade", "head"});
  Text({"upgrade", "head"});
  EXPECT_EQ(FailureOf({"upgrade", "head", "--plan", hash}).reason(), "PLAN_STALE");
  EXPECT_EQ(FailureOf({"stamp", "aa10", "--plan", hash}).reason(), "PLAN_STALE");
  EXPECT_EQ(FailureOf({"upgrade", "head", "--plan", "5e1f"}).reason(), "INVALID_REQUEST");
}

TEST_F(PlanTest, OfVeryManyInsertsStaysSmall) {
  std::string up = "CREATE TABLE big (id int);\n";
  for (int i = 0; i < 20'000; ++i) absl::StrAppend(&up, "INSERT INTO big VALUES (", i, ");\n");
  Add({.id = "bb20", .revises = "aa10", .up = up + "ALTER TABLE orders DROP COLUMN total;"});
  const Json plan = Object({"plan", "upgrade", "head"});
  EXPECT_EQ(plan["steps"][0]["statements"].size(), 501);
  EXPECT_EQ(plan["steps"][0]["omitted_statement_count"].text(), "19501");
  EXPECT_EQ(plan["losses"][0]["object_name"].text(), "public.orders.total");
}

TEST_F(PlanTest, FromOtherRowsAsksNoDatabase) {
  const Json plan = Object({"plan", "downgrade", "base", "--from", "aa10"});
  EXPECT_EQ(plan["losses"][0]["object_name"].text(), "orders");
  EXPECT_EQ(plan["losses"][0]["estimated_rows"].text(), "-1");
}

// A lock on a table, which would keep its size from being read, keeps no plan waiting.
TEST_F(PlanTest, WaitsForNoLock) {
  const Process holder({{"psql", "-X", TestCluster::Uri(database()), "-c",
                         "BEGIN; LOCK TABLE orders; SELECT pg_sleep(600)"}});
  ASSERT_TRUE(Eventually([this] {
    return Query(
               "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted "
               "AND relation = 'orders'::regclass") == "1";
  }));
  const Json plan = Object({"plan", "downgrade", "base"});
  EXPECT_FALSE(plan.Has("database_error"));
  EXPECT_EQ(plan["losses"][0]["size_bytes"].text(), "-1");
  EXPECT_EQ(plan["losses"][0]["estimated_rows"].text(), "1000");
}

}  // namespace
}  // namespace migd
