#include "service/revision/reachability.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"

namespace migd {
namespace {

using Indices = std::vector<RevisionIndex>;

// The numbers of some revisions in one walk, in ascending order.
template <typename Walk>
std::vector<int32_t> NumbersOf(const Walk& walk, const Indices& revisions) {
  std::vector<int32_t> numbers;
  for (const RevisionIndex index : revisions) numbers.push_back(walk[index].number);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// Leaves out the revisions that a walk reached by way of another of them.
template <typename Walk>
Indices WithoutReached(const Walk& walk, Indices revisions) {
  // The one by way of which others were reached comes before them.
  std::sort(revisions.begin(), revisions.end(),
            [&](RevisionIndex a, RevisionIndex b) { return walk[a].number > walk[b].number; });
  Indices left;
  for (const RevisionIndex index : revisions) {
    if (left.empty() || walk[index].number < walk[left.back()].first) left.push_back(index);
  }
  return left;
}

}  // namespace

Reachability::Reachability(const RevisionGraph& graph, Follow follow)
    : graph_(graph), follow_(follow) {
  Indices bottom;
  for (RevisionIndex i = 0; i < graph.size(); ++i) {
    const Indices& below =
        follow == Follow::kDownRevisions ? graph.parents(i) : graph.steps_down(i);
    if (below.empty()) bottom.push_back(i);
  }
  walks_[0] = WalkUpwards(bottom, true);
  walks_[1] = WalkUpwards(bottom, false);
}

bool Reachability::IsAbove(RevisionIndex upper, RevisionIndex lower) const {
  const Verdict verdict = Judge(upper, lower);
  if (verdict != Verdict::kUnknown) return verdict == Verdict::kAbove;
  absl::flat_hash_set<RevisionIndex> seen;
  Indices todo = {lower};
  while (!todo.empty()) {
    const RevisionIndex index = todo.back();
    todo.pop_back();
    for (const RevisionIndex next : Above(index)) {
      if (next == upper || Judge(upper, next) == Verdict::kAbove) return true;
      if (Judge(upper, next) == Verdict::kUnknown && seen.insert(next).second) {
        todo.push_back(next);
      }
    }
  }
  return false;
}

Indices Reachability::Lowest(const Indices& among) const {
  Indices left = among;
  for (const Walk& walk : walks_) left = WithoutReached(walk, std::move(left));
  // What is left may stand above others of it by ways that neither walk took.
  absl::flat_hash_set<RevisionIndex> seen;
  const std::array<std::vector<int32_t>, 2> numbers = {NumbersOf(walks_[0], left),
                                                       NumbersOf(walks_[1], left)};
  const auto may_lead_to_one = [&](RevisionIndex index) {
    for (size_t i = 0; i < walks_.size(); ++i) {
      const Interval& interval = walks_[i][index];
      const auto next = std::lower_bound(numbers[i].begin(), numbers[i].end(), interval.least);
      if (next == numbers[i].end() || *next > interval.number) return false;
    }
    return true;
  };
  Indices todo = left.size() > 1 ? left : Indices();
  while (!todo.empty()) {
    const RevisionIndex index = todo.back();
    todo.pop_back();
    for (const RevisionIndex next : Above(index)) {
      if (may_lead_to_one(next) && seen.insert(next).second) todo.push_back(next);
    }
  }
  const absl::flat_hash_set<RevisionIndex> lowest(left.begin(), left.end());
  Indices result;
  for (const RevisionIndex index : among) {
    if (lowest.contains(index) && !seen.contains(index)) result.push_back(index);
  }
  return result;
}

const Indices& Reachability::Above(RevisionIndex index) const {
  return follow_ == Follow::kDownRevisions ? graph_.children(index) : graph_.needed_by(index);
}

Reachability::Walk Reachability::WalkUpwards(const Indices& bottom, bool in_file_order) const {
  constexpr int32_t kUnseen = -1;
  struct Frame {
    RevisionIndex index;
    size_t position;
  };
  Walk walk(static_cast<size_t>(graph_.size()), {kUnseen, 0, 0});
  int32_t count = 0;
  std::vector<Frame> stack;
  const auto enter = [&](RevisionIndex index) {
    walk[index] = {count, count, graph_.size()};
    stack.push_back({index, 0});
  };
  const auto at = [&](const Indices& list, size_t position) {
    return in_file_order ? list[position] : list[list.size() - 1 - position];
  };
  for (size_t i = 0; i < bottom.size(); ++i) {
    enter(at(bottom, i));
    while (!stack.empty()) {
      Frame& frame = stack.back();
      Interval& interval = walk[frame.index];
      if (frame.position == Above(frame.index).size()) {
        interval.number = count++;
        stack.pop_back();
        continue;
      }
      const RevisionIndex next = at(Above(frame.index), frame.position);
      if (walk[next].first == kUnseen) {
        enter(next);  // and come back for what stands above it
        continue;
      }
      interval.least = std::min(interval.least, walk[next].least);
      ++frame.position;
    }
  }
  return walk;
}

Reachability::Verdict Reachability::Judge(RevisionIndex upper, RevisionIndex lower) const {
  for (const Walk& walk : walks_) {
    const int32_t number = walk[upper].number;
    const Interval& interval = walk[lower];
    if (number < interval.least || number > interval.number) return Verdict::kNotAbove;
    if (number >= interval.first && number < interval.number) return Verdict::kAbove;
  }
  return Verdict::kUnknown;
}

}  // namespace migd
