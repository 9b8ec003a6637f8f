// The service in this process, on a unix socket, over a fake database.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "migration/v1/migration_service.grpc.pb.h"
#include "service/rpc/server.h"
#include "tests/support/event_text.h"
#include "tests/support/fake_workspace.h"
#include "tests/support/temporary_directory.h"

namespace migd {

// What the details of a status say.
struct StatusDetails {
  google::rpc::ErrorInfo info;
  migration::v1::ErrorDetail detail;
};

inline StatusDetails DetailsOf(const grpc::Status& status) {
  StatusDetails details;
  google::rpc::Status rich;
  EXPECT_TRUE(rich.ParseFromString(status.error_details()));
  EXPECT_EQ(rich.code(), static_cast<int>(status.error_code()));
  EXPECT_EQ(rich.message(), status.error_message());
  for (const google::protobuf::Any& any : rich.details()) {
    if (any.Is<google::rpc::ErrorInfo>()) any.UnpackTo(&details.info);
    if (any.Is<migration::v1::ErrorDetail>()) any.UnpackTo(&details.detail);
  }
  return details;
}

// "CODE REASON" of a status that the service made.
inline std::string Verdict(const grpc::Status& status) {
  if (status.ok()) return "OK";
  return absl::StrCat(absl::StatusCodeToString(static_cast<absl::StatusCode>(status.error_code())),
                      " ", DetailsOf(status).info.reason());
}

// Until `condition` holds, for a minute at most.
template <typename Condition>
bool Eventually(Condition condition) {
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

class RpcTest : public ::testing::Test {
 protected:
  using Stub = migration::v1::MigrationService::Stub;

  // A streaming call that was read to its end.
  struct Streamed {
    std::vector<migration::v1::OperationEvent> events;
    grpc::Status status;

    std::vector<std::string> texts() const {
      std::vector<std::string> texts;
      for (const auto& event : events) texts.push_back(Brief(event));
      return texts;
    }
  };

  // aa01 <- aa02 <- aa03, each of which makes a table of its name.
  RpcTest() : database_(fake_.database()) {
    std::string before;
    for (const std::string id : {"aa01", "aa02", "aa03"}) {
      fake_.Write({id, before, absl::StrCat("\nCREATE TABLE ", id, " (x int);\n"),
                   absl::StrCat("\nDROP TABLE ", id, ";")});
      before = id;
    }
    std::vector<std::unique_ptr<Workspace>> workspaces;
    workspaces.push_back(fake_.Take());
    catalog_ = std::make_unique<Catalog>(std::move(workspaces));
    Serve(*catalog_);
  }

  // Serves `catalog`, which must outlive the test, instead of what was served before; on a unix
  // socket, if `options` do not say where.
  void Serve(const Catalog& catalog, ServerOptions options = {}) {
    server_.reset();
    operations_ = std::make_unique<OperationManager>();
    if (&catalog == catalog_.get()) operations_->Follow(**catalog.Find(""));
    if (options.addresses.empty()) {
      options.addresses = {absl::StrCat("unix:", directory_.path(), "/socket")};
    }
    options.observer = observer_;
    auto server = Server::Start(options, catalog, *operations_);
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = NewStub();
  }

  // A connection of its own.
  std::shared_ptr<grpc::Channel> NewChannel() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    // Its probing for bandwidth makes gRPC 1.51 grant a reader that was slow nothing for ten
    // seconds.
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    return grpc::CreateCustomChannel(server_->addresses()[0], grpc::InsecureChannelCredentials(),
                                     arguments);
  }
  std::unique_ptr<Stub> NewStub() const {
    return migration::v1::MigrationService::NewStub(NewChannel());
  }

  static Streamed ReadAll(grpc::ClientReader<migration::v1::OperationEvent>& reader) {
    Streamed streamed;
    for (migration::v1::OperationEvent event; reader.Read(&event);) {
      streamed.events.push_back(event);
    }
    streamed.status = reader.Finish();
    return streamed;
  }

  Streamed Upgrade(const migration::v1::UpgradeRequest& request) {
    grpc::ClientContext context;
    return ReadAll(*stub_->Upgrade(&context, request));
  }
  Streamed Upgrade(const std::string& target) {
    migration::v1::UpgradeRequest request;
    request.set_target(target);
    return Upgrade(request);
  }
  Streamed Downgrade(const std::string& target) {
    migration::v1::DowngradeRequest request;
    request.set_target(target);
    grpc::ClientContext context;
    return ReadAll(*stub_->Downgrade(&context, request));
  }
  Streamed Stamp(const std::vector<std::string>& targets) {
    migration::v1::StampRequest request;
    request.mutable_targets()->Assign(targets.begin(), targets.end());
    grpc::ClientContext context;
    return ReadAll(*stub_->Stamp(&context, request));
  }
  // The events of a watched operation, without the snapshot that comes first.
  Streamed Watch(const std::string& operation, int64_t after = 0) {
    migration::v1::WatchOperationRequest request;
    request.set_operation(operation);
    request.set_after_sequence(after);
    grpc::ClientContext context;
    Streamed watched = ReadAll(*stub_->WatchOperation(&context, request));
    if (!watched.events.empty()) {
      EXPECT_TRUE(watched.events.front().has_operation_snapshot());
      watched.events.erase(watched.events.begin());
    }
    return watched;
  }
  grpc::Status Cancel(const std::string& operation) {
    migration::v1::CancelOperationRequest request;
    request.set_operation(operation);
    migration::v1::CancelOperationResponse response;
    grpc::ClientContext context;
    return stub_->CancelOperation(&context, request, &response);
  }
  migration::v1::Operation Get(const std::string& operation) {
    migration::v1::GetOperationRequest request;
    request.set_operation(operation);
    migration::v1::GetOperationResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub_->GetOperation(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.operation();
  }
  bool AwaitState(const std::string& operation, migration::v1::Operation::State state) {
    return Eventually([&] { return Get(operation).state() == state; });
  }

  // Calls a unary RPC: Call(&Stub::Current, request, response).
  template <typename Method, typename Request, typename Response>
  grpc::Status Call(Method method, const Request& request, Response& response) {
    grpc::ClientContext context;
    return ((*stub_).*method)(&context, request, &response);
  }

  // Is told of the calls of servers from the next Serve on.
  CallObserver* observer_ = nullptr;
  TemporaryDirectory directory_;
  FakeWorkspace fake_;
  FakeDatabase& database_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<OperationManager> operations_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace migd
