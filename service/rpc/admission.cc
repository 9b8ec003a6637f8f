#include "service/rpc/admission.h"

#include <grpc/grpc_security_constants.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/access/roles.h"
#include "service/base/errors.h"

namespace migd {
namespace {

using migration::v1::Role;

constexpr char kAuthorization[] = "authorization";

std::string ToString(grpc::string_ref text) { return std::string(text.data(), text.size()); }

// The names of a certificate that the handshake has verified. One with alternative names has no
// other (RFC 6125, 6.4.4); those that identify services come before those of hosts.
PrincipalNames NamesOfCertificate(const grpc::AuthContext& security) {
  PrincipalNames names;
  if (!security.IsPeerAuthenticated()) return names;
  const auto add = [&](const char* property) {
    for (const grpc::string_ref& value : security.FindPropertyValues(property)) {
      names.push_back(absl::StrCat("certificate:", ToString(value)));
    }
  };
  add(GRPC_PEER_URI_PROPERTY_NAME);
  add(GRPC_PEER_DNS_PROPERTY_NAME);
  if (names.empty()) add(GRPC_X509_CN_PROPERTY_NAME);
  return names;
}

absl::optional<std::string> AuthorizationOf(const Admission::Metadata& metadata) {
  const auto [first, last] = metadata.equal_range(kAuthorization);
  if (first == last) return absl::nullopt;
  // Two of them are no one's.
  return std::next(first) == last ? ToString(first->second) : "";
}

Caller CallerOf(PrincipalNames names, Credentials credentials, std::string address) {
  Caller caller;
  caller.principal = names.front();
  caller.address = std::move(address);
  caller.names = std::move(names);
  caller.credentials = std::move(credentials);
  return caller;
}

// A gate lets more pass the higher its number is: error, warn, off.
bool IsWeaker(migration::v1::LintGate asked, migration::v1::LintGate configured) {
  return asked != migration::v1::LINT_GATE_UNSPECIFIED && asked > configured;
}

}  // namespace

absl::StatusOr<Caller> Admission::Identify(const Metadata& metadata,
                                           const grpc::AuthContext* security,
                                           const std::string& peer) const {
  Credentials credentials;
  credentials.authorization = AuthorizationOf(metadata);
  if (security != nullptr) credentials.connection = NamesOfCertificate(*security);
  if (credentials.connection.empty()) credentials.connection = peers_.NamesOf(peer);
  auto names = access_.Identify(credentials.authorization, credentials.connection);
  if (!names.ok()) return names.status();
  return CallerOf(*std::move(names), std::move(credentials), AddressOf(peer));
}

absl::StatusOr<Caller> Admission::Identify(const grpc::ServerContextBase& context) const {
  const auto security = context.auth_context();
  return Identify(context.client_metadata(), security.get(), context.peer());
}

absl::StatusOr<Caller> Admission::Admit(const grpc::ServerContextBase& context,
                                        const CallKind& call, const std::string& database) const {
  auto caller = Identify(context);
  if (!caller.ok()) return caller;
  const absl::Status status = Check(*caller, call.role, database);
  if (!status.ok()) return status;
  return caller;
}

absl::StatusOr<Caller> Admission::AdmitSomewhere(const grpc::ServerContextBase& context,
                                                 const CallKind& call) const {
  auto caller = Identify(context);
  if (!caller.ok()) return caller;
  if (absl::c_any_of(catalog_.workspaces(), [&](const Workspace* workspace) {
        return RoleOn(*caller, workspace->name) >= call.role;
      })) {
    return caller;
  }
  return errors::PermissionDenied(caller->principal, RoleName(call.role), "any database");
}

absl::Status Admission::Check(const Caller& caller, Role role, const std::string& database,
                              absl::string_view why) const {
  const bool may = database.empty()
                       ? absl::c_all_of(catalog_.workspaces(),
                                        [&](const Workspace* workspace) {
                                          return RoleOn(caller, workspace->name) >= role;
                                        })
                       : RoleOn(caller, database) >= role;
  if (may) return absl::OkStatus();
  return errors::PermissionDenied(caller.principal, RoleName(role), database, why);
}

absl::Status Admission::CheckAgain(const Caller& caller, const DatabaseNames& databases) const {
  const auto names =
      access_.Identify(caller.credentials.authorization, caller.credentials.connection);
  if (!names.ok()) return names.status();
  const Caller now = CallerOf(*names, caller.credentials, caller.address);
  for (const std::string& database : databases) {
    const absl::Status status = Check(now, migration::v1::ROLE_VIEWER, database);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

bool Admission::MayReadAll(absl::string_view token) const {
  Credentials credentials;
  credentials.connection = {std::string(kAnonymous)};
  if (!token.empty()) credentials.authorization = absl::StrCat("Bearer ", token);
  const auto names = access_.Identify(credentials.authorization, credentials.connection);
  if (!names.ok()) return false;
  const Caller caller = CallerOf(*names, std::move(credentials), "");
  return Check(caller, migration::v1::ROLE_VIEWER, "").ok();
}

Role Admission::RoleOn(const Caller& caller, absl::string_view database) const {
  return access_.RoleOn(caller.names, database);
}

DatabaseNames Admission::VisibleNames(const Caller& caller) const {
  DatabaseNames names;
  for (const Workspace* workspace : catalog_.workspaces()) {
    if (RoleOn(caller, workspace->name) >= migration::v1::ROLE_VIEWER)
      names.insert(workspace->name);
  }
  return names;
}

std::string AddressOf(const std::string& peer) {
  return absl::StartsWith(peer, "fd:") || absl::StartsWith(peer, "unix:") ? "unix" : peer;
}

NeededRole RoleForOperation(const CallKind& call, const migration::v1::Operation& wanted,
                            const Workspace& workspace) {
  const migration::v1::RunOptions& options = wanted.options();
  if (IsWeaker(options.lint(), workspace.policy()->lint_gate)) {
    return {migration::v1::ROLE_ADMIN, "--lint lets more pass than the database's configuration"};
  }
  if (!options.accept_checksums().empty()) {
    return {migration::v1::ROLE_ADMIN, "--accept-checksum overrides a check"};
  }
  if (call.role >= migration::v1::ROLE_DESTRUCTIVE) return {call.role, ""};
  if (wanted.purge()) {
    return {migration::v1::ROLE_DESTRUCTIVE, "--purge empties the version table"};
  }
  if (options.terminate_blockers()) {
    return {migration::v1::ROLE_DESTRUCTIVE, "--terminate-blockers ends the sessions of others"};
  }
  return {call.role, ""};
}

void SetRequester(const Caller& caller, Role role, migration::v1::Operation& operation) {
  operation.set_requested_by(caller.principal);
  operation.set_requester_role(role);
  operation.set_requester_address(caller.address);
  operation.set_traceparent(caller.traceparent);
}

}  // namespace migd
