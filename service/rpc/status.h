// From absl::Status to gRPC's, in one place.
#pragma once

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"

namespace migd {

// The same code and message, with the payloads of `status` as google.rpc details. A message too
// long for the header that carries it is shortened.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace migd
