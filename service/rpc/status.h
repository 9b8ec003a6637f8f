// From absl::Status to gRPC's, in one place.
#pragma once

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"

namespace migd {

// The same code and message, with google.rpc.ErrorInfo and migration.v1.ErrorDetail in the details.
// Texts too long for the header that carries them end in "..."; the last event of an operation has
// them in full.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace migd
