// Who calls, and whether they may.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "migration/v1/access.pb.h"
#include "migration/v1/operation.pb.h"
#include "service/access/access_control.h"
#include "service/execute/workspace.h"
#include "service/operation/database_selection.h"
#include "service/rpc/call_kind.h"
#include "service/rpc/catalog.h"
#include "service/rpc/unix_peers.h"

namespace migd {

// What a call and its connection bring to prove who calls.
struct Credentials {
  // The header, if the call has one.
  absl::optional<std::string> authorization;
  // Whose connection it is.
  PrincipalNames connection;
};

// Who made a call, and from where.
struct Caller {
  // Such as "token:deploy", "unix:postgres", "anonymous".
  std::string principal;
  // Such as "ipv4:10.0.0.7:51000", or "unix".
  std::string address;
  // The W3C traceparent of the call; empty if it has none, or one that is not of its form.
  std::string traceparent;
  // All that rules can call them; `principal` is the first.
  PrincipalNames names;
  Credentials credentials;
};

// Thread-safe. What it refuses is refused before anything is looked up: neither Unauthenticated nor
// PermissionDenied tells what exists.
class Admission {
 public:
  // All must outlive it.
  Admission(const Catalog& catalog, const UnixPeers& peers, const AccessControl& access)
      : catalog_(catalog), peers_(peers), access_(access) {}

  using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;
  // Whoever makes a call with this metadata over such a connection. Unauthenticated. `security` may
  // be null.
  absl::StatusOr<Caller> Identify(const Metadata& metadata, const grpc::AuthContext* security,
                                  const std::string& peer) const;
  absl::StatusOr<Caller> Identify(const grpc::ServerContextBase& context) const;

  // Whoever makes a call, if they have its role on `database`; if that is empty, on all there are.
  // Unauthenticated, PermissionDenied.
  absl::StatusOr<Caller> Admit(const grpc::ServerContextBase& context, const CallKind& call,
                               const std::string& database) const;
  // The same for a call that names no database: they have its role on one of them at least. What
  // they must not see is for the call to leave out (Visible), and what it turns out to be about to
  // be checked (Check).
  absl::StatusOr<Caller> AdmitSomewhere(const grpc::ServerContextBase& context,
                                        const CallKind& call) const;

  // PermissionDenied unless a caller has `role` on `database`; if that is empty, on all there are.
  // `why` as in errors::PermissionDenied.
  absl::Status Check(const Caller& caller, migration::v1::Role role, const std::string& database,
                     absl::string_view why = "") const;
  // OK if one who was admitted a while ago may still read each of some databases, by what the
  // configuration says now. Unauthenticated, PermissionDenied.
  absl::Status CheckAgain(const Caller& caller, const DatabaseNames& databases) const;

  // Whether whoever brings a bearer token (empty: nothing) may read every database.
  bool MayReadAll(absl::string_view token) const;

  // What a caller may do on a database.
  migration::v1::Role RoleOn(const Caller& caller, absl::string_view database) const;
  // The databases that they may read.
  DatabaseNames VisibleNames(const Caller& caller) const;
  DatabaseSelection Visible(const Caller& caller) const {
    return DatabaseSelection(VisibleNames(caller));
  }

 private:
  const Catalog& catalog_;
  const UnixPeers& peers_;
  const AccessControl& access_;
};

// "ipv4:10.0.0.7:51000" is so, and a connection over a unix socket is "unix": what gRPC calls it
// ("fd:7") tells nothing.
std::string AddressOf(const std::string& peer);

// A role, and what of a call needs it; `why` is empty if any call of its kind does.
struct NeededRole {
  migration::v1::Role role;
  absl::string_view why;
};

// What a caller must be for an operation that is asked for by `call`: more than the call's usual,
// for what destroys, ends the sessions of others, or overrides what the configuration of
// `workspace` demands. What depends on the plan is for the executor (GuardedCall).
NeededRole RoleForOperation(const CallKind& call, const migration::v1::Operation& wanted,
                            const Workspace& workspace);

// Notes on an operation who has asked for it.
void SetRequester(const Caller& caller, migration::v1::Role role,
                  migration::v1::Operation& operation);

}  // namespace migd
