#include "service/rpc/reflection_guard.h"

#include <grpc/grpc.h>

#include <string>
#include <utility>

#include "absl/strings/match.h"

namespace migd {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::ServerRpcInfo;

// An interceptor cannot answer a call, only end it, before its handler has begun.
class ReflectionGuard : public grpc::experimental::Interceptor {
 public:
  ReflectionGuard(grpc::ServerContextBase& context, const Admission& admission,
                  const OnRefused& on_refused)
      : context_(context), admission_(admission), on_refused_(on_refused) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      const absl::Status status = admission_.Identify(context_).status();
      if (!status.ok()) Refuse(status);
    }
    methods->Proceed();
  }

 private:
  void Refuse(const absl::Status& status) {
    // A call that has ended has none.
    const std::string address = AddressOf(context_.peer());
    grpc_call_cancel_with_status(context_.c_call(), static_cast<grpc_status_code>(status.code()),
                                 std::string(status.message()).c_str(), nullptr);
    on_refused_("ServerReflectionInfo", address, status);
  }

  grpc::ServerContextBase& context_;
  const Admission& admission_;
  const OnRefused& on_refused_;
};

class ReflectionGuardFactory : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  ReflectionGuardFactory(const Admission& admission, OnRefused on_refused)
      : admission_(admission), on_refused_(std::move(on_refused)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    if (!absl::StartsWith(info->method(), kReflectionPath)) return nullptr;
    return new ReflectionGuard(*info->server_context(), admission_, on_refused_);
  }

 private:
  const Admission& admission_;
  const OnRefused on_refused_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewReflectionGuard(
    const Admission& admission, OnRefused on_refused) {
  return std::make_unique<ReflectionGuardFactory>(admission, std::move(on_refused));
}

}  // namespace migd
