// Who calls, and what has been kept of the calls.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/audit_report.h"
#include "client/commands.h"
#include "client/text.h"

namespace migctl {
namespace {

using migration::v1::Error;

Error NotIntact(const migration::v1::VerifyAuditResponse& response) {
  Error error;
  error.set_code("DATA_LOSS");
  error.set_message(absl::StrCat("the audit is not as it was written: ",
                                 Count(response.problems_size(), "problem")));
  error.set_hint("compare it with a backup; somebody who may write the table has changed it");
  return error;
}

// That a list was cut off. Numbers have no gaps, so of all callers together it is known how many
// there are.
std::string OlderEntries(const migration::v1::ListAuditEntriesResponse& list,
                         const ListAuditCommand& command) {
  const std::string count =
      command.principal.empty() ? absl::StrCat(list.entries().rbegin()->number() - 1, " ") : "";
  return absl::StrCat("there are ", count, "older entries; a higher --limit shows them");
}

}  // namespace

ExitCode Run(const WhoAmICommand&, Session& session) {
  migration::v1::WhoAmIResponse response;
  const auto error = session.connection.Call(&Connection::Migrations::WhoAmI,
                                             migration::v1::WhoAmIRequest(), response);
  if (error.has_value()) return session.output.Fail(*error);
  session.output.Result(response,
                        [&response](const TextSettings&) { return CallerText(response); });
  if (response.databases().empty()) session.output.Note("you have no role on any database");
  return ExitCode::kDone;
}

ExitCode Run(const ListAuditCommand& command, Session& session) {
  constexpr int kPageSize = 500;
  migration::v1::ListAuditEntriesRequest request;
  request.set_database(session.database);
  request.set_principal(command.principal);
  migration::v1::ListAuditEntriesResponse list;
  do {
    request.set_page_size(std::min(kPageSize, command.limit - list.entries_size()));
    request.set_page_token(list.next_page_token());
    migration::v1::ListAuditEntriesResponse page;
    const auto error =
        session.connection.Call(&Connection::Migrations::ListAuditEntries, request, page);
    if (error.has_value()) return session.output.Fail(*error);
    list.clear_next_page_token();
    list.MergeFrom(page);
  } while (!list.next_page_token().empty() && list.entries_size() < command.limit);

  session.output.Result(
      list, [&list](const TextSettings& settings) { return AuditText(list, settings); });
  if (list.entries().empty()) session.output.Note("no entries");
  if (!list.next_page_token().empty()) session.output.Note(OlderEntries(list, command));
  return ExitCode::kDone;
}

ExitCode Run(const VerifyAuditCommand& command, Session& session) {
  migration::v1::VerifyAuditRequest request;
  request.set_database(session.database);
  request.set_known_number(command.known_number);
  request.set_known_hash(command.known_hash);
  migration::v1::VerifyAuditResponse response;
  const auto error =
      session.connection.Call(&Connection::Migrations::VerifyAudit, request, response);
  if (error.has_value()) return session.output.Fail(*error);
  session.output.Result(response,
                        [&response](const TextSettings&) { return VerificationText(response); });
  if (response.intact()) return ExitCode::kDone;
  session.output.Fail(NotIntact(response));
  return ExitCode::kCheckFailed;
}

}  // namespace migctl
