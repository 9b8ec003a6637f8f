// Sets of revisions, and what stands above and below them.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "service/revision/revision_graph.h"

namespace migd {

// A set of revisions of one graph. A plain value.
class RevisionSet {
 public:
  explicit RevisionSet(const RevisionGraph& graph) : members_(graph.size(), false) {}

  bool contains(RevisionIndex index) const { return members_[index]; }
  // Returns whether the revision is new to the set.
  bool insert(RevisionIndex index) {
    const bool is_new = !members_[index];
    members_[index] = true;
    return is_new;
  }
  void erase(RevisionIndex index) { members_[index] = false; }

  // The members in file order.
  std::vector<RevisionIndex> ToVector() const;

 private:
  std::vector<bool> members_;
};

// Which edges of the graph count.
enum class Follow { kDownRevisions, kDependenciesToo };

// The revisions of `from` and all that stands below, above, or on either side of them. Linear in
// the size of the graph.
RevisionSet Ancestors(const RevisionGraph& graph, const std::vector<RevisionIndex>& from,
                      Follow follow);
RevisionSet Descendants(const RevisionGraph& graph, const std::vector<RevisionIndex>& from,
                        Follow follow);
// What is applied where the version table has `rows`: they and all that they need. A row that the
// graph does not have is somebody else's; what stands below it is not known.
RevisionSet AppliedBy(const RevisionGraph& graph, const std::set<std::string>& rows);
// By down_revision only, as a branch label counts.
RevisionSet Lineage(const RevisionGraph& graph, RevisionIndex of);

// The revisions of `candidates` that are members of `set`, in their order.
std::vector<RevisionIndex> Intersection(const std::vector<RevisionIndex>& candidates,
                                        const RevisionSet& set);

// The revisions of `among` that stand below another of them, dependencies included.
std::vector<RevisionIndex> Covered(const RevisionGraph& graph,
                                   const std::vector<RevisionIndex>& among);

// The ids of revisions, in their order.
std::vector<std::string> Ids(const RevisionGraph& graph, const std::vector<RevisionIndex>& of);

}  // namespace migd
