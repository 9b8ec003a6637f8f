#include "client/error_report.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/lock_text.h"
#include "client/text.h"

namespace migctl {
namespace {

using migration::v1::Error;
using migration::v1::StatementFailure;

constexpr int kTabWidth = 4;

// A source line as it is shown, and where the carets go, in columns from 0.
struct Excerpt {
  std::string line;
  int caret_column = 0;
  int caret_width = 1;
};

// One character of a source line as it is shown: tabs become spaces, the rest is escaped.
std::string Shown(absl::string_view character) {
  return character == "\t" ? std::string(kTabWidth, ' ') : Escape(character);
}

std::vector<std::string> ShownCharacters(absl::string_view line) {
  std::vector<std::string> characters;
  while (!line.empty()) {
    const size_t size = FirstCharacter(line).size;
    characters.push_back(Shown(line.substr(0, size)));
    line.remove_prefix(size);
  }
  return characters;
}

int WidthOf(const std::vector<std::string>& characters, size_t first, size_t last) {
  int width = 0;
  for (size_t i = first; i < std::min(last, characters.size()); ++i) {
    width += DisplayWidth(characters[i]);
  }
  return width;
}

// Where to begin so that the fault, which is at `fault`, is seen within `width` columns, with a
// third of them before it.
size_t FirstVisible(const std::vector<std::string>& characters, size_t fault, int width) {
  if (WidthOf(characters, 0, characters.size()) <= width) return 0;
  size_t first = std::min(fault, characters.size());
  while (first > 0 && WidthOf(characters, first - 1, fault) <= width / 3) --first;
  return first;
}

Excerpt MakeExcerpt(const StatementFailure& failure, int width) {
  const std::vector<std::string> characters = ShownCharacters(failure.source_line());
  const size_t fault = std::max(failure.source_column() - 1, 0);
  const size_t first = width > 0 ? FirstVisible(characters, fault, width) : 0;

  Excerpt excerpt;
  excerpt.line = first > 0 ? "…" : "";
  excerpt.caret_column = WidthOf(characters, first, fault) + (first > 0 ? 1 : 0);
  excerpt.caret_width = std::max(WidthOf(characters, fault, fault + failure.length()), 1);
  for (size_t i = first; i < characters.size(); ++i) absl::StrAppend(&excerpt.line, characters[i]);
  if (width > 0) {
    excerpt.line = Truncate(excerpt.line, width);
    excerpt.caret_width = std::clamp(width - excerpt.caret_column, 1, excerpt.caret_width);
  }
  return excerpt;
}

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
  const std::string number = failure.line() > 0 ? absl::StrCat(failure.line()) : "";
  const std::string margin(number.size(), ' ');
  const std::string position = number.empty() ? "" : absl::StrCat(":", number);
  std::string report =
      absl::StrCat(margin, " ", style.Accent("-->"), " ", Escape(failure.file()), position, "\n");
  if (failure.source_line().empty()) return report;

  constexpr int kGutterExtra = 4;  // A space before the number, " | " after it.
  const int gutter = static_cast<int>(number.size()) + kGutterExtra;
  const Excerpt excerpt = MakeExcerpt(failure, width > 0 ? std::max(width - gutter, 20) : 0);
  const std::string bar = style.Accent("|");
  absl::StrAppend(&report, " ", margin, " ", bar, "\n");
  absl::StrAppend(&report, " ", style.Accent(number), " ", bar, " ", excerpt.line, "\n");
  if (failure.source_column() > 0) {
    absl::StrAppend(&report, " ", margin, " ", bar, " ", std::string(excerpt.caret_column, ' '),
                    style.Error(std::string(excerpt.caret_width, '^')), "\n");
  }
  return report;
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

}  // namespace

std::string ErrorReport(const Error& error, const Style& style, int width) {
  std::string report = Headline(error, style);
  if (error.has_statement_failure()) {
    const StatementFailure& failure = error.statement_failure();
    if (!failure.file().empty()) absl::StrAppend(&report, SourceReport(failure, style, width));
    absl::StrAppend(&report, PostgresReport(failure), Labelled("state: ", failure.state()));
  }
  for (const auto& blocker : error.blockers().sessions()) {
    absl::StrAppend(&report, "blocked by ", BlockerText(blocker), "\n");
  }
  absl::StrAppend(&report, Labelled("hint:  ", error.hint()));
  return report;
}

}  // namespace migctl
