#include "migration_client/connection.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/support/channel_arguments.h"
#include "migration_client/call_metadata.h"
#include "migration_client/credentials.h"
#include "migration_client/tls_diagnosis.h"

namespace migration_client {
namespace {

constexpr absl::string_view kDefaultPort = "7433";
constexpr int kMaxMessageBytes = 64 << 20;

grpc::ChannelArguments ChannelArgumentsFor(const ConnectOptions& options) {
  grpc::ChannelArguments arguments;
  // migd is a neighbour: a proxy that the environment names for the web must not come between.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  // A quiet stream may be a waiting migration or a peer that is gone; only pings tell,
  // however long it lasts.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Who repeats a call paces himself: left alone, gRPC pauses for up to two minutes between two
  // attempts to connect, and fails every call meanwhile.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  // Its probing for bandwidth makes gRPC 1.51 grant a reader that was slow nothing for ten seconds.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  if (options.tls.has_value() && !options.tls->server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.tls->server_name);
  }
  return arguments;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::Open(ConnectOptions options) {
  auto credentials = ChannelCredentialsFor(options);
  if (!credentials.ok()) return credentials.error();
  auto metadata = MetadataOf(options);
  if (!metadata.ok()) return metadata.error();
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::move(*metadata));
  auto channel = grpc::experimental::CreateCustomChannelWithInterceptors(
      ChannelTarget(options.server), *credentials, ChannelArgumentsFor(options),
      std::move(interceptors));
  return std::unique_ptr<Connection>(new Connection(std::move(options), std::move(channel)));
}

Connection::Connection(ConnectOptions options, std::shared_ptr<grpc::Channel> channel)
    : options_(std::move(options)),
      channel_(std::move(channel)),
      migrations_(migration::v1::MigrationService::NewStub(channel_)),
      health_(grpc::health::v1::Health::NewStub(channel_)) {}

migration::v1::Error Connection::Describe(const grpc::Status& status) const {
  migration::v1::Error error = ErrorFromStatus(status, options_.server);
  const bool no_connection =
      status.error_code() == grpc::StatusCode::UNAVAILABLE && !HasServiceDetails(error);
  if (!no_connection) return error;
  return DiagnoseTls(options_, ChannelTarget(options_.server)).value_or(std::move(error));
}

void Connection::SetUnaryDeadline(grpc::ClientContext& context) const {
  const absl::Time deadline = std::min(absl::Now() + options_.call_timeout, options_.deadline);
  if (deadline != absl::InfiniteFuture()) context.set_deadline(absl::ToChronoTime(deadline));
}

std::string ChannelTarget(absl::string_view server) {
  const bool has_port_or_scheme = absl::StrContains(server, ":");
  return has_port_or_scheme ? std::string(server) : absl::StrCat(server, ":", kDefaultPort);
}

}  // namespace migration_client
