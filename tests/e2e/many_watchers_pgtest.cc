// Those who watch cost the server neither a thread nor a connection to PostgreSQL each, and those
// of them who never read hold nobody up.
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "migration/v1/migration_service.grpc.pb.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using migration::v1::MigrationService;
using migration::v1::OperationEvent;

// A stream of all operations. One that reads counts the ends of operations; another takes its first
// message and no more.
class Watcher : public grpc::ClientReadReactor<OperationEvent> {
 public:
  Watcher(MigrationService::Stub& stub, bool reads) : reads_(reads) {
    migration::v1::WatchRequest request;
    // Soon a sign that the server has the stream, later none that would be mistaken for one.
    request.mutable_heartbeat_interval()->set_nanos(100'000'000);
    stub.async()->Watch(&context_, &request, this);
    StartRead(&message_);
    StartCall();
  }
  ~Watcher() override {
    context_.TryCancel();
    while (!done_) done_.wait(false);
  }

  bool reads() const { return reads_; }
  bool watches() const { return watches_; }
  int ends() const { return ends_; }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    watches_ = true;
    if (message_.has_operation_finished()) ++ends_;
    if (reads_) StartRead(&message_);
  }
  void OnDone(const grpc::Status&) override {
    done_ = true;
    done_.notify_all();
  }

 private:
  const bool reads_;
  grpc::ClientContext context_;
  OperationEvent message_;
  std::atomic<bool> watches_ = false;
  std::atomic<int> ends_ = 0;
  std::atomic<bool> done_ = false;
};

class ManyWatchersTest : public ServiceTest {};

TEST_F(ManyWatchersTest, AThousandCostNeitherThreadsNorConnections) {
  constexpr int kWatchers = 1000;
  constexpr int kChannels = 20;
  constexpr int kFewThreads = 60;
  constexpr int kFewConnections = 8;
  Add({.id = "aa10", .up = "CREATE TABLE a ();"});
  std::vector<std::unique_ptr<MigrationService::Stub>> stubs;
  for (int i = 0; i < kChannels; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stubs.push_back(MigrationService::NewStub(grpc::CreateCustomChannel(
        migd().address(), grpc::InsecureChannelCredentials(), arguments)));
  }
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < kWatchers; ++i) {
    watchers.push_back(std::make_unique<Watcher>(*stubs[i % kChannels], i % 2 == 0));
  }
  const auto all = [&watchers](auto condition) {
    return Eventually([&] {
      for (const auto& watcher : watchers) {
        if (!condition(*watcher)) return false;
      }
      return true;
    });
  };
  ASSERT_TRUE(all([](const Watcher& watcher) { return watcher.watches(); }));
  ASSERT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_LE(ThreadsOf(migd().process().pid()), kFewThreads);
  int connections = 0;
  ASSERT_TRUE(absl::SimpleAtoi(Query("SELECT count(*) FROM pg_stat_activity WHERE datname = "
                                     "current_database() AND application_name LIKE 'migd%'"),
                               &connections));
  EXPECT_LE(connections, kFewConnections);
  EXPECT_TRUE(all([](const Watcher& watcher) { return !watcher.reads() || watcher.ends() == 1; }));
}

}  // namespace
}  // namespace migd
