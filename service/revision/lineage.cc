#include "service/revision/lineage.h"

#include <string>

namespace migd {
namespace {

// `neighbours(index)` lists where to go on from a revision.
template <typename Neighbours>
void Spread(std::vector<RevisionIndex> from, Neighbours neighbours, RevisionSet& reached) {
  while (!from.empty()) {
    const RevisionIndex index = from.back();
    from.pop_back();
    if (!reached.insert(index)) continue;
    for (const RevisionIndex next : neighbours(index)) {
      if (!reached.contains(next)) from.push_back(next);
    }
  }
}

}  // namespace

std::vector<RevisionIndex> RevisionSet::ToVector() const {
  std::vector<RevisionIndex> result;
  for (size_t i = 0; i < members_.size(); ++i) {
    if (members_[i]) result.push_back(static_cast<RevisionIndex>(i));
  }
  return result;
}

RevisionSet AppliedBy(const RevisionGraph& graph, const std::set<std::string>& rows) {
  std::vector<RevisionIndex> known;
  for (const std::string& row : rows) {
    if (const auto index = graph.Find(row)) known.push_back(*index);
  }
  return Ancestors(graph, known, Follow::kDependenciesToo);
}

RevisionSet Ancestors(const RevisionGraph& graph, const std::vector<RevisionIndex>& from,
                      Follow follow) {
  RevisionSet reached(graph);
  Spread(
      from,
      [&](RevisionIndex index) -> const std::vector<RevisionIndex>& {
        return follow == Follow::kDownRevisions ? graph.parents(index) : graph.steps_down(index);
      },
      reached);
  return reached;
}

RevisionSet Descendants(const RevisionGraph& graph, const std::vector<RevisionIndex>& from,
                        Follow follow) {
  RevisionSet reached(graph);
  Spread(
      from,
      [&](RevisionIndex index) -> const std::vector<RevisionIndex>& {
        return follow == Follow::kDownRevisions ? graph.children(index) : graph.needed_by(index);
      },
      reached);
  return reached;
}

RevisionSet Lineage(const RevisionGraph& graph, RevisionIndex of) {
  RevisionSet lineage = Ancestors(graph, {of}, Follow::kDownRevisions);
  lineage.erase(of);  // to be spread from once more, upwards
  Spread(
      {of},
      [&](RevisionIndex index) -> const std::vector<RevisionIndex>& {
        return graph.children(index);
      },
      lineage);
  return lineage;
}

std::vector<RevisionIndex> Intersection(const std::vector<RevisionIndex>& candidates,
                                        const RevisionSet& set) {
  std::vector<RevisionIndex> result;
  for (const RevisionIndex index : candidates) {
    if (set.contains(index)) result.push_back(index);
  }
  return result;
}

std::vector<RevisionIndex> Covered(const RevisionGraph& graph,
                                   const std::vector<RevisionIndex>& among) {
  std::vector<RevisionIndex> needed;
  for (const RevisionIndex index : among) {
    const auto& below = graph.steps_down(index);
    needed.insert(needed.end(), below.begin(), below.end());
  }
  return Intersection(among, Ancestors(graph, needed, Follow::kDependenciesToo));
}

std::vector<std::string> Ids(const RevisionGraph& graph, const std::vector<RevisionIndex>& of) {
  std::vector<std::string> ids;
  ids.reserve(of.size());
  for (const RevisionIndex index : of) ids.push_back(graph.revision(index).id);
  return ids;
}

}  // namespace migd
