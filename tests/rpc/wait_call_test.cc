// Wait, as a caller has it.
#include "service/rpc/wait_call.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "tests/rpc/rpc_fixture.h"

namespace migd {
namespace {

using migration::v1::WaitRequest;
using migration::v1::WaitResponse;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

WaitRequest Request(const std::string& revision) {
  WaitRequest request;
  request.set_revision(revision);
  return request;
}

WaitRequest LookingOnce(const std::string& revision) {
  WaitRequest request = Request(revision);
  request.mutable_timeout();
  return request;
}

class WaitCallTest : public RpcTest {
 protected:
  std::string VerdictOn(const WaitRequest& request) {
    WaitResponse response;
    return Verdict(Call(&Stub::Wait, request, response));
  }
};

TEST_F(WaitCallTest, ReturnsWhenAnUpgradeHasBroughtTheDatabaseThere) {
  WaitResponse response;
  grpc::Status status;
  std::thread waiting([&] { status = Call(&Stub::Wait, WaitRequest(), response); });
  EXPECT_TRUE(Upgrade("aa02").status.ok());
  EXPECT_TRUE(Upgrade("heads").status.ok());
  waiting.join();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.outcome(), WaitResponse::OUTCOME_AT);
  EXPECT_THAT(response.target_revisions(), ElementsAre("aa03"));
  EXPECT_TRUE(response.has_waited());
}

TEST_F(WaitCallTest, ErrorsThatWaitingCannotHealComeAtOnce) {
  database_.RefuseConnections(errors::DatabaseUnavailable("app", "no answer"));
  WaitRequest elsewhere;
  elsewhere.set_database("atlantis");
  EXPECT_EQ(VerdictOn(elsewhere), "NOT_FOUND UNKNOWN_DATABASE");
  EXPECT_EQ(VerdictOn(Request("a:b")), "INVALID_ARGUMENT INVALID_SYMBOL");
  EXPECT_EQ(VerdictOn(Request("+1")), "INVALID_ARGUMENT INVALID_SYMBOL");
  EXPECT_EQ(VerdictOn(Request("current")), "INVALID_ARGUMENT INVALID_SYMBOL");
  EXPECT_EQ(VerdictOn(Request("cc")), "NOT_FOUND UNKNOWN_REVISION");
  WaitRequest negative;
  negative.mutable_timeout()->set_seconds(-1);
  EXPECT_EQ(VerdictOn(negative), "INVALID_ARGUMENT INVALID_REQUEST");
}

TEST_F(WaitCallTest, OfflineThereIsNothingToWaitFor) {
  FakeWorkspace offline;
  offline.workspace().database = nullptr;
  std::vector<std::unique_ptr<Workspace>> workspaces;
  workspaces.push_back(offline.Take());
  const Catalog catalog(std::move(workspaces));
  Serve(catalog);
  EXPECT_EQ(VerdictOn(WaitRequest()), "FAILED_PRECONDITION OFFLINE");
  server_.reset();
}

TEST_F(WaitCallTest, TheTimeoutSaysWhereTheDatabaseIs) {
  database_.SetRows({"aa01"});
  WaitResponse response;
  const grpc::Status status = Call(&Stub::Wait, LookingOnce("aa02"), response);
  EXPECT_EQ(Verdict(status), "DEADLINE_EXCEEDED WAIT_TIMEOUT");
  EXPECT_EQ(DetailsOf(status).info.metadata().at("revisions"), "aa01");
  EXPECT_THAT(DetailsOf(status).detail.hint(), HasSubstr("migctl operations list"));
}

TEST_F(WaitCallTest, AServerThatStopsSendsThoseWhoWaitAway) {
  WaitResponse response;
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto reader = stub_->AsyncWait(&context, WaitRequest(), &queue);
  void* tag = nullptr;
  bool ok = false;
  // The headers tell that the waiting has begun.
  reader->ReadInitialMetadata(&tag);
  ASSERT_TRUE(queue.Next(&tag, &ok));
  server_->Shutdown(absl::ZeroDuration());
  grpc::Status status;
  reader->Finish(&response, &status, &tag);
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(Verdict(status), "UNAVAILABLE DRAINING");
  queue.Shutdown();
  EXPECT_FALSE(queue.Next(&tag, &ok));
}

// A service that only waits, in a room that the test can look into.
class RoomTest : public WaitCallTest {
 protected:
  class Service : public migration::v1::MigrationService::WithCallbackMethod_Wait<
                      migration::v1::MigrationService::Service> {
   public:
    Service(const Catalog& catalog, WaitRoom& room) : catalog_(catalog), room_(room) {}
    grpc::ServerUnaryReactor* Wait(grpc::CallbackServerContext*, const WaitRequest* request,
                                   WaitResponse* response) override {
      return StartWait(catalog_, room_, *request, *response);
    }

   private:
    const Catalog& catalog_;
    WaitRoom& room_;
  };

  RoomTest() : service_(*catalog_, room_) {
    const std::string address = absl::StrCat("unix:", directory_.path(), "/room");
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(&service_);
    room_server_ = builder.BuildAndStart();
    room_stub_ = migration::v1::MigrationService::NewStub(
        grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  }

  ~RoomTest() override {
    room_.Close();
    room_server_->Shutdown();
  }

  WaitRoom room_{absl::Milliseconds(1)};
  Service service_;
  std::unique_ptr<grpc::Server> room_server_;
  std::unique_ptr<Stub> room_stub_;
};

TEST_F(RoomTest, ACallerWhoCancelsLeavesTheRoom) {
  grpc::ClientContext context;
  std::thread waiting([&] {
    WaitResponse response;
    EXPECT_EQ(room_stub_->Wait(&context, WaitRequest(), &response).error_code(),
              grpc::StatusCode::CANCELLED);
  });
  EXPECT_TRUE(Eventually([this] { return room_.size() == 1; }));
  context.TryCancel();
  waiting.join();
  EXPECT_TRUE(Eventually([this] { return room_.size() == 0; }));
}

TEST_F(RoomTest, ACallWhoseDeadlinePassesLeavesTheRoom) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(200)));
  WaitResponse response;
  EXPECT_EQ(room_stub_->Wait(&context, WaitRequest(), &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(Eventually([this] { return room_.size() == 0; }));
}

}  // namespace
}  // namespace migd
