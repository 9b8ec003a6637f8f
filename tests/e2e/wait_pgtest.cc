// A gate for what starts: `migctl wait`, and a thousand of them.
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
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
using migration::v1::WaitResponse;
using ::testing::AllOf;
using ::testing::HasSubstr;

class WaitTest : public ServiceTest {
 protected:
  WaitTest() {
    Add({.id = "aa10", .up = "CREATE TABLE a ();"});
    Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();"});
  }

  Finished LookOnce(const Arguments& more = {}) {
    Arguments arguments = {"wait", "--for", "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Migctl(arguments);
  }
};

// A call of Wait that waits for the heads, without a thread of its own.
class Waiting : public grpc::ClientUnaryReactor {
 public:
  void Start(MigrationService::Stub& stub) {
    stub.async()->Wait(&context_, &request_, &response_, this);
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }

  // The server has sent the headers: it has let the caller in.
  bool waits() const { return waits_; }
  bool done() const { return done_; }
  // Of a call that is done.
  const grpc::Status& status() const { return status_; }
  const WaitResponse& response() const { return response_; }

  void OnReadInitialMetadataDone(bool ok) override { waits_ = ok; }
  void OnDone(const grpc::Status& status) override {
    status_ = status;
    done_ = true;
  }

 private:
  grpc::ClientContext context_;
  migration::v1::WaitRequest request_;
  WaitResponse response_;
  grpc::Status status_;
  std::atomic<bool> waits_ = false;
  std::atomic<bool> done_ = false;
};

// Many of them over a few connections.
class Crowd {
 public:
  Crowd(int size, const std::string& server) {
    constexpr int kConnections = 4;
    for (int i = 0; i < kConnections; ++i) {
      grpc::ChannelArguments arguments;
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      stubs_.push_back(MigrationService::NewStub(
          grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments)));
    }
    for (int i = 0; i < size; ++i) {
      waiting_.push_back(std::make_unique<Waiting>());
      waiting_.back()->Start(*stubs_[i % kConnections]);
    }
  }

  // gRPC uses them until they are done.
  ~Crowd() {
    for (const auto& each : waiting_) each->Cancel();
    EXPECT_TRUE(AllAre(&Waiting::done));
  }

  bool AllAre(bool (Waiting::*what)() const) const {
    return Eventually([&] {
      for (const auto& each : waiting_) {
        if (!(*each.*what)()) return false;
      }
      return true;
    });
  }
  bool AnyIsDone() const {
    for (const auto& each : waiting_) {
      if (each->done()) return true;
    }
    return false;
  }
  const std::vector<std::unique_ptr<Waiting>>& waiting() const { return waiting_; }

 private:
  std::vector<std::unique_ptr<MigrationService::Stub>> stubs_;
  std::vector<std::unique_ptr<Waiting>> waiting_;
};

TEST_F(WaitTest, TheGateOpensWhenAnUpgradeHasFinished) {
  const Finished before = LookOnce();
  EXPECT_EQ(before.exit_code, 4);
  EXPECT_THAT(before.err, AllOf(HasSubstr("has not reached heads (bb20): no revision is applied"),
                                HasSubstr("[WAIT_TIMEOUT]")));
  Process gate(MigctlCommand({"wait"}));
  ASSERT_EQ(Migctl({"upgrade", "aa10"}).exit_code, 0);
  EXPECT_THAT(LookOnce().err, HasSubstr("it is at aa10"));
  EXPECT_TRUE(gate.running());
  ASSERT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  const Finished opened = gate.Wait();
  EXPECT_EQ(opened.exit_code, 0) << opened.err;
  EXPECT_THAT(opened.out, HasSubstr(" is at bb20\n"));

  EXPECT_THAT(Text({"wait", "aa10"}), HasSubstr(" is at bb20, beyond aa10\n"));
  EXPECT_EQ(Object({"wait", "head"})["outcome"].text(), "OUTCOME_AT");
}

TEST_F(WaitTest, TimeThatIsOverLeavesTheGateShut) {
  const Failure failure = FailureOf({"wait", "aa10", "--for", "300ms"});
  EXPECT_EQ(failure.exit_code, 4);
  EXPECT_EQ(failure.reason(), "WAIT_TIMEOUT");
  EXPECT_THAT(failure.text, HasSubstr("did not reach aa10 within 300ms: no revision"));
}

TEST_F(WaitTest, ARevisionThatNoFileHasOpensTheGateWithAWarning) {
  Query("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)");
  Query("INSERT INTO alembic_version VALUES ('zz99')");
  const Finished warned = LookOnce();
  EXPECT_EQ(warned.exit_code, 0);
  EXPECT_THAT(warned.err, HasSubstr("warning: "));
  EXPECT_THAT(warned.err, HasSubstr("migd has no file of zz99"));
  EXPECT_EQ(LookOnce({"--require-known"}).exit_code, 3);
}

TEST_F(WaitTest, CtrlCEndsTheWaiting) {
  Process gate(MigctlCommand({"wait"}));
  ASSERT_EQ(LookOnce().exit_code, 4);
  gate.Signal(SIGINT);
  EXPECT_EQ(gate.Wait().exit_code, 130);
}

TEST_F(WaitTest, ADatabaseThatIsNotThereYetIsWaitedFor) {
  // Where PostgreSQL's socket will be.
  ConnectionOptions later = database();
  const std::string socket_directory = later["host"];
  later["host"] = directory().path() + "/later";
  const Migd server({"--database", TestCluster::Uri(later), "--migrations", migrations()});
  const auto command = [&server](Arguments arguments) {
    arguments.insert(arguments.begin(), {TestVariable("MIGCTL"), "--server", server.address()});
    return Command{arguments};
  };
  Process gate(command({"wait"}));
  const Finished too_early = RunCommand(command({"wait", "--for", "0"}));
  EXPECT_EQ(too_early.exit_code, 4);
  EXPECT_THAT(too_early.err, HasSubstr(later["host"]));
  EXPECT_TRUE(gate.running());

  std::filesystem::create_directory_symlink(socket_directory, later["host"]);
  ASSERT_EQ(RunCommand(command({"upgrade", "head"})).exit_code, 0);
  const Finished opened = gate.Wait();
  EXPECT_EQ(opened.exit_code, 0) << opened.err;
}

TEST_F(WaitTest, AServerThatIsNotThereYetIsWaitedFor) {
  const std::string address = absl::StrCat("unix:", directory().path(), "/migd.sock");
  Process gate({{TestVariable("MIGCTL"), "--server", address, "wait"}});
  ASSERT_TRUE(gate.WaitForOutput("trying again"));
  Process server({{TestVariable("MIGD"), "--listen", address, "--database",
                   TestCluster::Uri(database()), "--migrations", migrations()}});
  ASSERT_TRUE(server.WaitForOutput("listening"));
  EXPECT_EQ(
      RunCommand({{TestVariable("MIGCTL"), "--server", address, "upgrade", "head"}}).exit_code, 0);
  const Finished opened = gate.Wait();
  EXPECT_EQ(opened.exit_code, 0) << opened.err;
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait().exit_code, 0);
}

TEST_F(WaitTest, AThousandWaitersCostNeitherThreadsNorConnections) {
  constexpr int kWaiters = 1000;
  constexpr int kFewThreads = 60;
  // The readers that are kept, and the one by which the server is seen to live.
  constexpr int kFewConnections = 5;
  const Crowd crowd(kWaiters, migd().address());
  ASSERT_TRUE(crowd.AllAre(&Waiting::waits));
  EXPECT_EQ(LookOnce().exit_code, 4);
  EXPECT_LE(ThreadsOf(migd().process().pid()), kFewThreads);
  int connections = 0;
  ASSERT_TRUE(absl::SimpleAtoi(Query("SELECT count(*) FROM pg_stat_activity WHERE datname = "
                                     "current_database() AND application_name LIKE 'migd%'"),
                               &connections));
  EXPECT_GE(connections, 1);
  EXPECT_LE(connections, kFewConnections);
  EXPECT_FALSE(crowd.AnyIsDone());

  ASSERT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  ASSERT_TRUE(crowd.AllAre(&Waiting::done));
  for (const auto& each : crowd.waiting()) {
    ASSERT_TRUE(each->status().ok()) << each->status().error_message();
    EXPECT_EQ(each->response().outcome(), WaitResponse::OUTCOME_AT);
  }
}

}  // namespace
}  // namespace migd
