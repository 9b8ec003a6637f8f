#include "service/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/protobuf/message.h"
#include "grpc/health/v1/health.pb.h"
#include "service/base/errors.h"

namespace migd {
namespace {

// Keepalive: a client may ping this often also without a call under way; a peer that answers no
// ping for this long is gone, also if no packet says so.
constexpr absl::Duration kLeastPingInterval = absl::Seconds(10);
constexpr absl::Duration kPingInterval = absl::Seconds(60);
constexpr absl::Duration kPingTimeout = absl::Seconds(20);

// What calls that wait for nothing but their client get to end by themselves.
constexpr absl::Duration kLastGrace = absl::Seconds(2);

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

}  // namespace

Server::Server(const Catalog& catalog, OperationManager& operations, CallObserver* observer)
    : operations_(operations),
      admission_(catalog),
      auditor_(NameOfServer()),
      calls_(observer),
      service_(catalog, admission_, auditor_, calls_, operations) {
  for (Workspace* workspace : catalog.workspaces()) auditor_.Follow(*workspace);
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const std::vector<std::string>& addresses,
                                                      bool allow_network, const Catalog& catalog,
                                                      OperationManager& operations,
                                                      CallObserver* observer) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  // gRPC brings the health service without its descriptor, which reflection lists and describes.
  google::protobuf::LinkMessageReflection<grpc::health::v1::HealthCheckRequest>();

  std::unique_ptr<Server> server(new Server(catalog, operations, observer));
  grpc::ServerBuilder builder;
  // Without this a second server shares the port silently.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(kLeastPingInterval));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kPingInterval));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kPingTimeout));
  // gRPC 1.51 probes the bandwidth by pings that can hold a large message up for ten seconds.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  std::vector<int> ports(addresses.size(), 0);
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (std::count(addresses.begin(), addresses.begin() + i, addresses[i]) > 0) {
      return errors::InvalidRequest("listen", absl::StrCat(addresses[i], ": is given twice"));
    }
    auto listener = Listener::Prepare(addresses[i], allow_network);
    if (!listener.ok()) return listener.status();
    server->listeners_.push_back(*std::move(listener));
    builder.AddListeningPort(addresses[i], grpc::InsecureServerCredentials(), &ports[i]);
  }
  builder.RegisterService(&server->service_);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(server->calls_.NewFactory());
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr) {
    return errors::InvalidRequest("listen", "gRPC cannot listen on what it was given");
  }
  for (size_t i = 0; i < addresses.size(); ++i) {
    const std::string& address = addresses[i];
    server->addresses_.push_back(
        absl::StartsWith(address, "unix:")
            ? address
            : absl::StrCat(address.substr(0, address.rfind(':')), ":", ports[i]));
  }
  grpc::HealthCheckServiceInterface* health = server->server_->GetHealthCheckService();
  health->SetServingStatus(std::string(migration::v1::MigrationService::service_full_name()), true);
  server->health_monitor_ = std::make_unique<HealthMonitor>(catalog, *health);
  return server;
}

Server::~Server() {
  if (server_ != nullptr) Shutdown(absl::ZeroDuration());
}

void Server::Shutdown(absl::Duration grace) {
  // For good: what is found out about databases from now on changes it no more.
  server_->GetHealthCheckService()->Shutdown();
  operations_.Drain(grace);
  service_.EndWaits();
  server_->Shutdown(absl::ToChronoTime(absl::Now() + kLastGrace));
  server_->Wait();
  health_monitor_.reset();
  server_.reset();
}

}  // namespace migd
