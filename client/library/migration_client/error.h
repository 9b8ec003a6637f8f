// From the status of a call to the error that is reported. Pure; safe from any thread.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "grpcpp/support/status.h"
#include "migration/v1/error.pb.h"

namespace migration_client {

// What a call that answered with `status`, which is not OK, failed with. The details of the status
// give reason, hint, metadata and the statement that failed. A status without details, which gRPC
// itself makes when no server answers, is put into words with `server`, the address.
migration::v1::Error ErrorFromStatus(const grpc::Status& status, absl::string_view server);

// The call was answered by the service, not made up by gRPC on the way.
bool HasServiceDetails(const migration::v1::Error& error);

// Whether `status` is one with which gRPC itself ends a call whose connection or server went away;
// it says nothing of what the call was about.
bool IsBroken(const grpc::Status& status);

// Whether `status` says that nobody listens at the address.
bool NeverConnected(const grpc::Status& status);

// The name of a gRPC status code, such as "NOT_FOUND".
std::string CodeName(grpc::StatusCode code);

}  // namespace migration_client
