// Which revisions stand above which, without walking through what lies between.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "service/revision/lineage.h"
#include "service/revision/revision_graph.h"

namespace migd {

// An index over the edges of a graph. Where branches do not merge again it answers at once;
// elsewhere it mostly does, and otherwise walks through the part of the graph that it cannot rule
// out. Made in linear time, iteratively. `graph` must outlive it. Immutable, hence thread-safe.
class Reachability {
 public:
  Reachability(const RevisionGraph& graph, Follow follow);

  // Whether `upper` stands above `lower`; false if they are the same.
  bool IsAbove(RevisionIndex upper, RevisionIndex lower) const;

  // The revisions of `among`, all different, that stand above no other of them, in their order.
  std::vector<RevisionIndex> Lowest(const std::vector<RevisionIndex>& among) const;

 private:
  // A depth-first walk upwards numbers each revision when it leaves it, hence after all that stands
  // above. `number` is that of the revision itself. From `first` to it are the numbers of those
  // that the walk reached by way of this revision: they stand above it for sure. None above it has
  // a number less than `least`.
  struct Interval {
    int32_t first;
    int32_t least;
    int32_t number;
  };
  enum class Verdict { kAbove, kNotAbove, kUnknown };

  // The walk in the order of the files, or against it: a revision where branches merge again is
  // reached by way of the first branch in one walk, and mostly by way of another in the other one.
  using Walk = std::vector<Interval>;  // by RevisionIndex

  const std::vector<RevisionIndex>& Above(RevisionIndex index) const;
  Walk WalkUpwards(const std::vector<RevisionIndex>& bottom, bool in_file_order) const;
  Verdict Judge(RevisionIndex upper, RevisionIndex lower) const;

  const RevisionGraph& graph_;
  const Follow follow_;
  std::array<Walk, 2> walks_;
};

}  // namespace migd
