// check: whether all is well for an upgrade.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/text.h"

namespace migctl {
namespace {

using migration::v1::CheckRequest;
using migration::v1::CheckResponse;
using migration::v1::CheckResult;

std::string OutcomeText(const CheckResult& result, const Style& style) {
  constexpr int kWidth = 8;
  switch (result.outcome()) {
    case CheckResult::OUTCOME_OK:
      return style.Good(PadRight("ok", kWidth));
    case CheckResult::OUTCOME_FAILED:
      return style.Error(PadRight("failed", kWidth));
    default:
      return style.Dim(PadRight("skipped", kWidth));
  }
}

// One line for each question, and what there is to say about its answer beneath.
std::string Text(const CheckResponse& response, const Style& style) {
  int name_width = 0;
  for (const CheckResult& result : response.results()) {
    name_width = std::max(name_width, DisplayWidth(result.name()));
  }
  const std::string indent(10, ' ');
  std::string text;
  for (const CheckResult& result : response.results()) {
    absl::StrAppend(&text, OutcomeText(result, style), "  ",
                    PadRight(Escape(result.name()), name_width), "  ", Escape(result.message()),
                    "\n");
    for (const std::string& detail : result.details()) {
      absl::StrAppend(&text, indent, "  ", Escape(detail), "\n");
    }
    if (!result.hint().empty()) {
      absl::StrAppend(&text, indent, style.Accent("hint:"), " ", Escape(result.hint()), "\n");
    }
  }
  return text;
}

}  // namespace

ExitCode Run(const CheckCommand& command, Session& session) {
  CheckRequest request;
  request.set_database(session.database);
  request.mutable_heads()->Add(command.heads.begin(), command.heads.end());
  request.set_lint(command.lint);
  request.set_allow_pending(command.allow_pending);
  CheckResponse response;
  const auto error = session.connection.Call(&Connection::Migrations::Check, request, response);
  if (error.has_value()) return session.output.Fail(*error);
  session.output.Result(response, [&response](const TextSettings& settings) {
    return Text(response, settings.style);
  });
  return response.passed() ? ExitCode::kDone : ExitCode::kCheckFailed;
}

}  // namespace migctl
