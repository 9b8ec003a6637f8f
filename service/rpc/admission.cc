#include "service/rpc/admission.h"

namespace migd {

absl::StatusOr<Caller> Admission::Admit(const grpc::ServerContextBase& context, const CallKind&,
                                        const std::string&) const {
  Caller caller;
  caller.principal = "anonymous";
  caller.address = context.peer();
  return caller;
}

migration::v1::Role Admission::RoleOn(const Caller&, absl::string_view) const {
  return migration::v1::ROLE_ADMIN;
}

void SetRequester(const Caller& caller, migration::v1::Role role,
                  migration::v1::Operation& operation) {
  operation.set_requested_by(caller.principal);
  operation.set_requester_role(role);
  operation.set_requester_address(caller.address);
  operation.set_traceparent(caller.traceparent);
}

}  // namespace migd
