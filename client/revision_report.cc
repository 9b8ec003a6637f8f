#include "client/revision_report.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/history_graph.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {
namespace {

using google::protobuf::RepeatedPtrField;
using migration::v1::BranchesResponse;
using migration::v1::CurrentResponse;
using migration::v1::HeadsResponse;
using migration::v1::HistoryResponse;
using migration::v1::Revision;
using migration::v1::ShowResponse;

std::string If(bool condition, absl::string_view text) {
  return condition ? std::string(text) : "";
}

std::string InParentheses(const RepeatedPtrField<std::string>& names) {
  return names.empty() ? "" : absl::StrCat(" (", NameList(names), ")");
}

// What Alembic writes after an id.
std::string TreeMarks(const Revision& revision) {
  return absl::StrCat(If(revision.is_branch_point(), " (branchpoint)"),
                      If(revision.is_merge_point(), " (mergepoint)"));
}

std::string MessageAfter(const Revision& revision, absl::string_view separator) {
  return revision.message().empty() ? "" : absl::StrCat(separator, Escape(revision.message()));
}

int WidestId(const RepeatedPtrField<Revision>& revisions) {
  int widest = 0;
  for (const Revision& revision : revisions) {
    widest = std::max(widest, DisplayWidth(Escape(revision.revision())));
  }
  return widest;
}

// --- history on a terminal ---

// The columns of one revision beside the graph.
struct HistoryLine {
  GraphRow graph;
  std::string id;
  std::string message;
  std::string when;
  std::string marks;
};

bool DatabaseWasAsked(const HistoryResponse& response) { return !response.has_database_error(); }

std::string When(const Revision& revision, bool database_was_asked, absl::Time now) {
  if (!database_was_asked) return "";
  if (revision.has_apply_time()) return RelativeTime(ToTime(revision.apply_time()), now);
  return revision.is_applied() ? "applied" : "pending";
}

std::string HistoryMessage(const Revision& revision) {
  const std::string labels = NameList(revision.branch_labels());
  const std::string needs = NameList(revision.depends_on());
  return absl::StrCat(labels.empty() ? "" : absl::StrCat("[", labels, "] "),
                      Escape(revision.message()),
                      needs.empty() ? "" : absl::StrCat(" (needs ", needs, ")"));
}

std::string HistoryMarks(const Revision& revision) {
  std::vector<std::string> marks;
  if (revision.is_head()) marks.push_back("(head)");
  if (revision.is_current()) marks.push_back("(current)");
  if (revision.is_merge_point()) marks.push_back("(merge point)");
  if (revision.is_branch_point()) marks.push_back("(branch point)");
  return absl::StrJoin(marks, " ");
}

std::vector<GraphRow> GraphOf(const HistoryResponse& response) {
  std::vector<GraphNode> nodes;
  for (const Revision& revision : response.revisions()) {
    const char* glyph = !DatabaseWasAsked(response) ? "○" : revision.is_applied() ? "●" : "◇";
    nodes.push_back({revision.revision(),
                     {revision.down_revisions().begin(), revision.down_revisions().end()},
                     glyph});
  }
  return DrawGraph(nodes);
}

std::vector<HistoryLine> HistoryLines(const HistoryResponse& response, absl::Time now) {
  std::vector<GraphRow> graph = GraphOf(response);
  std::vector<HistoryLine> lines;
  for (int i = 0; i < response.revisions_size(); ++i) {
    const Revision& revision = response.revisions(i);
    lines.push_back({std::move(graph[i]), Escape(revision.revision()), HistoryMessage(revision),
                     When(revision, DatabaseWasAsked(response), now), HistoryMarks(revision)});
  }
  return lines;
}

struct HistoryWidths {
  int graph = 0;
  int id = 0;
  int message = 0;
  int when = 0;
};

HistoryWidths WidthsOf(const std::vector<HistoryLine>& lines, int terminal_width) {
  constexpr int kGaps = 2 + 2 + 2 + 2;
  constexpr int kShortestMessage = 12;
  HistoryWidths widths;
  int marks = 0;
  for (const HistoryLine& line : lines) {
    widths.graph = std::max(widths.graph, DisplayWidth(line.graph.node_line));
    widths.id = std::max(widths.id, DisplayWidth(line.id));
    widths.message = std::max(widths.message, DisplayWidth(line.message));
    widths.when = std::max(widths.when, DisplayWidth(line.when));
    marks = std::max(marks, DisplayWidth(line.marks));
  }
  if (terminal_width > 0) {
    const int room = terminal_width - widths.graph - widths.id - widths.when - marks - kGaps;
    widths.message = std::min(widths.message, std::max(room, kShortestMessage));
  }
  return widths;
}

std::string LayOut(const HistoryLine& line, const HistoryWidths& widths, const Style& style) {
  std::string text =
      absl::StrCat(PadRight(line.graph.node_line, widths.graph), "  ",
                   style.Accent(PadRight(line.id, widths.id)), "  ",
                   PadRight(Truncate(line.message, widths.message), widths.message), "  ",
                   style.Dim(PadRight(line.when, widths.when)), "  ", style.Bold(line.marks));
  absl::StripTrailingAsciiWhitespace(&text);
  absl::StrAppend(&text, "\n");
  for (const std::string& link : line.graph.link_lines) absl::StrAppend(&text, link, "\n");
  return text;
}

std::string HistoryHeader(const HistoryResponse& response) {
  const std::string database =
      response.database().empty() ? "" : absl::StrCat(Escape(response.database()), ": ");
  const std::string revisions =
      DatabaseWasAsked(response)
          ? absl::StrCat(response.applied_count(), " of ", response.total_count(), " applied")
          : Count(response.total_count(), "revision");
  return absl::StrCat(database, revisions, ", ", Count(response.head_count(), "head"), "\n");
}

std::string HistoryOnTerminal(const HistoryResponse& response, const TextSettings& settings) {
  const std::vector<HistoryLine> lines = HistoryLines(response, settings.now);
  const HistoryWidths widths = WidthsOf(lines, settings.width);
  std::string text = HistoryHeader(response);
  if (!lines.empty()) absl::StrAppend(&text, "\n");
  for (const HistoryLine& line : lines) {
    absl::StrAppend(&text, LayOut(line, widths, settings.style));
  }
  return text;
}

// Alembic's line: "down (deps) -> id (labels) (head) (current) (branchpoint) (mergepoint),
// message".
std::string AlembicHistoryLine(const Revision& revision) {
  return absl::StrCat(NameList(revision.down_revisions(), "<base>"),
                      InParentheses(revision.depends_on()), " -> ", Escape(revision.revision()),
                      InParentheses(revision.branch_labels()), If(revision.is_head(), " (head)"),
                      If(revision.is_current(), " (current)"), TreeMarks(revision),
                      MessageAfter(revision, ", "), "\n");
}

std::string ShowOne(const Revision& revision, const TextSettings& settings) {
  const auto field = [](absl::string_view name, const std::string& value) {
    return value.empty() ? "" : absl::StrCat(name, ": ", value, "\n");
  };
  std::string text = absl::StrCat(
      "Rev: ", settings.style.Accent(Escape(revision.revision())),
      If(revision.is_head(), " (head)"), If(revision.is_current(), " (current)"),
      If(revision.is_missing(), " (no file has this revision)"), TreeMarks(revision), "\n",
      field(revision.is_merge_point() ? "Merges" : "Parent",
            NameList(revision.down_revisions(), "<base>")),
      field("Also depends on", NameList(revision.depends_on())));
  if (revision.is_branch_point()) {
    absl::StrAppend(&text, field("Branches into", NameList(revision.next_revisions())));
  }
  absl::StrAppend(&text, field("Branch names", NameList(revision.branch_labels())),
                  field("Path", Escape(revision.path())));
  if (revision.has_create_time()) {
    absl::StrAppend(&text, field("Created", LogTime(ToTime(revision.create_time()))));
  }
  if (revision.has_apply_time()) {
    absl::StrAppend(&text, field("Applied", LogTime(ToTime(revision.apply_time()))));
  }
  absl::StrAppend(&text, "\n");
  for (const std::string& line : EscapedLines(revision.message())) {
    absl::StrAppend(&text, "    ", line, "\n");
  }
  return text;
}

}  // namespace

std::string CurrentText(const CurrentResponse& response, const TextSettings& settings) {
  const int id_width = settings.terminal ? WidestId(response.revisions()) : 0;
  std::string text;
  for (const Revision& revision : response.revisions()) {
    const std::string marks =
        revision.is_missing()
            ? " (no file has this revision)"
            : absl::StrCat(If(revision.is_head(), " (head)"), TreeMarks(revision));
    absl::StrAppend(&text, settings.style.Accent(PadRight(Escape(revision.revision()), id_width)),
                    settings.terminal ? MessageAfter(revision, "  ") : "",
                    settings.terminal && !marks.empty() ? " " : "", marks, "\n");
  }
  return text;
}

std::string HistoryText(const HistoryResponse& response, const TextSettings& settings) {
  if (settings.terminal) return HistoryOnTerminal(response, settings);
  std::string text;
  for (const Revision& revision : response.revisions()) {
    absl::StrAppend(&text, AlembicHistoryLine(revision));
  }
  return text;
}

std::string HeadsText(const HeadsResponse& response, const TextSettings& settings) {
  std::string text;
  for (const Revision& revision : response.revisions()) {
    absl::StrAppend(&text, settings.style.Accent(Escape(revision.revision())),
                    InParentheses(revision.branch_labels()), If(revision.is_head(), " (head)"),
                    settings.terminal ? MessageAfter(revision, "  ") : "", "\n");
  }
  return text;
}

std::string BranchesText(const BranchesResponse& response, const TextSettings& settings) {
  std::string text;
  for (const Revision& revision : response.revisions()) {
    const std::string id = Escape(revision.revision());
    absl::StrAppend(&text, settings.style.Accent(id), InParentheses(revision.branch_labels()),
                    TreeMarks(revision), settings.terminal ? MessageAfter(revision, "  ") : "",
                    "\n");
    for (const std::string& next : revision.next_revisions()) {
      absl::StrAppend(&text, PadRight("", DisplayWidth(id)), " -> ", Escape(next), "\n");
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string ShowText(const ShowResponse& response, const TextSettings& settings) {
  std::vector<std::string> entries;
  for (const Revision& revision : response.revisions()) {
    entries.push_back(ShowOne(revision, settings));
  }
  return absl::StrJoin(entries, "\n");
}

}  // namespace migctl
