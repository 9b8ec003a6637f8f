// A PostgreSQL that is frozen: its connections stay open, and nothing is answered on any.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "migration/v1/migration_service.grpc.pb.h"
#include "tests/e2e/monitored_service.h"
#include "tests/support/connection_proxy.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

// Two databases of one server: `frozen`, from Freeze on, and `other`.
class FrozenDatabaseTest : public MonitoredServiceTest {
 protected:
  FrozenDatabaseTest() : proxy_(database()) {
    Add({.id = "aa10", .up = "CREATE TABLE a ();"});
    directory().Write(
        "migd.yaml",
        absl::StrCat("metrics_listen: 127.0.0.1:", port(), "\ndatabases:\n  frozen:\n    url: ",
                     FormatConninfo(proxy_.connection()), "\n    migrations: ", migrations(),
                     "\n  other:\n    url: ", TestCluster::Uri(TestCluster::CreateDatabase()),
                     "\n    migrations: ", migrations(), "\n"));
    StartMigdWithConfig(directory().path() + "/migd.yaml");
    channel_ = grpc::CreateChannel(migd().address(), grpc::InsecureChannelCredentials());
    EXPECT_TRUE(Current("frozen").ok());
    EXPECT_TRUE(Current("other").ok());
  }

  grpc::Status Current(const std::string& database) const {
    migration::v1::CurrentRequest request;
    request.set_database(database);
    migration::v1::CurrentResponse response;
    grpc::ClientContext context;
    return migration::v1::MigrationService::NewStub(channel_)->Current(&context, request,
                                                                       &response);
  }
  bool IsHealthy(const std::string& database) {
    return Migctl({"health", "database/" + database}).exit_code == 0;
  }

  ConnectionProxy proxy_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(FrozenDatabaseTest, IsToldAndHoldsNobodyElseUp) {
  constexpr int kCallers = 100;
  ASSERT_TRUE(Eventually([this] { return IsHealthy("frozen") && IsHealthy("other"); }));
  proxy_.Hold();
  struct Outcome {
    grpc::Status status;
    absl::Duration duration;
  };
  std::vector<Outcome> outcomes(kCallers);
  std::atomic<int> under_way{kCallers};
  std::vector<std::thread> callers;
  for (Outcome& outcome : outcomes) {
    callers.emplace_back([&] {
      const absl::Time start = absl::Now();
      outcome.status = Current("frozen");
      outcome.duration = absl::Now() - start;
      --under_way;
    });
  }
  absl::Duration slowest;
  do {
    const absl::Time start = absl::Now();
    const grpc::Status status = Current("other");
    EXPECT_TRUE(status.ok()) << status.error_message();
    slowest = std::max(slowest, absl::Now() - start);
    absl::SleepFor(absl::Milliseconds(10));
  } while (under_way > 0);
  for (std::thread& caller : callers) caller.join();
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::UNAVAILABLE)
        << outcome.status.error_message();
    EXPECT_LT(slowest, outcome.duration);
  }
  // Health and metrics tell it, too, and only of this one.
  EXPECT_TRUE(Eventually([this] { return !IsHealthy("frozen"); }));
  EXPECT_TRUE(IsHealthy("other"));
  EXPECT_TRUE(AwaitMetric("migd_database_up{database=\"frozen\"} 0"));
  EXPECT_TRUE(AwaitMetric("migd_database_up{database=\"other\"} 1"));

  proxy_.Release();
  EXPECT_TRUE(Eventually([this] { return Current("frozen").ok() && IsHealthy("frozen"); }));
}

}  // namespace
}  // namespace migd
