// The commands about revisions and plans.
#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/history_diagram.h"
#include "client/plan_report.h"
#include "client/revision_report.h"
#include "client/text.h"

namespace migctl {
namespace {

using migration::v1::CurrentRequest;
using migration::v1::CurrentResponse;
using migration::v1::Error;
using migration::v1::HeadsRequest;
using migration::v1::HeadsResponse;
using migration::v1::HistoryRequest;
using migration::v1::HistoryResponse;
using migration::v1::Revision;

// How a database is named in a sentence.
std::string DatabaseName(const std::string& name) {
  return name.empty() ? "the database" : Escape(name);
}

Error NotAtHeads(const std::string& database, const std::vector<std::string>& missing) {
  Error error;
  error.set_code("FAILED_PRECONDITION");
  error.set_message(missing.empty()
                        ? absl::StrCat(database, " is not at the heads")
                        : absl::StrCat(database, " is not at the heads: ", NameList(missing),
                                       missing.size() == 1 ? " is missing" : " are missing"));
  error.set_hint("migctl upgrade heads");
  (*error.mutable_metadata())["missing_heads"] = NameList(missing);
  return error;
}

// Prints why the database is not at its heads, which is known already; only which of them are
// missing is not.
ExitCode ReportMissingHeads(const CurrentResponse& current, Session& session) {
  HeadsRequest request;
  request.set_database(session.database);
  HeadsResponse heads;
  const auto error = session.connection.Call(&Connection::Migrations::Heads, request, heads);
  if (error.has_value()) return session.output.Fail(*error);

  std::vector<std::string> missing;
  for (const Revision& head : heads.revisions()) {
    const bool is_current =
        std::any_of(current.revisions().begin(), current.revisions().end(),
                    [&head](const Revision& row) { return row.revision() == head.revision(); });
    if (!is_current && !head.is_applied()) missing.push_back(head.revision());
  }
  session.output.Fail(NotAtHeads(DatabaseName(current.database()), missing));
  return ExitCode::kCheckFailed;
}

// Adds the next page to `history`, `limit` revisions at most. Returns why it could not.
std::optional<Error> AddPage(HistoryRequest& request, int limit, Session& session,
                             HistoryResponse& history) {
  // As many as a server gives at once.
  constexpr int kPageSize = 10000;
  const int room = limit == 0 ? kPageSize : limit - history.revisions_size();
  request.set_page_size(std::min(kPageSize, room));
  request.set_page_token(history.next_page_token());
  HistoryResponse page;
  const auto error = session.connection.Call(&Connection::Migrations::History, request, page);
  if (error.has_value()) return error;
  history.clear_next_page_token();
  history.MergeFrom(page);
  return std::nullopt;
}

std::string Formatted(const HistoryResponse& history, const HistoryCommand& command,
                      const TextSettings& settings) {
  const DiagramMarks marks =
      command.indicate_current ? DiagramMarks::kApplied : DiagramMarks::kNone;
  switch (command.format) {
    case HistoryFormat::kDot:
      return HistoryDot(history, marks);
    case HistoryFormat::kMermaid:
      return HistoryMermaid(history, marks);
    case HistoryFormat::kText:
      break;
  }
  return HistoryText(history, {command.verbose, command.indicate_current}, settings);
}

void SayWhatHistoryLacks(const HistoryResponse& history, const HistoryCommand& command,
                         Output& output) {
  if (history.has_database_error() && command.format == HistoryFormat::kText) {
    output.Warning(absl::StrCat("which revisions are applied is not known: ",
                                Escape(history.database_error().message())));
  }
  if (!history.next_page_token().empty()) {
    output.Note("there are more revisions; a higher --limit shows them");
  }
}

// The command that runs what was planned; nothing for a plan from other rows.
std::string CommandLineOf(const PlanCommand& command, const Session& session) {
  if (!command.from.empty()) return "";
  std::string line = "migctl";
  if (!session.database.empty()) absl::StrAppend(&line, " --database ", session.database);
  absl::StrAppend(&line, command.action == migration::v1::ACTION_UPGRADE     ? " upgrade"
                         : command.action == migration::v1::ACTION_DOWNGRADE ? " downgrade"
                                                                             : " stamp");
  if (command.purge) absl::StrAppend(&line, " --purge");
  for (const std::string& target : command.targets) absl::StrAppend(&line, " ", Escape(target));
  return line;
}

}  // namespace

ExitCode Run(const CurrentCommand& command, Session& session) {
  CurrentRequest request;
  request.set_database(session.database);
  CurrentResponse response;
  const auto error = session.connection.Call(&Connection::Migrations::Current, request, response);
  if (error.has_value()) return session.output.Fail(*error);

  session.output.Result(response, [&](const TextSettings& settings) {
    return CurrentText(response, {command.verbose}, settings);
  });
  if (response.revisions().empty()) {
    const std::string& name = response.database().empty() ? session.database : response.database();
    session.output.Note(absl::StrCat("no revision is applied to ", DatabaseName(name)));
  }
  if (!command.check_heads || response.is_at_heads()) return ExitCode::kDone;
  return ReportMissingHeads(response, session);
}

ExitCode Run(const HistoryCommand& command, Session& session) {
  HistoryRequest request;
  request.set_database(session.database);
  request.set_range(command.range);
  request.mutable_from()->Add(command.from.begin(), command.from.end());

  HistoryResponse history;
  const auto is_complete = [&] {
    return history.next_page_token().empty() ||
           (command.limit > 0 && history.revisions_size() >= command.limit);
  };
  do {
    const auto error = AddPage(request, command.limit, session, history);
    if (error.has_value()) return session.output.Fail(*error);
  } while (!is_complete());

  if (command.indicate_current && history.has_database_error()) {
    return session.output.Fail(history.database_error());
  }
  session.output.Result(
      history, [&](const TextSettings& settings) { return Formatted(history, command, settings); });
  SayWhatHistoryLacks(history, command, session.output);
  return ExitCode::kDone;
}

ExitCode Run(const HeadsCommand& command, Session& session) {
  HeadsRequest request;
  request.set_database(session.database);
  request.set_resolve_dependencies(command.resolve_dependencies);
  HeadsResponse response;
  const auto error = session.connection.Call(&Connection::Migrations::Heads, request, response);
  if (error.has_value()) return session.output.Fail(*error);
  session.output.Result(response, [&](const TextSettings& settings) {
    return HeadsText(response, {command.verbose}, settings);
  });
  return ExitCode::kDone;
}

ExitCode Run(const BranchesCommand& command, Session& session) {
  migration::v1::BranchesRequest request;
  request.set_database(session.database);
  migration::v1::BranchesResponse response;
  const auto error = session.connection.Call(&Connection::Migrations::Branches, request, response);
  if (error.has_value()) return session.output.Fail(*error);
  session.output.Result(response, [&](const TextSettings& settings) {
    return BranchesText(response, {command.verbose}, settings);
  });
  return ExitCode::kDone;
}

ExitCode Run(const ShowCommand& command, Session& session) {
  migration::v1::ShowRequest request;
  request.set_database(session.database);
  request.set_revision(command.revision);
  migration::v1::ShowResponse response;
  const auto error = session.connection.Call(&Connection::Migrations::Show, request, response);
  if (error.has_value()) return session.output.Fail(*error);
  session.output.Result(
      response, [&response](const TextSettings& settings) { return ShowText(response, settings); });
  return ExitCode::kDone;
}

ExitCode Run(const PlanCommand& command, Session& session) {
  migration::v1::PlanRequest request;
  request.set_database(session.database);
  request.set_action(command.action);
  request.mutable_targets()->Add(command.targets.begin(), command.targets.end());
  request.mutable_from()->Add(command.from.begin(), command.from.end());
  request.set_purge(command.purge);
  migration::v1::PlanResponse response;
  const auto error = session.connection.Call(&Connection::Migrations::Plan, request, response);
  if (error.has_value()) return session.output.Fail(*error);
  session.output.Result(response, [&](const TextSettings& settings) {
    return PlanText(response, settings, CommandLineOf(command, session));
  });
  return ExitCode::kDone;
}

}  // namespace migctl
