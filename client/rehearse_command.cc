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
  migration::v1::Plan plan;
  while (reader->Read(&response)) {
    if (response.has_started()) plan = response.started().plan();
    session.output.Result(response, [&](const TextSettings& settings) {
      // That nothing was rehearsed has been said.
      return plan.steps().empty() && response.has_finished()
                 ? ""
                 : RehearsalText(response, plan, settings);
    });
    if (response.has_finished()) verdict = VerdictOf(response.finished());
  }
  const grpc::Status status = reader->Finish();
  if (status.ok()) return verdict;
  return session.output.Fail(session.connection.Describe(status));
}

}  // namespace migctl
