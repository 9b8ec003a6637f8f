// The graph of revisions: what the files declare, checked and indexed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "service/revision/revision.h"

namespace migd {

// A revision of a graph: its index in the order of the files.
using RevisionIndex = int32_t;

// The revisions of a set of migration files. A graph that exists is well-formed: ids and labels
// unique, every parent and dependency present, no cycle. Immutable, hence thread-safe. Knows
// nothing of SQL or of databases.
class RevisionGraph {
 public:
  // Checks and indexes `revisions`, given in any order; iterative, and linear on all but contrived
  // graphs. On failure errors::InvalidMigrations names every problem of every file, not only the
  // first.
  static absl::StatusOr<RevisionGraph> Create(std::vector<Revision> revisions,
                                              absl::string_view directory = "");

  // The graph without revisions.
  RevisionGraph() = default;

  int size() const;
  const Revision& revision(RevisionIndex index) const;
  absl::optional<RevisionIndex> Find(absl::string_view id) const;
  // The revision whose file gives this label.
  absl::optional<RevisionIndex> FindLabel(absl::string_view label) const;

  // Neighbours, each list in file order (parents: in the order of the header).
  const std::vector<RevisionIndex>& parents(RevisionIndex index) const;
  const std::vector<RevisionIndex>& children(RevisionIndex index) const;
  // Resolved `depends_on`, and those of them that no ancestor by down_revision declares too.
  const std::vector<RevisionIndex>& dependencies(RevisionIndex index) const;
  const std::vector<RevisionIndex>& kept_dependencies(RevisionIndex index) const;
  const std::vector<RevisionIndex>& dependents(RevisionIndex index) const;

  // What a step down from a revision leads to: its parents, then its kept dependencies that are
  // no parents. Everything that a revision needs stands below it by these edges.
  const std::vector<RevisionIndex>& steps_down(RevisionIndex index) const;
  // The revisions that have this one in their steps_down, in file order.
  const std::vector<RevisionIndex>& needed_by(RevisionIndex index) const;

  // Revisions without children; those that moreover nothing depends on; those without parents.
  const std::vector<RevisionIndex>& heads() const;
  const std::vector<RevisionIndex>& effective_heads() const;
  const std::vector<RevisionIndex>& bases() const;

  // The labels that cover a revision: its own, then the inherited ones in order of their names.
  // A label covers its revision and all descendants by down_revision; where neither is a branch
  // point (dependents count) or a merge point, also the ancestors up to the first such point.
  std::vector<std::string> labels(RevisionIndex index) const;

  // Every revision, newest first, as `history` lists them: a revision comes before all that it
  // revises or depends on. Deterministic.
  const std::vector<RevisionIndex>& newest_first() const { return newest_first_; }

 private:
  class Builder;

  struct Node {
    std::vector<RevisionIndex> parents;
    std::vector<RevisionIndex> children;
    std::vector<RevisionIndex> dependencies;
    std::vector<RevisionIndex> kept_dependencies;
    std::vector<RevisionIndex> dependents;
    std::vector<RevisionIndex> steps_down;
    std::vector<RevisionIndex> needed_by;
    // Where labels(index) begins to collect; none if no label covers the revision.
    absl::optional<int32_t> label_source;
  };

  // Labels spread over many revisions, so they are kept where they enter: a source is a labelled
  // revision, or a merge of sources, and covers what the sources beneath it cover.
  struct LabelSource {
    RevisionIndex origin;  // the labelled revision, or the merge
    std::vector<int32_t> beneath;
  };

  std::vector<Revision> revisions_;
  std::vector<Node> nodes_;
  absl::flat_hash_map<std::string, RevisionIndex> by_id_;
  absl::flat_hash_map<std::string, RevisionIndex> by_label_;
  std::vector<LabelSource> label_sources_;
  std::vector<RevisionIndex> heads_;
  std::vector<RevisionIndex> effective_heads_;
  std::vector<RevisionIndex> bases_;
  std::vector<RevisionIndex> newest_first_;
};

}  // namespace migd
