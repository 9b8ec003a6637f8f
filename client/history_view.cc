#include "client/history_view.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/history_graph.h"
#include "client/revision_text.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {
namespace {

using migration::v1::HistoryResponse;
using migration::v1::Revision;

// The columns of one revision beside the graph.
struct HistoryLine {
  GraphRow graph;
  std::string id;
  std::string description;
  // Belongs to the description, but is not shortened with it.
  std::string needs;
  std::string when;
  std::string marks;
};

bool DatabaseWasAsked(const HistoryResponse& response) { return !response.has_database_error(); }

std::string When(const Revision& revision, bool database_was_asked, absl::Time now) {
  if (!database_was_asked) return "";
  if (revision.has_apply_time()) return RelativeTime(ToTime(revision.apply_time()), now);
  return revision.is_applied() ? "applied" : "pending";
}

std::string Needs(const Revision& revision) {
  const std::string names = NameList(revision.depends_on());
  return names.empty() ? "" : absl::StrCat(" (needs ", names, ")");
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

std::vector<HistoryLine> HistoryLines(const HistoryResponse& response,
                                      const TextSettings& settings) {
  std::vector<GraphRow> graph = GraphOf(response);
  std::vector<HistoryLine> lines;
  for (int i = 0; i < response.revisions_size(); ++i) {
    const Revision& revision = response.revisions(i);
    lines.push_back({std::move(graph[i]), Escape(revision.revision()),
                     Description(revision, settings.style), Needs(revision),
                     When(revision, DatabaseWasAsked(response), settings.now), Marks(revision)});
  }
  return lines;
}

struct HistoryWidths {
  int graph = 0;
  int id = 0;
  int description = 0;
  int when = 0;
};

HistoryWidths WidthsOf(const std::vector<HistoryLine>& lines, int terminal_width) {
  constexpr int kGaps = 2 + 2 + 2 + 2;
  constexpr int kShortestDescription = 12;
  HistoryWidths widths;
  int marks = 0;
  for (const HistoryLine& line : lines) {
    widths.graph = std::max(widths.graph, DisplayWidth(line.graph.node_line));
    widths.id = std::max(widths.id, DisplayWidth(line.id));
    widths.description =
        std::max(widths.description, DisplayWidth(line.description) + DisplayWidth(line.needs));
    widths.when = std::max(widths.when, DisplayWidth(line.when));
    marks = std::max(marks, DisplayWidth(line.marks));
  }
  if (terminal_width > 0) {
    const int room = terminal_width - widths.graph - widths.id - widths.when - marks - kGaps;
    widths.description = std::min(widths.description, std::max(room, kShortestDescription));
  }
  return widths;
}

// The description with what the revision needs, within `width` columns.
std::string Described(const HistoryLine& line, int width) {
  const int room = std::max(width - DisplayWidth(line.needs), 1);
  return Truncate(absl::StrCat(Truncate(line.description, room), line.needs), width);
}

std::string LayOut(const HistoryLine& line, const HistoryWidths& widths, const Style& style) {
  std::string text =
      absl::StrCat(PadRight(line.graph.node_line, widths.graph), "  ",
                   style.Accent(PadRight(line.id, widths.id)), "  ",
                   PadRight(Described(line, widths.description), widths.description), "  ",
                   style.Dim(PadRight(line.when, widths.when)), "  ", style.Bold(line.marks));
  absl::StripTrailingAsciiWhitespace(&text);
  absl::StrAppend(&text, "\n");
  for (const std::string& link : line.graph.link_lines) absl::StrAppend(&text, link, "\n");
  return text;
}

}  // namespace

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
  const std::vector<HistoryLine> lines = HistoryLines(response, settings);
  const HistoryWidths widths = WidthsOf(lines, settings.width);
  std::string text = HistoryHeader(response);
  if (!lines.empty()) absl::StrAppend(&text, "\n");
  for (const HistoryLine& line : lines) {
    absl::StrAppend(&text, LayOut(line, widths, settings.style));
  }
  return text;
}

}  // namespace migctl
