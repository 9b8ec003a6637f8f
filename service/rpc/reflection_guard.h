// Keeps gRPC's reflection, whose handler is not the project's, from those who may do nothing.
#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <memory>

#include "service/rpc/admission.h"

namespace migd {

// What ServerBuilder needs to end calls of reflection whose callers `admission`, which must outlive
// the server, does not know. `on_refused` is told of each.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewReflectionGuard(
    const Admission& admission, OnRefused on_refused);

}  // namespace migd
