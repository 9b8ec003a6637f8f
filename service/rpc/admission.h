// Who calls, and whether they may.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "migration/v1/access.pb.h"
#include "migration/v1/operation.pb.h"
#include "service/rpc/call_kind.h"
#include "service/rpc/catalog.h"

namespace migd {

// Who made a call, and from where.
struct Caller {
  // Such as "token:deploy", "unix:postgres", "anonymous".
  std::string principal;
  // Such as "ipv4:10.0.0.7:51000".
  std::string address;
  // The W3C traceparent of the call; empty if it has none, or one that is not of its form.
  std::string traceparent;
};

// Thread-safe.
class Admission {
 public:
  // `catalog` must outlive it.
  explicit Admission(const Catalog& catalog) : catalog_(catalog) {}

  // Whoever makes a call, if they may: on `database`, or on any if that is empty and there are
  // several. Unauthenticated, PermissionDenied; before anything is looked up, so that neither tells
  // what exists.
  absl::StatusOr<Caller> Admit(const grpc::ServerContextBase& context, const CallKind& call,
                               const std::string& database) const;

  // What a caller may do on a database.
  migration::v1::Role RoleOn(const Caller& caller, absl::string_view database) const;

 private:
  const Catalog& catalog_;
};

// Notes on an operation who has asked for it.
void SetRequester(const Caller& caller, migration::v1::Role role,
                  migration::v1::Operation& operation);

}  // namespace migd
