// Where a database stands with respect to revisions that somebody waits for.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "service/revision/lineage.h"
#include "service/revision/revision_graph.h"
#include "service/revision/symbol.h"

namespace migd {

enum class Standing {
  // Some target is not applied.
  kBelow,
  // Some target is not implied by the rows that the graph has, and there are rows that it does not
  // have: whoever migrated the database had other files, from which it may well follow.
  kAheadUnknown,
  // All targets are applied; some have no row of their own, for another stands above them.
  kAhead,
  // Every target has a row.
  kAt,
};

// What the rows of a version table say. `graph` must outlive it. Immutable.
class AppliedRevisions {
 public:
  // Linear in the size of the graph.
  AppliedRevisions(const RevisionGraph& graph, std::set<std::string> rows);

  const std::set<std::string>& rows() const { return rows_; }
  // The rows that the graph does not have, in the order of their ids.
  const std::vector<std::string>& unknown_rows() const { return unknown_rows_; }

  // How the rows stand to `targets`. A revision is applied if it has a row, or stands below one by
  // down_revision or depends_on. Without targets (`base`), the empty
  // table is kAt, and any other stands above.
  Standing CompareWith(const std::vector<RevisionIndex>& targets) const;

 private:
  const RevisionGraph& graph_;
  std::set<std::string> rows_;
  std::vector<std::string> unknown_rows_;
  RevisionSet applied_;
};

// Returns the revisions that `symbol` means to somebody who waits for them. The errors of
// ResolveSymbols; InvalidSymbol for one that counts from the rows, which are what changes.
absl::StatusOr<std::vector<RevisionIndex>> ResolveAwaited(const RevisionGraph& graph,
                                                          const RevisionSymbol& symbol);

}  // namespace migd
