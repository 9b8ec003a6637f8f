// lint: what blocks or breaks a live system in migration files, and how it could be written.
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/json.h"
#include "client/lint_report.h"
#include "client/replace_file.h"
#include "client/text.h"

namespace migctl {
namespace {

using migration::v1::Error;
using migration::v1::Finding;
using migration::v1::LintRequest;
using migration::v1::LintResponse;
using migration::v1::ProposedFile;

// The server names the files; a name that leads out of the directory is none of ours.
bool IsFileName(const std::string& path) {
  return !path.empty() && !absl::StrContains(path, '/') && !absl::StartsWith(path, ".");
}

// The files that the findings are about, as far as they are here.
LintFiles ReadFiles(const LintResponse& response, const std::string& directory) {
  LintFiles files;
  files.directory = directory;
  for (const Finding& finding : response.findings()) {
    const std::string& name = finding.path();
    if (!IsFileName(name) || files.contents.count(name) > 0) continue;
    std::ifstream file(absl::StrCat(directory, "/", name), std::ios::binary);
    std::stringstream contents;
    contents << file.rdbuf();
    if (file) files.contents[name] = contents.str();
  }
  return files;
}

std::string Formatted(const LintResponse& response, const LintCommand& command,
                      const TextSettings& settings) {
  if (command.format == LintFormat::kJson) return absl::StrCat(ToJson(response), "\n");
  if (command.lists_rules) return LintRulesText(response, settings);
  if (command.fix) return ProposalsText(response, settings);
  const LintFiles files = ReadFiles(response, command.directory);
  switch (command.format) {
    case LintFormat::kSarif:
      return LintSarif(response, files);
    case LintFormat::kGitHub:
      return LintGitHub(response, files);
    default:
      return LintText(response, files, settings);
  }
}

// Returns why one could not be written; those before it are.
std::optional<Error> Write(const LintResponse& response, const std::string& directory,
                           Output& output) {
  // New files first: a file that is changed may need what follows it.
  for (const bool is_new : {true, false}) {
    for (const ProposedFile& proposal : response.proposals()) {
      if (proposal.is_new() != is_new) continue;
      if (!IsFileName(proposal.path())) {
        Error unusable;
        unusable.set_code("INTERNAL");
        unusable.set_message(absl::StrCat("migd gave a file a name that is none: \"",
                                          Escape(proposal.path()), "\""));
        return unusable;
      }
      if (auto error = SaveProposal(directory, proposal)) return error;
      output.Note(absl::StrCat(is_new ? "created " : "changed ", Escape(directory), "/",
                               Escape(proposal.path())));
    }
  }
  return std::nullopt;
}

void SayWhatIsMissing(const LintResponse& response, const LintCommand& command, Output& output) {
  const bool chose_pending = command.revisions.empty() && !command.all && !command.lists_rules;
  if (response.has_database_error() && chose_pending) {
    output.Note(absl::StrCat("all revisions, as it is not known which are applied: ",
                             Escape(response.database_error().message())));
  }
  if (command.fix && response.proposals().empty()) output.Note("nothing to propose");
}

// What lint finds now that files were written.
void SayWhatIsLeft(LintRequest request, Session& session) {
  request.set_fix(false);
  LintResponse response;
  if (session.connection.Call(&Connection::Migrations::Lint, request, response).has_value()) return;
  session.output.Note(absl::StrCat("now: ", LintSummary(response)));
}

}  // namespace

ExitCode Run(const LintCommand& command, Session& session) {
  LintRequest request;
  request.set_database(session.database);
  request.mutable_revisions()->Add(command.revisions.begin(), command.revisions.end());
  request.set_all(command.all);
  request.set_fix(command.fix);
  LintResponse response;
  const auto error = session.connection.Call(&Connection::Migrations::Lint, request, response);
  if (error.has_value()) return session.output.Fail(*error);
  session.output.Result(response, [&](const TextSettings& settings) {
    return Formatted(response, command, settings);
  });
  SayWhatIsMissing(response, command, session.output);
  if (command.lists_rules) return ExitCode::kDone;
  if (command.fix) {
    session.output.Note(absl::StrCat(command.write ? "before: " : "", LintSummary(response)));
  }
  if (command.write) {
    if (const auto failure = Write(response, command.directory, session.output)) {
      return session.output.Fail(*failure);
    }
    SayWhatIsLeft(request, session);
  }
  return response.error_count() > 0 ? ExitCode::kCheckFailed : ExitCode::kDone;
}

}  // namespace migctl
