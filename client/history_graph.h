// The graph beside a history listing, drawn as jj draws it: a node per line, newest first, with the
// lanes of the lines of descent between them.
//
//     ◇    a91f
//     ├─╮
//     ◇ │  7c20
//     │ ●  4b11
//     ├─╯
//     ●    0f3a
#pragma once

#include <string>
#include <vector>

namespace migctl {

struct GraphNode {
  std::string id;
  // What the node revises. A parent that is not among the nodes, as in a listing of a range, is
  // shown as "~" if the node has no other.
  std::vector<std::string> parents;
  // One column wide.
  std::string glyph;
};

// The lines of one node, without spaces at their ends.
struct GraphRow {
  // The line of the node itself, beside which its text goes.
  std::string node_line;
  // The lines beneath, which lead to its parents or part a base from what comes below.
  std::vector<std::string> link_lines;
};

// One row per node. Children must come before their parents: a parent that came earlier is not
// connected. Pure; the time is nodes times lanes.
std::vector<GraphRow> DrawGraph(const std::vector<GraphNode>& nodes);

}  // namespace migctl
