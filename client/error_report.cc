#include "client/error_report.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/lock_text.h"
#include "client/plan_details.h"
#include "client/source_excerpt.h"
#include "client/text.h"

namespace migctl {
namespace {

using migration::v1::Error;
using migration::v1::StatementFailure;

// "label: text", further lines of the text beneath its beginning.
std::string Labelled(absl::string_view label, absl::string_view text) {
  std::string lines;
  for (const std::string& line : EscapedLines(text)) {
    const std::string start = lines.empty() ? std::string(label) : std::string(label.size(), ' ');
    absl::StrAppend(&lines, start, line, "\n");
  }
  return lines;
}

std::string SourceReport(const StatementFailure& failure, const Style& style, int width) {
  SourcePlace place;
  place.file = failure.file();
  place.line = failure.line();
  place.text = failure.source_line();
  place.column = failure.source_column();
  place.length = failure.length();
  return SourceExcerpt(place, style, width);
}

std::string PostgresReport(const StatementFailure& failure) {
  std::string report;
  if (!failure.postgres_message().empty()) {
    absl::StrAppend(&report, Labelled(absl::StrCat("postgres ", Escape(failure.sqlstate()), ": "),
                                      failure.postgres_message()));
  }
  absl::StrAppend(&report, Labelled("detail: ", failure.postgres_detail()),
                  Labelled("postgres hint: ", failure.postgres_hint()),
                  Labelled("context: ", failure.postgres_context()));
  return report;
}

// The message names the place and repeats what PostgreSQL said; where that is shown beneath, the
// headline says only what failed.
std::string MessageForHeadline(const Error& error) {
  const StatementFailure& failure = error.statement_failure();
  if (failure.postgres_message().empty() || failure.revision().empty() ||
      !absl::StrContains(error.message(), failure.postgres_message())) {
    return error.message();
  }
  return absl::StrCat("revision ", failure.revision(), " failed at statement ",
                      failure.statement_index(), " of ", failure.statement_count());
}

std::string Headline(const Error& error, const Style& style) {
  std::vector<std::string> lines = EscapedLines(MessageForHeadline(error));
  if (lines.empty()) lines.push_back(error.code());
  std::string headline = absl::StrCat(style.Error("error:"), " ", style.Bold(lines.front()));
  if (!error.reason().empty()) absl::StrAppend(&headline, " [", Escape(error.reason()), "]");
  absl::StrAppend(&headline, "\n");
  for (size_t i = 1; i < lines.size(); ++i) absl::StrAppend(&headline, "  ", lines[i], "\n");
  return headline;
}

// What would be lost, with its size, and the confirmation that lets it be.
std::string LossesReport(const Error& error, const Style& style, int width) {
  const auto& losses = error.losses();
  TextSettings settings;
  settings.style = style;
  settings.width = width;
  std::string report = LossesText(losses.losses(), losses.omitted_count(), settings);
  if (losses.unknown_statements_size() > 0) {
    absl::StrAppend(
        &report, "what these do shows only when they run:\n",
        UnknownText(losses.unknown_statements(), losses.omitted_unknown_count(), settings));
  }
  const auto confirmation = error.metadata().find("confirmation");
  if (confirmation != error.metadata().end()) {
    absl::StrAppend(&report, "to confirm exactly this: --confirmation ",
                    Escape(confirmation->second), "\n");
  }
  return report;
}

}  // namespace

std::string ErrorReport(const Error& error, const Style& style, int width) {
  std::string report = Headline(error, style);
  if (error.has_statement_failure()) {
    const StatementFailure& failure = error.statement_failure();
    if (!failure.file().empty()) absl::StrAppend(&report, SourceReport(failure, style, width));
    absl::StrAppend(&report, PostgresReport(failure), Labelled("state: ", failure.state()));
  }
  if (error.has_losses()) absl::StrAppend(&report, LossesReport(error, style, width));
  for (const auto& blocker : error.blockers().sessions()) {
    absl::StrAppend(&report, "blocked by ", BlockerText(blocker), "\n");
  }
  absl::StrAppend(&report, Labelled("hint:  ", error.hint()));
  return report;
}

}  // namespace migctl
