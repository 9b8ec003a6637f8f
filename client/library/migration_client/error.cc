#include "migration_client/error.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace migration_client {
namespace {

using migration::v1::Error;

void ReadDetails(const std::string& serialized, Error& error) {
  google::rpc::Status status;
  if (!status.ParseFromString(serialized)) return;
  for (const google::protobuf::Any& any : status.details()) {
    google::rpc::ErrorInfo info;
    migration::v1::ErrorDetail detail;
    if (any.UnpackTo(&info)) {
      error.set_reason(info.reason());
      *error.mutable_metadata() = info.metadata();
    } else if (any.UnpackTo(&detail)) {
      error.set_hint(detail.hint());
      if (detail.has_blockers()) *error.mutable_blockers() = detail.blockers();
      if (detail.has_statement_failure()) {
        *error.mutable_statement_failure() = detail.statement_failure();
      }
      if (detail.has_losses()) *error.mutable_losses() = detail.losses();
      if (detail.has_schema_differences()) {
        *error.mutable_schema_differences() = detail.schema_differences();
      }
      if (detail.has_findings()) *error.mutable_findings() = detail.findings();
    }
  }
}

// gRPC's own words for it.
bool SaysNobodyListens(absl::string_view message) {
  return absl::StrContains(message, "failed to connect") ||
         absl::StrContains(message, "DNS resolution failed") ||
         absl::StrContains(message, "Connection refused");
}

void DescribeUnavailable(absl::string_view server, Error& error) {
  // A unix socket: its directory or itself.
  if (absl::StrContains(error.message(), "Permission denied")) {
    error.set_message(absl::StrCat("this user may not reach ", server));
    error.set_hint("become a member of the group that the socket belongs to (the package's: migd)");
  } else if (SaysNobodyListens(error.message())) {
    error.set_message(absl::StrCat("no migd answers at ", server));
    error.set_hint("start migd, or name its address with --server or MIGCTL_SERVER");
  } else {
    error.set_message(
        absl::StrCat("the connection to migd at ", server, " broke: ", error.message()));
    error.set_hint("try again; see `migctl operations list` for what goes on in the server");
  }
}

// Gives an error that gRPC made up on its own a message and a hint in our words.
void DescribeTransportError(grpc::StatusCode code, absl::string_view server, Error& error) {
  switch (code) {
    case grpc::StatusCode::UNAVAILABLE:
      DescribeUnavailable(server, error);
      break;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      error.set_message(absl::StrCat("migd at ", server, " did not answer in time"));
      error.set_hint("allow more time with --timeout");
      break;
    case grpc::StatusCode::UNIMPLEMENTED:
      error.set_message(absl::StrCat("the server at ", server, " does not know this call"));
      error.set_hint("check that it is migd, and of the version of this migctl");
      break;
    case grpc::StatusCode::UNAUTHENTICATED:
      error.set_message(absl::StrCat("migd at ", server, " does not know who calls"));
      error.set_hint(
          "say it with --token-file FILE or MIGCTL_TOKEN, or with --tls-cert and --tls-key");
      break;
    case grpc::StatusCode::PERMISSION_DENIED:
      error.set_message(absl::StrCat("migd at ", server, " does not let this caller do that"));
      error.set_hint("see what is allowed: migctl whoami");
      break;
    default:
      if (error.message().empty()) {
        error.set_message(
            absl::StrCat("migd at ", server, " answered ", error.code(), " and no more"));
      }
      break;
  }
}

}  // namespace

Error ErrorFromStatus(const grpc::Status& status, absl::string_view server) {
  Error error;
  error.set_code(CodeName(status.error_code()));
  error.set_message(status.error_message());
  ReadDetails(status.error_details(), error);
  if (!HasServiceDetails(error)) DescribeTransportError(status.error_code(), server, error);
  return error;
}

bool HasServiceDetails(const Error& error) { return !error.reason().empty(); }

bool IsBroken(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL:
      return !HasServiceDetails(ErrorFromStatus(status, ""));
    default:
      return false;
  }
}

bool NeverConnected(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE &&
         SaysNobodyListens(status.error_message()) && IsBroken(status);
}

std::string CodeName(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return "OK";
    case grpc::StatusCode::CANCELLED:
      return "CANCELLED";
    case grpc::StatusCode::UNKNOWN:
      return "UNKNOWN";
    case grpc::StatusCode::INVALID_ARGUMENT:
      return "INVALID_ARGUMENT";
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return "DEADLINE_EXCEEDED";
    case grpc::StatusCode::NOT_FOUND:
      return "NOT_FOUND";
    case grpc::StatusCode::ALREADY_EXISTS:
      return "ALREADY_EXISTS";
    case grpc::StatusCode::PERMISSION_DENIED:
      return "PERMISSION_DENIED";
    case grpc::StatusCode::UNAUTHENTICATED:
      return "UNAUTHENTICATED";
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return "RESOURCE_EXHAUSTED";
    case grpc::StatusCode::FAILED_PRECONDITION:
      return "FAILED_PRECONDITION";
    case grpc::StatusCode::ABORTED:
      return "ABORTED";
    case grpc::StatusCode::OUT_OF_RANGE:
      return "OUT_OF_RANGE";
    case grpc::StatusCode::UNIMPLEMENTED:
      return "UNIMPLEMENTED";
    case grpc::StatusCode::INTERNAL:
      return "INTERNAL";
    case grpc::StatusCode::UNAVAILABLE:
      return "UNAVAILABLE";
    case grpc::StatusCode::DATA_LOSS:
      return "DATA_LOSS";
    case grpc::StatusCode::DO_NOT_USE:
      break;
  }
  return "UNKNOWN";
}

}  // namespace migration_client
