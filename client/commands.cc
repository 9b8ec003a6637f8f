#include "client/commands.h"

#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/version.h"

namespace migctl {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using migration::v1::Error;

Error NotServing(const std::string& server, const std::string& service,
                 HealthCheckResponse::ServingStatus status) {
  Error error;
  error.set_code("UNAVAILABLE");
  error.set_message(absl::StrCat(
      "migd at ", server, " takes no calls: ", HealthCheckResponse::ServingStatus_Name(status)));
  // Only the health of a database depends on the database.
  error.set_hint(absl::StartsWith(service, "database/")
                     ? "it is starting, stopping, or cannot reach the database: see its log"
                     : "it is starting or stopping: see its log");
  return error;
}

}  // namespace

ExitCode Run(const Command& command, Session& session) {
  return std::visit([&session](const auto& concrete) { return Run(concrete, session); }, command);
}

ExitCode Run(const HealthCommand& command, Session& session) {
  HealthCheckRequest request;
  request.set_service(command.service);
  HealthCheckResponse response;
  auto error = session.connection.Call(&Connection::Health::Check, request, response);
  if (error.has_value()) {
    // gRPC's own health service answers this without naming the service.
    if (error->code() == "NOT_FOUND") {
      error->set_message(absl::StrCat("migd at ", session.connection.server(), " has no service \"",
                                      command.service, "\""));
    }
    return session.output.Fail(*error);
  }

  session.output.Result(response, [&response](const TextSettings&) {
    return absl::StrCat(HealthCheckResponse::ServingStatus_Name(response.status()), "\n");
  });
  if (response.status() == HealthCheckResponse::SERVING) return ExitCode::kDone;
  session.output.Fail(NotServing(session.connection.server(), command.service, response.status()));
  return ExitCode::kCheckFailed;
}

ExitCode Run(const VersionCommand&, Session& session) {
  session.output.Result(absl::StrCat("{\"version\":\"", kVersion, "\"}"),
                        absl::StrCat("migctl ", kVersion, "\n"));
  return ExitCode::kDone;
}

}  // namespace migctl
