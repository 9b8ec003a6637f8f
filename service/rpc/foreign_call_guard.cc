#include "service/rpc/foreign_call_guard.h"

#include <grpc/grpc.h>

#include <string>
#include <utility>

#include "grpc/health/v1/health.grpc.pb.h"
#include "migration/v1/migration_service.grpc.pb.h"
#include "service/rpc/call_tracker.h"

namespace migd {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::ServerRpcInfo;

// Whether the handlers of a service ask by themselves who calls, or answer everybody.
bool IsGuardedElsewhere(const std::string& service) {
  return service == migration::v1::MigrationService::service_full_name() ||
         service == grpc::health::v1::Health::service_full_name();
}

// An interceptor cannot answer a call, only end it, before its handler has begun.
class ForeignCallGuard : public grpc::experimental::Interceptor {
 public:
  ForeignCallGuard(grpc::ServerContextBase& context, std::string rpc, const Admission& admission,
                   const OnRefused& on_refused)
      : context_(context), rpc_(std::move(rpc)), admission_(admission), on_refused_(on_refused) {}

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
    on_refused_(rpc_, address, status);
  }

  grpc::ServerContextBase& context_;
  const std::string rpc_;
  const Admission& admission_;
  const OnRefused& on_refused_;
};

class ForeignCallGuardFactory : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  ForeignCallGuardFactory(const Admission& admission, OnRefused on_refused)
      : admission_(admission), on_refused_(std::move(on_refused)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    CallName name = NameOf(*info);
    if (IsGuardedElsewhere(name.service)) return nullptr;
    return new ForeignCallGuard(*info->server_context(), std::move(name.method), admission_,
                                on_refused_);
  }

 private:
  const Admission& admission_;
  const OnRefused on_refused_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewForeignCallGuard(
    const Admission& admission, OnRefused on_refused) {
  return std::make_unique<ForeignCallGuardFactory>(admission, std::move(on_refused));
}

}  // namespace migd
