// upgrade, downgrade and stamp with --sql.
#include <memory>

#include "client/commands.h"
#include "client/run_options.h"

namespace migctl {

ExitCode Run(const ScriptCommand& command, Session& session) {
  migration::v1::RenderScriptRequest request;
  request.set_database(session.database);
  request.set_action(command.action);
  request.mutable_targets()->Add(command.targets.begin(), command.targets.end());
  request.mutable_from()->Add(command.from.begin(), command.from.end());
  *request.mutable_options() = ToRunOptions(command.run);

  grpc::ClientContext context;
  const absl::Time deadline = session.connection.deadline();
  if (deadline < absl::InfiniteFuture()) context.set_deadline(absl::ToChronoTime(deadline));
  const auto reader = session.connection.migrations().RenderScript(&context, request);
  migration::v1::RenderScriptResponse piece;
  while (reader->Read(&piece)) {
    session.output.Result(piece, [&piece](const TextSettings&) { return piece.sql(); });
  }
  const grpc::Status status = reader->Finish();
  if (status.ok()) return ExitCode::kDone;
  return session.output.Fail(session.connection.Describe(status));
}

}  // namespace migctl
