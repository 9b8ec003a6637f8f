// verify: whether the schema is what the files make.
#include "client/commands.h"
#include "client/schema_report.h"

namespace migctl {

ExitCode Run(const VerifyCommand& command, Session& session) {
  migration::v1::VerifyRequest request;
  request.set_database(session.database);
  request.mutable_schemas()->Add(command.schemas.begin(), command.schemas.end());
  request.mutable_ignore()->Add(command.ignore.begin(), command.ignore.end());
  migration::v1::VerifyResponse response;
  const auto error = session.connection.Call(&Connection::Migrations::Verify, request, response);
  if (error.has_value()) return session.output.Fail(*error);
  session.output.Result(response, [&response](const TextSettings& settings) {
    return VerifyText(response, settings);
  });
  return response.differences().empty() ? ExitCode::kDone : ExitCode::kCheckFailed;
}

}  // namespace migctl
