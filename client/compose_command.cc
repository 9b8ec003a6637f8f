// revision, merge and baseline: the server composes the file, and this command saves it.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/new_file.h"
#include "client/text.h"

namespace migctl {
namespace {

using migration::v1::ComposeRevisionRequest;
using migration::v1::ComposeRevisionResponse;
using migration::v1::Error;

ComposeRevisionRequest RequestOf(const ComposeCommand& command, const std::string& database) {
  ComposeRevisionRequest request;
  request.set_database(database);
  request.set_message(command.message);
  request.mutable_heads()->Add(command.heads.begin(), command.heads.end());
  request.set_splice(command.splice);
  request.set_merge(command.merge);
  request.mutable_branch_labels()->Add(command.branch_labels.begin(), command.branch_labels.end());
  request.mutable_depends_on()->Add(command.depends_on.begin(), command.depends_on.end());
  request.set_revision(command.revision);
  return request;
}

// The server says where the file goes; a name that leads out of the directory is none of ours.
bool IsFileName(const std::string& path) {
  return !path.empty() && !absl::StrContains(path, '/') && !absl::StartsWith(path, ".");
}

// The server may read another directory than the one in which the file was saved.
void WarnIfUnseen(const std::string& revision, const std::string& directory, Session& session) {
  migration::v1::ShowRequest request;
  request.set_database(session.database);
  request.set_revision(revision);
  migration::v1::ShowResponse response;
  const auto error = session.connection.Call(&Connection::Migrations::Show, request, response);
  if (!error.has_value() || error->reason() != "UNKNOWN_REVISION") return;
  session.output.Warning(absl::StrCat("migd does not see ", revision,
                                      ": it reads other files than ", Escape(directory)));
}

// Saves the file of a response, and says so: `told` is what there is to say beside its name.
template <typename Response>
ExitCode Save(const Response& response, const std::string& directory, const std::string& told,
              Session& session) {
  const std::string& name = response.revision().path();
  if (!IsFileName(name)) {
    Error unusable;
    unusable.set_code("INTERNAL");
    unusable.set_message(absl::StrCat("migd at ", session.connection.server(),
                                      " gave the file a name that is none: \"", Escape(name),
                                      "\""));
    return session.output.Fail(unusable);
  }
  const auto error = SaveNewFile(directory, name, response.content());
  if (error.has_value()) return session.output.Fail(*error);

  session.output.Result(response, [&](const TextSettings& settings) {
    return absl::StrCat("Created ", Escape(directory), "/", settings.style.Accent(Escape(name)),
                        told, "\n");
  });
  WarnIfUnseen(response.revision().revision(), directory, session);
  return ExitCode::kDone;
}

}  // namespace

ExitCode Run(const ComposeCommand& command, Session& session) {
  const ComposeRevisionRequest request = RequestOf(command, session.database);
  ComposeRevisionResponse response;
  const auto error =
      session.connection.Call(&Connection::Migrations::ComposeRevision, request, response);
  if (error.has_value()) return session.output.Fail(*error);
  return Save(response, command.directory, "", session);
}

ExitCode Run(const BaselineCommand& command, Session& session) {
  migration::v1::ComposeBaselineRequest request;
  request.set_database(session.database);
  request.set_message(command.message);
  request.set_revision(command.revision);
  request.mutable_branch_labels()->Add(command.branch_labels.begin(), command.branch_labels.end());
  migration::v1::ComposeBaselineResponse response;
  const auto error =
      session.connection.Call(&Connection::Migrations::ComposeBaseline, request, response);
  if (error.has_value()) return session.output.Fail(*error);
  const std::string id = Escape(response.revision().revision());
  const ExitCode saved = Save(response, command.directory,
                              absl::StrCat(": ", Count(response.object_count(), "object"),
                                           ", the same when it is run in an empty database"),
                              session);
  if (saved == ExitCode::kDone) {
    session.output.Note(absl::StrCat("next: migctl stamp ", id, " --verify"));
  }
  return saved;
}

}  // namespace migctl
