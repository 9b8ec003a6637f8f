// Why a connection with TLS fails, in words: gRPC tells only that it does.
#pragma once

#include <optional>
#include <string>

#include "migration/v1/error.pb.h"
#include "migration_client/connect_options.h"

namespace migration_client {

// Connects to `target`, a host and a port, as gRPC has tried, and tells what is wrong: a
// certificate that has expired, that is for another name, that comes from an authority that is not
// trusted; a server that wants a certificate of the client or refuses the one that it gets; one end
// that speaks TLS while the other does not. Returns nothing if it is something else, such as a
// server that is not there. Takes up to some seconds. Safe from any thread.
std::optional<migration::v1::Error> DiagnoseTls(const ConnectOptions& options,
                                                const std::string& target);

}  // namespace migration_client
