#include "service/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_posix.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <future>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/protobuf/message.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "service/base/errors.h"
#include "service/database/audit_chain.h"
#include "service/rpc/foreign_call_guard.h"
#include "service/sql/parse_tree.h"

namespace migd {
namespace {

// Keepalive: a client may ping this often also without a call under way; a peer that answers no
// ping for this long is gone, also if no packet says so.
constexpr absl::Duration kLeastPingInterval = absl::Seconds(10);
constexpr absl::Duration kPingInterval = absl::Seconds(60);
constexpr absl::Duration kPingTimeout = absl::Seconds(20);

// What calls that wait for nothing but their client get to end by themselves.
constexpr absl::Duration kLastGrace = absl::Seconds(2);

// How long connections wait for the migration files. With more files than can be read in this time
// the server says for a while that it takes calls, but is not ready for them.
constexpr absl::Duration kLongestWarmUp = absl::Seconds(1);

// Notes calls to what is not the service's own that are refused.
OnRefused NoteIn(Auditor& auditor) {
  return [&auditor](absl::string_view rpc, const std::string& address, const absl::Status& why) {
    auditor.Note("", RefusedEntry(rpc, address, why));
  };
}

// Plain text, or what `tls` has.
std::shared_ptr<grpc::ServerCredentials> CredentialsOf(const Tls* tls) {
  return tls == nullptr ? grpc::InsecureServerCredentials() : tls->NewCredentials();
}

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

// Notices peers that are gone without a word, and lets clients do the same.
void SetKeepalive(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Milliseconds(kLeastPingInterval));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kPingInterval));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kPingTimeout));
  // gRPC 1.51 probes the bandwidth by pings that can hold a large message up for ten seconds.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
}

// How many connections there may be: some descriptors are left for files and databases.
int MostConnections(const Limits& limits) {
  rlimit descriptors = {};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return limits.connections;
  constexpr rlim_t kReserved = 1000;
  const rlim_t reserved = std::min(kReserved, descriptors.rlim_cur / 2);
  return static_cast<int>(std::min<rlim_t>(limits.connections, descriptors.rlim_cur - reserved));
}

void SetLimits(const Limits& limits, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(limits.message_size);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.calls_per_connection);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             Milliseconds(limits.handshake_timeout));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(limits.connection_age));
  grpc::ResourceQuota quota("migd");
  quota.Resize(static_cast<size_t>(limits.memory));
  quota.SetMaxThreads(limits.threads);
  builder.SetResourceQuota(quota);
}

}  // namespace

Server::Server(const ServerOptions& options, const Catalog& catalog, OperationManager& operations,
               std::unique_ptr<AccessControl> access)
    : catalog_(catalog),
      operations_(operations),
      access_(std::move(access)),
      admission_(catalog, peers_, *access_),
      auditor_(NameOfServer()),
      calls_(options.observer),
      service_(catalog, admission_, options.limits, auditor_, calls_, operations),
      acceptor_(MostConnections(options.limits)) {
  for (Workspace* workspace : catalog.workspaces()) auditor_.Follow(*workspace);
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const Catalog& catalog,
                                                      OperationManager& operations) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  // gRPC brings the health service without its descriptor, which reflection lists and describes.
  google::protobuf::LinkMessageReflection<grpc::health::v1::HealthCheckRequest>();

  std::set<std::string> names;
  for (const Workspace* workspace : catalog.workspaces()) names.insert(workspace->name);
  auto access = AccessControl::Make(options.authorization, names);
  if (!access.ok()) return access.status();
  std::unique_ptr<Server> server(new Server(options, catalog, operations, *std::move(access)));
  if (options.tls) {
    auto tls = Tls::Make(*options.tls);
    if (!tls.ok()) return tls.status();
    server->tls_ = *std::move(tls);
  }
  const absl::Status status = server->Listen(options);
  if (!status.ok()) return status;

  grpc::ServerBuilder builder;
  SetKeepalive(builder);
  SetLimits(options.limits, builder);
  server->tcp_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      CredentialsOf(server->tls_.get()));
  builder.RegisterService(&server->service_);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(server->calls_.NewFactory());
  interceptors.push_back(NewForeignCallGuard(server->admission_, NoteIn(server->auditor_)));
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr) {
    return errors::InvalidRequest("listen", "gRPC cannot serve with what it was given");
  }
  grpc::HealthCheckServiceInterface* health = server->server_->GetHealthCheckService();
  server->health_monitor_ = std::make_unique<HealthMonitor>(catalog, *health);
  server->WarmUp();
  server->AcceptConnections();
  return server;
}

void Server::WarmUp() {
  SetServing(false);
  std::promise<void> done;
  const std::future<void> is_done = done.get_future();
  warm_up_ = std::thread([this, done = std::move(done)]() mutable {
    for (Workspace* workspace : catalog_.workspaces()) {
      // What is wrong with the files is told by each call that needs them.
      workspace->scripts->Load().status().IgnoreError();
    }
    // The grammar's tables are large, and in no memory before their first use.
    RunOnDeepStack([] { ParseTree::Read("CREATE TABLE warm (up bigint PRIMARY KEY)"); });
    SetServing(true);
    done.set_value();
  });
  is_done.wait_for(absl::ToChronoNanoseconds(kLongestWarmUp));
}

void Server::SetServing(bool is_serving) {
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  for (const std::string& service :
       {std::string(), std::string(migration::v1::MigrationService::service_full_name())}) {
    health->SetServingStatus(service, is_serving);
  }
}

absl::Status Server::Listen(const ServerOptions& options) {
  for (const std::string& address : options.addresses) {
    if (std::count(options.addresses.begin(), options.addresses.end(), address) > 1) {
      return errors::InvalidRequest("listen", absl::StrCat(address, ": is given twice"));
    }
    auto listener = Listener::Open(address, options.insecure || options.tls);
    if (!listener.ok()) return listener.status();
    addresses_.push_back(listener->address());
    listeners_.push_back(*std::move(listener));
  }
  return absl::OkStatus();
}

void Server::AcceptConnections() {
  const auto over_tcp = [this](UniqueFd connection) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
    const int descriptor = connection.Release();
    parameters.fd = descriptor;
    tcp_->HandleNewConnection(&parameters);
    return descriptor;
  };
  const auto over_unix = [this](UniqueFd connection) {
    ucred peer = {};
    socklen_t size = sizeof peer;
    if (getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return -1;
    UniqueFd registered = peers_.Register(std::move(connection), peer.uid);
    if (registered.get() < 0) return -1;
    const int descriptor = registered.Release();
    grpc::AddInsecureChannelFromFd(server_.get(), descriptor);
    return descriptor;
  };
  for (const Listener& listener : listeners_) {
    for (const UniqueFd& socket : listener.sockets()) {
      if (listener.is_unix()) {
        acceptor_.Add(socket.get(), over_unix);
      } else {
        acceptor_.Add(socket.get(), over_tcp);
      }
    }
  }
  acceptor_.Start();
}

absl::Status Server::Reload(absl::optional<AccessPolicy> authorization,
                            const std::set<std::string>& databases) {
  return access_->Reload(std::move(authorization), databases);
}

bool Server::Answers(absl::Duration patience) const {
  const auto health =
      grpc::health::v1::Health::NewStub(server_->InProcessChannel(grpc::ChannelArguments()));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + patience));
  grpc::health::v1::HealthCheckResponse response;
  return health->Check(&context, {}, &response).ok();
}

Server::~Server() {
  if (server_ != nullptr) Shutdown(absl::ZeroDuration());
}

void Server::Shutdown(absl::Duration grace) {
  // For good: what is found out about databases from now on changes it no more.
  server_->GetHealthCheckService()->Shutdown();
  // Whatever waits for a database is told before anything is waited for: however many of them do
  // not answer, that takes as long as one.
  health_monitor_->End();
  for (Workspace* workspace : catalog_.workspaces()) {
    if (workspace->scratch != nullptr) workspace->scratch->EndBackground();
  }
  operations_.Drain(grace);
  service_.EndWaits();
  acceptor_.Stop();
  listeners_.clear();
  if (warm_up_.joinable()) warm_up_.join();
  server_->Shutdown(absl::ToChronoTime(absl::Now() + kLastGrace));
  server_->Wait();
  health_monitor_.reset();
  server_.reset();
}

}  // namespace migd
