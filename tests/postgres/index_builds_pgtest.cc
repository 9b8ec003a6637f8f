// Whether an index is the one that a statement makes, as PostgreSQL sees it.
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "service/postgres/index_builds.h"
#include "service/script/run_mode.h"
#include "tests/support/process.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

class IndexBuildsTest : public ::testing::Test {
 protected:
  IndexBuildsTest() {
    Exec("CREATE TABLE t (a int, b text, c int)");
    Exec("CREATE SCHEMA s");
    Exec("CREATE TABLE s.t (a int, b text, c int)");
  }

  void Exec(const std::string& sql) { pqxx::nontransaction(connection_).exec(sql); }

  // Whether what `made` has made is what `wanted` would make.
  bool Matches(const std::string& made, const std::string& wanted) {
    Exec(made);
    const bool matches = HasDefinitionOf(connection_, *ConcurrentBuildOf(wanted));
    Exec("DROP INDEX IF EXISTS i, s.i");
    return matches;
  }

  // Leaves an INVALID index i on t (a).
  void FailToBuild() {
    Exec("INSERT INTO t VALUES (1), (1)");
    EXPECT_THROW(Exec("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)"), pqxx::sql_error);
  }

  const ConnectionOptions database_ = TestCluster::CreateDatabase();
  pqxx::connection connection_{FormatConninfo(database_)};
};

TEST_F(IndexBuildsTest, AnIndexIsWhatItsStatementMakes) {
  const std::vector<std::string> definitions = {
      "(a)",
      "USING btree (a)",
      "USING hash (a)",
      "(a DESC NULLS LAST, b COLLATE \"C\" text_pattern_ops)",
      "(lower(b), (t.a + 1)) INCLUDE (c) WITH (fillfactor = 70) WHERE c > 0 AND b IN ('x', 'y')",
  };
  for (const std::string& definition : definitions) {
    EXPECT_TRUE(Matches("CREATE INDEX i ON t " + definition,
                        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t " + definition))
        << definition;
  }
}

TEST_F(IndexBuildsTest, ItIsWhatAnotherStatementOfTheSameMeaningMakes) {
  EXPECT_TRUE(Matches("CREATE INDEX i ON t (a) WHERE b IN ('x')",
                      "create index concurrently I on public.T using btree(A asc) where b = 'x'"));
}

TEST_F(IndexBuildsTest, WhateverIsDifferentMakesItAnother) {
  const std::string made = "CREATE INDEX i ON t (a)";
  for (const char* definition : {"(b)", "(a, b)", "(a DESC)", "(a) WHERE a > 0", "(a) INCLUDE (b)",
                                 "USING hash (a)", "(a) WITH (fillfactor = 70)", "((a + 0))"}) {
    EXPECT_FALSE(Matches(made, std::string("CREATE INDEX CONCURRENTLY i ON t ") + definition))
        << definition;
  }
  EXPECT_FALSE(Matches(made, "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)"));
}

TEST_F(IndexBuildsTest, AnIndexOnAnotherTableIsAnother) {
  EXPECT_FALSE(Matches("CREATE INDEX i ON t (a)", "CREATE INDEX CONCURRENTLY i ON s.t (a)"));
  Exec("CREATE TABLE u (a int)");
  EXPECT_FALSE(Matches("CREATE INDEX i ON u (a)", "CREATE INDEX CONCURRENTLY i ON t (a)"));
  EXPECT_TRUE(Matches("CREATE INDEX i ON s.t (a)", "CREATE INDEX CONCURRENTLY i ON s.t (a)"));
}

TEST_F(IndexBuildsTest, TheSearchPathDecidesWhatNamesMean) {
  Exec("CREATE FUNCTION s.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'");
  Exec("CREATE FUNCTION public.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2'");
  const std::string wanted = "CREATE INDEX CONCURRENTLY i ON public.t (f(a))";
  EXPECT_TRUE(Matches("CREATE INDEX i ON t (public.f(a))", wanted));
  EXPECT_FALSE(Matches("CREATE INDEX i ON t (s.f(a))", wanted));
  Exec("SET search_path = s");
  EXPECT_TRUE(Matches("CREATE INDEX i ON public.t (s.f(a))", wanted));
}

TEST_F(IndexBuildsTest, NamesThatNeedQuotesAreNames) {
  Exec("CREATE TABLE \"T 1\" (\"a b\" int)");
  Exec("CREATE INDEX \"I 1\" ON \"T 1\" (\"a b\")");
  EXPECT_TRUE(HasDefinitionOf(
      connection_, *ConcurrentBuildOf("CREATE INDEX CONCURRENTLY \"I 1\" ON \"T 1\" (\"a b\")")));
}

TEST_F(IndexBuildsTest, NobodyCanTellWhereTheStatementIsWrong) {
  EXPECT_FALSE(Matches("CREATE INDEX i ON t (a)", "CREATE INDEX CONCURRENTLY i ON t (nothing)"));
  EXPECT_FALSE(Matches("CREATE INDEX i ON t (a)", "CREATE INDEX CONCURRENTLY i ON nowhere (a)"));
}

TEST_F(IndexBuildsTest, NothingIsLeftOfTheComparison) {
  Exec("CREATE INDEX i ON t (a)");
  ASSERT_TRUE(
      HasDefinitionOf(connection_, *ConcurrentBuildOf("CREATE INDEX CONCURRENTLY i ON t (a)")));
  EXPECT_EQ(
      TestCluster::Query(database_, "SELECT count(*) FROM pg_class WHERE relpersistence = 't'"),
      "0");
}

TEST_F(IndexBuildsTest, AnInvalidIndexIsFoundWithItsName) {
  FailToBuild();
  const BuiltIndex index =
      FindBuiltIndex(connection_, *ConcurrentBuildOf("CREATE INDEX CONCURRENTLY i ON t (a)"));
  EXPECT_EQ(index.state, ObjectState::kInvalidIndex);
  EXPECT_EQ(index.name, "public.i");
  EXPECT_EQ(index.builder_pid, 0);
}

TEST_F(IndexBuildsTest, WhoBuildsItIsFoundWhileItWaits) {
  pqxx::connection writer(FormatConninfo(database_));
  pqxx::work writing(writer);
  writing.exec("INSERT INTO t VALUES (2)");
  Process build(
      {{"psql", "-c", "CREATE INDEX CONCURRENTLY i ON t (a)", TestCluster::Uri(database_)}});
  const ConcurrentBuild wanted = *ConcurrentBuildOf("CREATE INDEX CONCURRENTLY i ON t (a)");
  EXPECT_TRUE(Eventually(
      [&] { return FindBuiltIndex(connection_, wanted).state == ObjectState::kInvalidIndex; }));
  EXPECT_NE(FindBuiltIndex(connection_, wanted).builder_pid, 0);
  writing.abort();
  build.Wait();
  EXPECT_EQ(FindBuiltIndex(connection_, wanted).state, ObjectState::kPresent);
}

TEST_F(IndexBuildsTest, WhoOnlyWritesToTheTableBuildsNothing) {
  FailToBuild();
  pqxx::connection writer(FormatConninfo(database_));
  pqxx::work writing(writer);
  writing.exec("INSERT INTO t VALUES (2)");
  EXPECT_EQ(FindBuiltIndex(connection_, *ConcurrentBuildOf("CREATE INDEX CONCURRENTLY i ON t (a)"))
                .builder_pid,
            0);
}

}  // namespace
}  // namespace migd
