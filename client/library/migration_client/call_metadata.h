// What is sent along with each call: who calls, and the trace that the call belongs to.
#pragma once

#include <memory>

#include "grpcpp/support/client_interceptor.h"
#include "migration_client/connect_options.h"
#include "migration_client/result.h"

namespace migration_client {

// Adds the token and the traceparent of the options to the metadata of every call of a channel. A
// token file is read for each call; while it cannot be read or holds no token, the last one is
// sent. INVALID_ARGUMENT if a token is not one or may not be sent to the server of the options.
Result<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> MetadataOf(
    const ConnectOptions& options);

}  // namespace migration_client
