// plan with --rehearse.
#include <memory>

#include "client/commands.h"
#include "client/rehearsal_report.h"

namespace migctl {

ExitCode Run(const RehearseCommand& command, Session& session) {
  migration::v1::RehearseRequest request;
  request.set_database(session.database);
  request.set_action(command.action);
  request.set_target(command.target);
  request.set_one_way(command.one_way);

  grpc::ClientContext context;
  const absl::Time deadline = session.connection.deadline();
  if (deadline < absl::InfiniteFuture()) context.set_deadline(absl::ToChronoTime(deadline));
  const auto reader = session.connection.migrations().Rehearse(&context, request);
  migration::v1::RehearseResponse response;
  ExitCode verdict = ExitCode::kFailed;
  bool is_empty = false;
  while (reader->Read(&response)) {
    is_empty = is_empty || (response.has_started() && response.started().plan().steps().empty());
    session.output.Result(response, [&](const TextSettings& settings) {
      // That nothing was rehearsed has been said.
      return is_empty && response.has_finished() ? "" : RehearsalText(response, settings);
    });
    if (response.has_finished()) verdict = VerdictOf(response.finished());
  }
  const grpc::Status status = reader->Finish();
  if (status.ok()) return verdict;
  return session.output.Fail(session.connection.Describe(status));
}

}  // namespace migctl
