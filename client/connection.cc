#include "client/connection.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace migctl {
namespace {

constexpr absl::Duration kUnaryTimeout = absl::Seconds(30);
constexpr absl::string_view kDefaultPort = "7433";
constexpr int kMaxMessageBytes = 64 << 20;

std::shared_ptr<grpc::Channel> MakeChannel(absl::string_view server) {
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
  return grpc::CreateCustomChannel(ChannelTarget(server), grpc::InsecureChannelCredentials(),
                                   arguments);
}

absl::Time DeadlineAfter(const std::optional<absl::Duration>& timeout) {
  return timeout.has_value() ? absl::Now() + *timeout : absl::InfiniteFuture();
}

}  // namespace

Connection::Connection(const GlobalOptions& options)
    : server_(options.server),
      command_deadline_(DeadlineAfter(options.timeout)),
      channel_(MakeChannel(server_)),
      migrations_(migration::v1::MigrationService::NewStub(channel_)),
      health_(grpc::health::v1::Health::NewStub(channel_)) {}

void Connection::SetUnaryDeadline(grpc::ClientContext& context) const {
  const absl::Time deadline =
      command_deadline_ == absl::InfiniteFuture() ? absl::Now() + kUnaryTimeout : command_deadline_;
  context.set_deadline(absl::ToChronoTime(deadline));
}

std::string ChannelTarget(absl::string_view server) {
  const bool has_port_or_scheme = absl::StrContains(server, ":");
  return has_port_or_scheme ? std::string(server) : absl::StrCat(server, ":", kDefaultPort);
}

}  // namespace migctl
