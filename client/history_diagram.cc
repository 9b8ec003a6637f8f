#include "client/history_diagram.h"

#include <algorithm>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "client/revision_text.h"
#include "client/text.h"

namespace migctl {
namespace {

using migration::v1::HistoryResponse;
using migration::v1::Revision;

// --- What is drawn, whatever the language ---

enum class NodeKind { kPlain, kPending, kApplied, kOutside };

struct DiagramNode {
  std::string id;
  NodeKind kind = NodeKind::kPlain;
  bool current = false;
  // What stands in the node, escaped for people.
  std::vector<std::string> lines;
};

struct DiagramEdge {
  std::string lower;
  std::string upper;
  bool dependency = false;
};

struct Diagram {
  std::vector<DiagramNode> nodes;
  std::vector<DiagramEdge> edges;
};

NodeKind KindOf(const Revision& revision, DiagramMarks marks) {
  if (marks == DiagramMarks::kNone) return NodeKind::kPlain;
  return revision.is_applied() ? NodeKind::kApplied : NodeKind::kPending;
}

// "applied (current) (head)". That a node joins or branches is seen.
std::string StateLine(const Revision& revision, NodeKind kind) {
  std::vector<std::string> words;
  if (kind == NodeKind::kApplied) words.push_back("applied");
  if (kind == NodeKind::kPending) words.push_back("pending");
  if (kind == NodeKind::kApplied && revision.is_current()) words.push_back("(current)");
  if (revision.is_head()) words.push_back(HeadMark(revision));
  return absl::StrJoin(words, " ");
}

// "[core] create users". What a revision inherits is seen by the arrows.
std::string LabelledMessage(const Revision& revision) {
  const std::string labels = NameList(OwnLabels(revision));
  return absl::StrCat(labels.empty() ? "" : absl::StrCat("[", labels, "] "),
                      Escape(revision.message()));
}

DiagramNode NodeOf(const Revision& revision, DiagramMarks marks) {
  const NodeKind kind = KindOf(revision, marks);
  DiagramNode node{revision.revision(), kind, revision.is_current(), {}};
  for (const std::string& line :
       {Escape(revision.revision()), LabelledMessage(revision), StateLine(revision, kind)}) {
    if (!line.empty()) node.lines.push_back(line);
  }
  return node;
}

void AddEdges(const Revision& revision, std::vector<DiagramEdge>& edges) {
  absl::flat_hash_set<std::string> drawn;
  for (const std::string& parent : revision.down_revisions()) {
    if (drawn.insert(parent).second) edges.push_back({parent, revision.revision(), false});
  }
  for (const std::string& dependency : revision.dependencies()) {
    if (drawn.insert(dependency).second) edges.push_back({dependency, revision.revision(), true});
  }
}

Diagram Describe(const HistoryResponse& history, DiagramMarks marks) {
  Diagram diagram;
  absl::flat_hash_set<std::string> known;
  for (const Revision& revision : history.revisions()) {
    known.insert(revision.revision());
    diagram.nodes.push_back(NodeOf(revision, marks));
    AddEdges(revision, diagram.edges);
  }
  for (const DiagramEdge& edge : diagram.edges) {
    if (!known.insert(edge.lower).second) continue;
    diagram.nodes.push_back({edge.lower, NodeKind::kOutside, false, {Escape(edge.lower)}});
  }
  return diagram;
}

// --- Graphviz ---

std::string DotString(absl::string_view text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

// A label: here Graphviz also reads HTML's entities.
std::string DotLabel(const std::vector<std::string>& lines) {
  std::vector<std::string> escaped;
  for (const std::string& line : lines) {
    escaped.push_back(absl::StrReplaceAll(line, {{"\\", "\\\\"}, {"\"", "\\\""}, {"&", "&amp;"}}));
  }
  return absl::StrCat("\"", absl::StrJoin(escaped, "\\n"), "\"");
}

absl::string_view DotAttributes(const DiagramNode& node) {
  switch (node.kind) {
    case NodeKind::kApplied:
      return node.current ? ", fillcolor=\"#d5f0d5\", penwidth=2.5" : ", fillcolor=\"#d5f0d5\"";
    case NodeKind::kOutside:
      return ", style=\"rounded,dashed\"";
    default:
      return "";
  }
}

// --- Mermaid ---

// A name of letters, digits and underscores, which none of Mermaid's words begins with. Different
// ids have different names.
std::string MermaidName(absl::string_view id) {
  std::string name = "r_";
  for (const char c : id) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte)) {
      name += c;
    } else {
      absl::StrAppend(&name, "_", absl::Hex(byte, absl::kZeroPad2));
    }
  }
  return name;
}

// How many characters at the beginning of `line` Markdown could take for the mark of a list or for
// a line under a title.
size_t MarkdownMarkSize(absl::string_view line) {
  if (line.empty()) return 0;
  if (line[0] == '-' || line[0] == '+' || line[0] == '=') return 1;
  const size_t digits = line.find_first_not_of("0123456789");
  const bool numbered = digits != 0 && digits != absl::string_view::npos &&
                        (line[digits] == '.' || line[digits] == ')');
  return numbered ? digits + 1 : 0;
}

// Whether Mermaid finds a line's end or a formula here, even if it is written by numbers.
bool IsFoundAnyway(absl::string_view text) {
  return absl::StartsWith(text, "\\n") || absl::StartsWith(text, "$$");
}

// Everything that Mermaid, or the Markdown and HTML that it makes of a label, gives a meaning is
// written as the number of its character. The colon is one of them: in certain lines that speak of
// styles Mermaid removes a semicolon, which a number needs, after a colon.
std::string MermaidText(absl::string_view line) {
  constexpr absl::string_view kSpecial = "\"#&'*:;<>[\\]_`{|}~";
  constexpr absl::string_view kSpaceWithoutWidth = "#8203;";
  const size_t mark_size = MarkdownMarkSize(line);
  std::string text;
  for (size_t i = 0; i < line.size(); ++i) {
    const absl::string_view rest = line.substr(i);
    const bool is_mark = i < mark_size && !absl::ascii_isdigit(static_cast<unsigned char>(line[i]));
    const bool is_special =
        kSpecial.find(line[i]) != absl::string_view::npos && !absl::StartsWith(rest, ": ");
    if (is_mark || is_special) {
      absl::StrAppend(&text, "#", static_cast<int>(line[i]), ";");
    } else {
      text += line[i];
    }
    if (IsFoundAnyway(rest)) absl::StrAppend(&text, kSpaceWithoutWidth);
  }
  return text;
}

std::string MermaidLabel(const std::vector<std::string>& lines) {
  std::vector<std::string> escaped;
  for (const std::string& line : lines) escaped.push_back(MermaidText(line));
  return absl::StrCat("[\"", absl::StrJoin(escaped, "<br/>"), "\"]");
}

absl::string_view MermaidClass(const DiagramNode& node) {
  switch (node.kind) {
    case NodeKind::kApplied:
      return node.current ? ":::current" : ":::applied";
    case NodeKind::kOutside:
      return ":::outside";
    default:
      return ":::listed";
  }
}

}  // namespace

std::string HistoryDot(const HistoryResponse& history, DiagramMarks marks) {
  const Diagram diagram = Describe(history, marks);
  std::string text =
      "digraph history {\n"
      "  rankdir=BT\n"
      "  node [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\", "
      "fontname=\"sans-serif\"]\n";
  for (const DiagramNode& node : diagram.nodes) {
    absl::StrAppend(&text, "  ", DotString(node.id), " [label=", DotLabel(node.lines),
                    DotAttributes(node), "]\n");
  }
  for (const DiagramEdge& edge : diagram.edges) {
    absl::StrAppend(&text, "  ", DotString(edge.lower), " -> ", DotString(edge.upper),
                    edge.dependency ? " [style=dashed]" : "", "\n");
  }
  return absl::StrCat(text, "}\n");
}

std::string HistoryMermaid(const HistoryResponse& history, DiagramMarks marks) {
  const Diagram diagram = Describe(history, marks);
  std::string text = "flowchart BT\n";
  for (const DiagramNode& node : diagram.nodes) {
    absl::StrAppend(&text, "  ", MermaidName(node.id), MermaidLabel(node.lines), MermaidClass(node),
                    "\n");
  }
  for (const DiagramEdge& edge : diagram.edges) {
    absl::StrAppend(&text, "  ", MermaidName(edge.lower), edge.dependency ? " -.-> " : " --> ",
                    MermaidName(edge.upper), "\n");
  }
  absl::StrAppend(&text,
                  "  classDef listed fill:#ffffff,stroke:#555555,color:#000000\n"
                  "  classDef applied fill:#d5f0d5,stroke:#555555,color:#000000\n"
                  "  classDef current fill:#d5f0d5,stroke:#000000,stroke-width:3px,color:#000000\n"
                  "  classDef outside fill:none,stroke:#555555,stroke-dasharray:4\n");
  return text;
}

}  // namespace migctl
