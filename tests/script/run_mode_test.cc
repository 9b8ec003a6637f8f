#include "service/script/run_mode.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace migd {
namespace {

void ExpectMode(RunMode mode, const std::vector<std::string>& statements) {
  for (const std::string& sql : statements) EXPECT_EQ(RunModeOf(sql), mode) << sql;
}

TEST(RunModeOf, WhatEndsWithItsSessionIsSetUpAgain) {
  ExpectMode(RunMode::kSession,
             {"SET ROLE app", "set search_path = a, b", "SET SESSION AUTHORIZATION app",
              "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "RESET ALL", "DISCARD ALL",
              "SELECT set_config('search_path', '', false)",
              "SELECT pg_catalog.set_config('search_path', '', false)", "PREPARE p AS SELECT 1"});
}

TEST(RunModeOf, TheSectionsOwnTransactionsAreItsOwn) {
  ExpectMode(RunMode::kTransactionControl,
             {"BEGIN", "START TRANSACTION READ ONLY", "COMMIT AND CHAIN", "END", "ROLLBACK",
              "PREPARE TRANSACTION 'x'"});
}

TEST(RunModeOf, MostStatementsRunInATransaction) {
  ExpectMode(RunMode::kInTransaction,
             {"INSERT INTO t VALUES (1)", "/* why */ update t set a = 1", "COPY t FROM stdin",
              "WITH x AS (SELECT 1) DELETE FROM t", "CREATE TABLE t (a int)",
              "CREATE INDEX i ON t (a)", "ALTER TYPE mood ADD VALUE 'glad'",
              "REFRESH MATERIALIZED VIEW CONCURRENTLY m", "SELECT pg_sleep(1)", "(SELECT 1)",
              "SET LOCAL ROLE app", "DROP TABLE t", "DO $$ BEGIN UPDATE t SET a = 1; END $$"});
}

TEST(RunModeOf, WhatRefusesATransactionRunsAlone) {
  ExpectMode(RunMode::kAlone,
             {"CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "DROP INDEX CONCURRENTLY i",
              "REINDEX TABLE t", "REINDEX (CONCURRENTLY) INDEX i", "VACUUM", "ANALYZE t", "CLUSTER",
              "ALTER TABLE p DETACH PARTITION c CONCURRENTLY", "CREATE DATABASE d",
              "DROP TABLESPACE s", "ALTER SYSTEM SET work_mem = '1MB'", "DROP SUBSCRIPTION s"});
}

TEST(RunModeOf, WhatMayCommitByItselfRunsAlone) {
  ExpectMode(RunMode::kAlone,
             {"CALL in_batches()", "DO $$ BEGIN UPDATE t SET a = 1; COMMIT; END $$",
              "DO $$ BEGIN CALL in_batches(); END $$", "COMMIT PREPARED 'x'"});
}

TEST(RunModeOf, WhatIsNotKnownRunsAlone) {
  ExpectMode(RunMode::kAlone, {"FROBNICATE t", "LOCK TABLE t", "SAVEPOINT s"});
}

TEST(IsCommit, KnowsTheEndOfATransactionFromThatOfAPreparedOne) {
  EXPECT_TRUE(IsCommit("commit work"));
  EXPECT_TRUE(IsCommit("END"));
  EXPECT_FALSE(IsCommit("ROLLBACK"));
  EXPECT_FALSE(IsCommit("COMMIT PREPARED 'x'"));
}

TEST(ChainsTransaction, KnowsWhetherAnotherOneBegins) {
  EXPECT_TRUE(ChainsTransaction("COMMIT AND CHAIN"));
  EXPECT_TRUE(ChainsTransaction("ROLLBACK WORK AND CHAIN"));
  EXPECT_FALSE(ChainsTransaction("COMMIT AND NO CHAIN"));
  EXPECT_FALSE(ChainsTransaction("COMMIT"));
}

TEST(IsRepeatable, MaintenanceAndGuardedDropsAre) {
  for (const char* sql : {"VACUUM t", "REINDEX INDEX CONCURRENTLY i", "ALTER SYSTEM RESET work_mem",
                          "DROP DATABASE IF EXISTS d"}) {
    EXPECT_TRUE(IsRepeatable(sql)) << sql;
  }
}

TEST(IsRepeatable, WhatChangesSomethingEachTimeIsNot) {
  for (const char* sql : {"CALL pay()", "DROP DATABASE d", "CREATE DATABASE d",
                          "ALTER TABLE p DETACH PARTITION c CONCURRENTLY"}) {
    EXPECT_FALSE(IsRepeatable(sql)) << sql;
  }
}

TEST(ConcurrentBuildOf, TakesTheStatementApart) {
  const auto build = ConcurrentBuildOf(
      "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"I\" ON ONLY s.T USING btree (a) WHERE a > "
      "0");
  ASSERT_TRUE(build.has_value());
  EXPECT_TRUE(build->unique);
  EXPECT_EQ(build->name, "I");
  EXPECT_EQ(build->table_schema, "s");
  EXPECT_EQ(build->table, "t");
  EXPECT_EQ(build->definition, "USING btree (a) WHERE a > 0");
}

TEST(ConcurrentBuildOf, LeavesOtherStatementsAlone) {
  for (const char* sql : {"CREATE INDEX i ON t (a)", "CREATE INDEX CONCURRENTLY ON t (a)",
                          "DROP INDEX CONCURRENTLY i", "CREATE INDEX CONCURRENTLY i ON (t) (a)"}) {
    EXPECT_FALSE(ConcurrentBuildOf(sql).has_value()) << sql;
  }
}

TEST(ConcurrentDropOf, NamesTheIndex) {
  const auto index = ConcurrentDropOf("DROP INDEX CONCURRENTLY IF EXISTS s.i CASCADE");
  ASSERT_TRUE(index.has_value());
  EXPECT_EQ(index->DisplayName(), "s.i");
  EXPECT_FALSE(ConcurrentDropOf("DROP INDEX i").has_value());
}

}  // namespace
}  // namespace migd
