// PostgreSQL keeps what every OperationStore promises, and what is its own.

#include <string>
#include <thread>
#include <vector>

#include "service/base/errors.h"
#include "service/postgres/postgres_operation_store.h"
#include "tests/support/operation_store_contract.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

// A store with its database.
struct PostgresUnderTest {
  explicit PostgresUnderTest(PostgresOptions options)
      : database(std::move(options)), store(database) {}
  PostgresDatabase database;
  PostgresOperationStore store;
};

INSTANTIATE_TEST_SUITE_P(Postgres, OperationStoreContract, ::testing::Values(StoreFactory([] {
                           auto postgres = std::make_shared<PostgresUnderTest>(
                               TestCluster::NewDatabaseOptions());
                           return StoreUnderTest{postgres, &postgres->store};
                         })));

OperationRecord NewRecord(const std::string& id) {
  OperationRecord record;
  record.operation.set_operation(id);
  record.operation.set_attempt(1);
  record.operation.set_last_sequence(1);
  *record.operation.mutable_create_time() = ToProtoTimestamp(absl::Now());
  return record;
}

StoredEvents Accepted(const std::string& id) {
  auto event = std::make_shared<migration::v1::OperationEvent>();
  event->set_operation(id);
  event->set_sequence(1);
  return {event};
}

TEST(PostgresOperationStore, ManyServersMakeTheTablesAtOnce) {
  const PostgresOptions options = TestCluster::NewDatabaseOptions();
  std::vector<std::thread> servers;
  std::vector<absl::Status> results(8);
  for (size_t i = 0; i < results.size(); ++i) {
    servers.emplace_back([&, i] {
      PostgresUnderTest postgres(options);
      const std::string id = absl::StrCat("op", i);
      results[i] = postgres.store.Insert(NewRecord(id), Accepted(id)).status();
    });
  }
  for (std::thread& server : servers) server.join();
  for (const absl::Status& result : results) EXPECT_TRUE(result.ok()) << result;
  EXPECT_EQ(
      TestCluster::Query(options.connection, "SELECT count(*) FROM migration_service.operation"),
      "8");
}

TEST(PostgresOperationStore, ReadingMakesNothing) {
  const PostgresOptions options = TestCluster::NewDatabaseOptions();
  PostgresUnderTest postgres(options);
  const auto ledger = postgres.store.OpenLedger(1).value();
  EXPECT_TRUE(ledger->Read(0, {}).ok());
  EXPECT_TRUE(postgres.store.List({}, 100, 10).ok());
  EXPECT_EQ(
      TestCluster::Query(options.connection, "SELECT to_regnamespace('migration_service') IS NULL"),
      "t");
}

TEST(PostgresOperationStore, OperationsOfAnotherVersionTableAreNotSeen) {
  PostgresOptions options = TestCluster::NewDatabaseOptions();
  PostgresUnderTest one(options);
  options.version_table.name = "billing_version";
  PostgresUnderTest other(options);
  OperationRecord request = NewRecord("a");
  request.operation.set_request_id("deploy 7");
  ASSERT_TRUE(one.store.Insert(request, Accepted("a")).ok());
  request.operation.set_operation("b");
  EXPECT_EQ(other.store.Insert(request, Accepted("b"))->operation.operation(), "b");
  EXPECT_TRUE(one.store.Find("b")->empty());
  EXPECT_TRUE(other.store.Find("a")->empty());
  EXPECT_EQ(other.store.List({}, 100, 10)->size(), 1U);
  const auto read = other.store.OpenLedger(1).value()->Read(0, {"a"});
  ASSERT_EQ(read->size(), 1U);
  EXPECT_EQ(read->front().operation.operation(), "b");
}

TEST(PostgresOperationStore, ARoleThatMayNotMakeTheTablesIsTold) {
  PostgresOptions options = TestCluster::NewDatabaseOptions();
  TestCluster::Query(options.connection,
                     "DO $$ BEGIN CREATE ROLE onlooker LOGIN; EXCEPTION WHEN duplicate_object "
                     "THEN NULL; END $$");
  options.connection["user"] = "onlooker";
  PostgresUnderTest postgres(options);
  const absl::Status status = postgres.store.Insert(NewRecord("a"), Accepted("a")).status();
  EXPECT_EQ(errors::ReasonOf(status), migration::v1::ERROR_REASON_INSUFFICIENT_PRIVILEGE);
}

TEST(PostgresOperationStore, AReadOnlyServerIsRefused) {
  PostgresOptions options = TestCluster::NewDatabaseOptions();
  options.connection["options"] = "-c default_transaction_read_only=on";
  PostgresUnderTest postgres(options);
  const absl::Status status = postgres.store.Insert(NewRecord("a"), Accepted("a")).status();
  EXPECT_EQ(errors::ReasonOf(status), migration::v1::ERROR_REASON_DATABASE_READ_ONLY);
}

TEST(PostgresOperationStore, AMigrationMayDropTheSchema) {
  const PostgresOptions options = TestCluster::NewDatabaseOptions();
  PostgresUnderTest postgres(options);
  OperationRecord record = postgres.store.Insert(NewRecord("a"), Accepted("a")).value();
  TestCluster::Query(options.connection, "DROP SCHEMA migration_service CASCADE");
  const auto ledger = postgres.store.OpenLedger(1).value();
  EXPECT_TRUE(ledger->Write(record, 1, {}, Durability::kSurvivesCrash).value());
  EXPECT_EQ(postgres.store.Find("a")->size(), 1U);
}

}  // namespace
}  // namespace migd
