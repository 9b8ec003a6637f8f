// wait: a gate for what needs a database at a revision.
#include <string>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/text.h"
#include "migration_client/wait.h"

namespace migctl {
namespace {

using migration::v1::Error;
using migration::v1::WaitResponse;

std::string Place(const WaitResponse& response) {
  return absl::StrCat(Escape(response.database()), " is at ",
                      NameList(response.revisions(), "base"));
}

bool WaitsForHeads(const std::string& revision) { return revision.empty() || revision == "heads"; }

// What is known of a database that somebody with other files has migrated.
std::string Unknown(const WaitResponse& response) {
  return absl::StrCat(Place(response), ", and migd has no file of ",
                      NameList(response.unknown_revisions()), ": whether it has ",
                      NameList(response.target_revisions(), "base"), " is not known");
}

Error NotKnown(const WaitResponse& response) {
  Error error;
  error.set_code("FAILED_PRECONDITION");
  error.set_message(Unknown(response));
  error.set_hint("give migd the files that the database was migrated with");
  return error;
}

std::string Text(const WaitResponse& response) {
  const bool beyond = response.outcome() == WaitResponse::OUTCOME_AHEAD;
  return absl::StrCat(Place(response), beyond ? ", beyond " : "",
                      beyond ? NameList(response.target_revisions(), "base") : "", "\n");
}

}  // namespace

ExitCode Run(const WaitCommand& command, Session& session) {
  migration_client::WaitSettings settings;
  settings.database = session.database;
  settings.revision = command.revision;
  settings.patience = command.patience.value_or(absl::InfiniteDuration());
  settings.note = [&session](const std::string& line) {
    session.output.Note(absl::StrCat(Escape(line), "; trying again"));
  };
  const auto waited = migration_client::Wait(session.connection, settings);
  if (!waited.ok()) return session.output.Fail(waited.error());
  const WaitResponse& response = *waited;
  session.output.Result(response, [&response](const TextSettings&) { return Text(response); });
  if (WaitsForHeads(command.revision) && response.target_revisions().empty()) {
    session.output.Warning(absl::StrCat("migd has no migration files for ",
                                        Escape(response.database()),
                                        ": there was nothing to wait for"));
  }
  if (response.outcome() != WaitResponse::OUTCOME_AHEAD_UNKNOWN) return ExitCode::kDone;
  if (command.require_known) {
    session.output.Fail(NotKnown(response));
    return ExitCode::kCheckFailed;
  }
  session.output.Warning(Unknown(response));
  return ExitCode::kDone;
}

}  // namespace migctl
