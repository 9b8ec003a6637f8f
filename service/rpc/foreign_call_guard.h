// Keeps what is not the project's own from those who may do nothing.
#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "service/rpc/admission.h"

namespace migd {

// Is told what was called ("ServerReflectionInfo"; "unknown" if this server has no such method),
// from where, and why it is refused. Thread-safe; must not wait.
using OnRefused =
    std::function<void(absl::string_view rpc, const std::string& address, const absl::Status& why)>;

// What ServerBuilder needs to end calls whose callers `admission`, which must outlive the server,
// does not know, and whose handlers do not ask by themselves: gRPC's reflection, whatever else this
// process were to serve, and methods that it does not have. The service's own handlers ask, and say
// more; the health service answers all, since who asks whether the server lives has nothing to
// prove. `on_refused` is told of each.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewForeignCallGuard(
    const Admission& admission, OnRefused on_refused);

}  // namespace migd
