// What PostgreSQL tells of commands that take long, here made to.
#include <atomic>
#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/postgres/postgres_database.h"
#include "service/postgres/statement_progress.h"
#include "tests/support/process.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

using migration::v1::StatementProgress;

// A table of a few hundred blocks, whose rows take their time: slow(a) is a, after a while.
class ProgressTest : public ::testing::Test {
 protected:
  ProgressTest() {
    MakeSlow("0.003");
    Query("CREATE TABLE t (a int, filler text)");
    Query("INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 2000) AS n");
  }
  ~ProgressTest() override {
    if (!runner_.joinable()) return;
    while (!ended_) {
      session_->Cancel();
      absl::SleepFor(absl::Milliseconds(5));
    }
    runner_.join();
  }

  std::string Query(const std::string& sql) { return TestCluster::Query(options_.connection, sql); }

  void MakeSlow(const std::string& seconds) {
    Query(absl::StrCat(
        "CREATE OR REPLACE FUNCTION slow(a int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ "
        "BEGIN PERFORM pg_sleep(",
        seconds, "); RETURN a; END $$"));
  }

  // Runs `sql`, and then `statement`, which is looked at and cancelled at the end of the test.
  void Run(const std::string& sql, const std::string& statement) {
    session_ = database_.OpenSession("op").value();
    runner_ = std::thread([this, sql, statement] {
      Statement first;
      first.text = sql;
      if (!sql.empty()) session_->Execute(first).IgnoreError();
      Statement looked_at;
      looked_at.text = statement;
      if (!copy_data_.empty()) looked_at.copy_data = copy_data_;
      session_->Execute(looked_at).IgnoreError();
      ended_ = true;
    });
  }

  // Waits until what is told of the session fits; the last that was told.
  template <typename Condition>
  StatementProgress Await(Condition fits) {
    StatementProgress last;
    EXPECT_TRUE(Eventually([&] {
      const auto seen = database_.ReadProgress(session_->pid());
      EXPECT_TRUE(seen.ok()) << seen.status();
      if (seen.ok() && seen->has_value()) last = **seen;
      return ended_ || (seen.ok() && seen->has_value() && fits(**seen));
    }));
    EXPECT_FALSE(ended_) << last.ShortDebugString();
    return last;
  }

  const PostgresOptions options_ = TestCluster::NewDatabaseOptions();
  PostgresDatabase database_{options_};
  std::unique_ptr<Session> session_;
  std::string copy_data_;
  std::atomic<bool> ended_ = false;
  std::thread runner_;
};

bool HasBegun(const StatementProgress& progress) {
  return progress.done() > 0 && progress.total() > progress.done();
}

TEST_F(ProgressTest, OfAnIndexIsCountedInBlocks) {
  Run("", "CREATE INDEX ON t (slow(a))");
  const StatementProgress seen = Await(HasBegun);
  EXPECT_EQ(seen.command(), "CREATE INDEX");
  EXPECT_EQ(seen.relation(), "t");
  EXPECT_EQ(seen.phase(), "building index: scanning table");
  EXPECT_EQ(seen.unit(), migration::v1::PROGRESS_UNIT_BLOCKS);
  EXPECT_EQ(absl::StrCat(seen.total()), Query("SELECT pg_relation_size('t') / 8192"));
  // It goes on.
  Await([&](const StatementProgress& later) { return later.done() > seen.done(); });
}

TEST_F(ProgressTest, OfAReindexIsThatOfTheIndex) {
  MakeSlow("0");
  Query("CREATE INDEX s ON t (slow(a))");
  MakeSlow("0.003");
  Run("", "REINDEX INDEX s");
  EXPECT_EQ(Await(HasBegun).command(), "REINDEX");
}

TEST_F(ProgressTest, OfATableThatTheTransactionMadeHasNoName) {
  Run("BEGIN; CREATE TABLE u AS TABLE t", "CREATE INDEX ON u (slow(a))");
  EXPECT_EQ(Await(HasBegun).relation(), "");
}

TEST_F(ProgressTest, OfAConcurrentBuildNamesWhomItWaitsFor) {
  pqxx::connection other(FormatConninfo(options_.connection));
  pqxx::work writing(other);
  writing.exec("UPDATE t SET a = a WHERE a = 1");
  Run("", "CREATE INDEX CONCURRENTLY ON t (a)");
  const StatementProgress seen =
      Await([](const StatementProgress& progress) { return progress.locker_pid() != 0; });
  EXPECT_EQ(seen.command(), "CREATE INDEX CONCURRENTLY");
  EXPECT_EQ(seen.phase(), "waiting for writers before build");
  EXPECT_EQ(seen.unit(), migration::v1::PROGRESS_UNIT_LOCKERS);
  EXPECT_EQ(seen.locker_pid(), other.backendpid());
  EXPECT_EQ(seen.done(), 0);
  EXPECT_EQ(seen.total(), 1);
}

TEST_F(ProgressTest, OfVacuum) {
  Run("SET vacuum_cost_delay = '20ms'; SET vacuum_cost_limit = 5", "VACUUM t");
  const StatementProgress seen = Await(HasBegun);
  EXPECT_EQ(seen.command(), "VACUUM");
  EXPECT_EQ(seen.phase(), "scanning heap");
  EXPECT_EQ(seen.unit(), migration::v1::PROGRESS_UNIT_BLOCKS);
}

TEST_F(ProgressTest, OfAnalyze) {
  Run("SET vacuum_cost_delay = '20ms'; SET vacuum_cost_limit = 5", "ANALYZE t");
  const StatementProgress seen = Await(HasBegun);
  EXPECT_EQ(seen.command(), "ANALYZE");
  EXPECT_EQ(seen.phase(), "acquiring sample rows");
  EXPECT_EQ(seen.unit(), migration::v1::PROGRESS_UNIT_BLOCKS);
}

TEST_F(ProgressTest, OfVacuumFull) {
  MakeSlow("0");
  Query("CREATE INDEX ON t (slow(a))");
  MakeSlow("0.003");
  Run("", "VACUUM FULL t");
  const StatementProgress seen = Await(
      [](const StatementProgress& progress) { return progress.phase() == "rebuilding index"; });
  EXPECT_EQ(seen.command(), "VACUUM FULL");
  EXPECT_EQ(seen.unit(), migration::v1::PROGRESS_UNIT_UNSPECIFIED);
}

TEST_F(ProgressTest, OfCopyIsCountedInBytes) {
  Query("CREATE TABLE c (a int CHECK (slow(a) = a))");
  for (int i = 0; i < 100000; ++i) absl::StrAppend(&copy_data_, i, "\n");
  Run("", "COPY c FROM stdin");
  const StatementProgress seen =
      Await([](const StatementProgress& progress) { return progress.done() > 0; });
  EXPECT_EQ(seen.command(), "COPY FROM");
  EXPECT_EQ(seen.relation(), "c");
  EXPECT_EQ(seen.unit(), migration::v1::PROGRESS_UNIT_BYTES);
  EXPECT_EQ(seen.total(), 0);
}

TEST_F(ProgressTest, OfAnotherRoleIsNotShown) {
  const std::string role = absl::StrCat("looker_of_", options_.name);
  Query(absl::StrCat("CREATE ROLE ", role, " LOGIN"));
  PostgresOptions options = options_;
  options.connection["user"] = role;
  PostgresDatabase looker(options);
  Run("", "CREATE INDEX ON t (slow(a))");
  Await(HasBegun);
  const auto seen = looker.ReadProgress(session_->pid());
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_FALSE(seen->has_value());
}

TEST_F(ProgressTest, TheQueriesForOldServersRunOnNewOnes) {
  for (const int version : {120000, 130000, 140000, 180000}) {
    pqxx::connection connection(FormatConninfo(options_.connection));
    EXPECT_TRUE(pqxx::nontransaction(connection).exec_params(ProgressSql(version), 0).empty())
        << version;
  }
}

}  // namespace
}  // namespace migd
