// The sizes of real tables.
#include <string>

#include "gtest/gtest.h"
#include "service/postgres/postgres_database.h"
#include "service/postgres/table_sizes.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

class TableSizesTest : public ::testing::Test {
 protected:
  absl::optional<int64_t> SizeOf(const std::string& relation) {
    const auto sizes = database_.ReadTableSizes({relation}).value();
    EXPECT_EQ(sizes.count(relation), 1U) << relation;
    return sizes.count(relation) == 0 ? absl::nullopt : sizes.at(relation).bytes;
  }
  void Run(const std::string& sql) { TestCluster::Query(options_.connection, sql); }

  const PostgresOptions options_ = TestCluster::NewDatabaseOptions();
  PostgresDatabase database_{options_};
};

TEST_F(TableSizesTest, CountsRowsAndWhatIsStoredBesideThem) {
  Run("CREATE TABLE t (a text); ALTER TABLE t ALTER a SET STORAGE EXTERNAL");
  EXPECT_EQ(SizeOf("t"), 0);
  Run("INSERT INTO t VALUES (repeat('x', 1000000))");
  EXPECT_GT(SizeOf("t"), 1000000);
}

TEST_F(TableSizesTest, CountsThePartitions) {
  Run("CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE p PARTITION OF t FOR VALUES IN "
      "(1); INSERT INTO t SELECT 1 FROM generate_series(1, 1000)");
  EXPECT_GT(SizeOf("t"), 0);
  EXPECT_EQ(SizeOf("t"), SizeOf("public.p"));
}

TEST_F(TableSizesTest, TakesNamesAsSqlHasThem) {
  Run("CREATE SCHEMA \"S\"; CREATE TABLE \"S\".\"a \"\" b\" (a int)");
  EXPECT_EQ(SizeOf("\"S\".\"a \"\" b\""), 0);
  EXPECT_TRUE(database_.ReadTableSizes({"S.t", "missing.t", "\"S\".t"})->empty());
}

TEST_F(TableSizesTest, WaitsForNoLock) {
  Run("CREATE TABLE t (a int)");
  pqxx::connection holder(FormatConninfo(options_.connection));
  pqxx::work lock(holder);
  lock.exec("LOCK TABLE t");
  EXPECT_EQ(SizeOf("t"), absl::nullopt);
}

}  // namespace
}  // namespace migd
