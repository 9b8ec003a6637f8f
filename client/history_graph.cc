#include "client/history_graph.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace migctl {
namespace {

// The lanes from left to right. A lane holds the id of the revision that it leads down to, or
// nothing where it is free; no two lanes lead to the same revision.
using Lanes = std::vector<std::optional<std::string>>;

constexpr absl::string_view kVertical = "│";
constexpr absl::string_view kHorizontal = "─";

std::optional<size_t> FindLane(const Lanes& lanes, const std::string& id) {
  const auto found = std::find(lanes.begin(), lanes.end(), id);
  if (found == lanes.end()) return std::nullopt;
  return static_cast<size_t>(found - lanes.begin());
}

// The leftmost free lane; a new one if none is free.
size_t TakeFreeLane(Lanes& lanes) {
  const auto found = std::find(lanes.begin(), lanes.end(), std::nullopt);
  if (found != lanes.end()) return static_cast<size_t>(found - lanes.begin());
  lanes.emplace_back();
  return lanes.size() - 1;
}

void DropFreeLanesAtTheEnd(Lanes& lanes) {
  while (!lanes.empty() && !lanes.back().has_value()) lanes.pop_back();
}

std::string WithoutTrailingSpaces(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string NodeLine(const Lanes& lanes, size_t node_lane, absl::string_view glyph) {
  std::string line;
  for (size_t i = 0; i < lanes.size(); ++i) {
    if (i > 0) line += ' ';
    absl::StrAppend(&line, i == node_lane ? glyph : lanes[i].has_value() ? kVertical : " ");
  }
  return WithoutTrailingSpaces(std::move(line));
}

// The glyph where lines meet, by the sides on which they arrive.
absl::string_view Junction(bool up, bool down, bool left, bool right) {
  if (up && down) return left ? (right ? "┼" : "┤") : (right ? "├" : kVertical);
  if (up) return left ? (right ? "┴" : "╯") : (right ? "╰" : kVertical);
  if (down) return left ? (right ? "┬" : "╮") : (right ? "╭" : kVertical);
  return left || right ? kHorizontal : " ";
}

// The line that connects the lanes of `joined` (ascending, the node's among them), between the
// lanes as they were at the node's line and as they are beneath. As in jj, a horizontal line hides
// the lanes that it only crosses.
std::string LinkLine(const Lanes& before, const Lanes& after, const std::vector<size_t>& joined) {
  const auto occupied = [](const Lanes& lanes, size_t i) {
    return i < lanes.size() && lanes[i].has_value();
  };
  const size_t first = joined.front();
  const size_t last = joined.back();
  std::string line;
  for (size_t i = 0; i < std::max(before.size(), after.size()); ++i) {
    const bool from_left = i > first && i <= last;
    const bool to_right = i >= first && i < last;
    if (i > 0) absl::StrAppend(&line, from_left ? kHorizontal : " ");
    const bool crossed = from_left && to_right;
    if (crossed && !std::binary_search(joined.begin(), joined.end(), i)) {
      absl::StrAppend(&line, kHorizontal);
    } else {
      absl::StrAppend(&line,
                      Junction(occupied(before, i), occupied(after, i), from_left, to_right));
    }
  }
  return WithoutTrailingSpaces(std::move(line));
}

class Drawing {
 public:
  explicit Drawing(const std::vector<GraphNode>& nodes) {
    for (const GraphNode& node : nodes) undrawn_.insert(node.id);
  }

  // Adds the row of `node` to `rows`.
  void Draw(const GraphNode& node, std::vector<GraphRow>& rows) {
    undrawn_.erase(node.id);
    const Lanes above = lanes_;
    const size_t lane = LaneOf(node);
    // A line of descent would be seen between the node that ended here and this one.
    if (lane == ended_lane_) rows.back().link_lines.push_back(NodeLine(above, lane, " "));
    GraphRow row;
    row.node_line = NodeLine(lanes_, lane, node.glyph);

    const Lanes before = lanes_;
    const std::vector<std::string> parents = DrawableParents(node);
    lanes_[lane].reset();
    if (parents.empty() && !node.parents.empty()) {
      row.link_lines.push_back(NodeLine(before, lane, "~"));
    }
    const std::vector<size_t> joined = Connect(lane, parents);
    if (joined.size() > 1) row.link_lines.push_back(LinkLine(before, lanes_, joined));
    DropFreeLanesAtTheEnd(lanes_);
    ended_lane_ = node.parents.empty() ? std::make_optional(lane) : std::nullopt;
    rows.push_back(std::move(row));
  }

 private:
  size_t LaneOf(const GraphNode& node) {
    if (const std::optional<size_t> lane = FindLane(lanes_, node.id)) return *lane;
    const size_t lane = TakeFreeLane(lanes_);
    lanes_[lane] = node.id;
    return lane;
  }

  // The parents that come further down, each once.
  std::vector<std::string> DrawableParents(const GraphNode& node) const {
    std::vector<std::string> parents;
    for (const std::string& parent : node.parents) {
      const bool repeated = std::find(parents.begin(), parents.end(), parent) != parents.end();
      if (undrawn_.contains(parent) && !repeated) parents.push_back(parent);
    }
    return parents;
  }

  // Leads lanes to `parents` and returns all lanes that a line has to join with the node's.
  std::vector<size_t> Connect(size_t lane, const std::vector<std::string>& parents) {
    std::vector<size_t> joined = {lane};
    for (const std::string& parent : parents) {
      const std::optional<size_t> existing = FindLane(lanes_, parent);
      if (!existing.has_value()) {
        // The first new parent goes straight on in the node's own lane.
        const size_t target = lanes_[lane].has_value() ? TakeFreeLane(lanes_) : lane;
        lanes_[target] = parent;
        joined.push_back(target);
      } else {
        joined.push_back(*existing);
        // A single parent continues in the lane further left, so that lanes move to the left.
        if (parents.size() == 1 && *existing > lane) std::swap(lanes_[lane], lanes_[*existing]);
      }
    }
    std::sort(joined.begin(), joined.end());
    joined.erase(std::unique(joined.begin(), joined.end()), joined.end());
    return joined;
  }

  Lanes lanes_;
  // The lane of the node before, if that is a base.
  std::optional<size_t> ended_lane_;
  absl::flat_hash_set<std::string> undrawn_;
};

}  // namespace

std::vector<GraphRow> DrawGraph(const std::vector<GraphNode>& nodes) {
  Drawing drawing(nodes);
  std::vector<GraphRow> rows;
  rows.reserve(nodes.size());
  for (const GraphNode& node : nodes) drawing.Draw(node, rows);
  return rows;
}

}  // namespace migctl
