// The credentials of a channel, from the options; and what is wrong with them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "grpcpp/security/credentials.h"
#include "migration_client/connect_options.h"
#include "migration_client/result.h"

namespace migration_client {

// TLS with the files of the options, or none. INVALID_ARGUMENT names the file that cannot be used.
Result<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsFor(
    const ConnectOptions& options);

// The whole file. INVALID_ARGUMENT if it cannot be read.
Result<std::string> ReadFile(const std::string& path);

// Nobody between the two ends can read what is sent to `server`: a unix socket, or loopback; of
// several addresses, all are.
bool StaysOnThisMachine(absl::string_view server);

// The addresses of ipv4:HOST:PORT,HOST:PORT and ipv6:..., of which gRPC takes the first that
// answers; any other address is one.
std::vector<std::string> AddressesOf(absl::string_view server);

// The host of host:port, ipv4:HOST:PORT, dns:///host:port and [::1]:port; empty for a unix socket.
std::string HostOf(absl::string_view server);

// INVALID_ARGUMENT, about an option.
migration::v1::Error InvalidOption(std::string message, std::string hint);

}  // namespace migration_client
