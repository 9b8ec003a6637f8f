// What revision symbols mean in a graph, and at the rows of a version table.
//
// All functions are pure, hence safe from any thread. They fail with
//   InvalidSymbol      if the text is no symbol;
//   UnknownRevision    if it names nothing, or nothing on its branch;
//   AmbiguousRevision  if it fits several revisions, or could count from, or walk to, several; the
//                      candidates are named;
//   MultipleHeads      if `head` is not one;
//   InvalidTarget      if an offset walks past the end, or counts from rows that are not there;
//   DatabaseAhead      if it takes the rows to resolve it and the graph lacks one of them.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "service/revision/revision_graph.h"
#include "service/revision/symbol.h"

namespace migd {

// Returns the revisions that `symbol` names: none for `base` and for an empty table's `current`,
// several for `heads` and `current`, otherwise one. `heads` means the effective heads, `head` and
// `branch@heads` the versioned ones, as in Alembic.
absl::StatusOr<std::vector<RevisionIndex>> ResolveSymbols(const RevisionGraph& graph,
                                                          const std::set<std::string>& rows,
                                                          absl::string_view symbol);
absl::StatusOr<std::vector<RevisionIndex>> ResolveSymbols(const RevisionGraph& graph,
                                                          const std::set<std::string>& rows,
                                                          const RevisionSymbol& symbol);

// Returns the revision that `branch`, the part of a symbol before its `@`, names.
absl::StatusOr<RevisionIndex> ResolveBranch(const RevisionGraph& graph, absl::string_view branch);

// What a downgrade goes down to.
struct DowngradeTarget {
  // The revision that remains; none for base.
  absl::optional<RevisionIndex> revision;
  // If the target leaves a choice of branches to take down: the revision whose branch is meant.
  absl::optional<RevisionIndex> branch;
};
// MultipleHeads also for several `heads`, AmbiguousRevision for several `current` ones.
absl::StatusOr<DowngradeTarget> ResolveDowngradeTarget(const RevisionGraph& graph,
                                                       const std::set<std::string>& rows,
                                                       absl::string_view symbol);

// Returns the revisions of `range`, newest first: those at or below its upper end, dependencies
// included, and at or above its lower end by down_revision. Without an upper end, from the heads;
// without a lower end, or from `base`, down to the beginning; an empty range is everything.
//
// An end that is an offset on its own counts from the other end, and stops at the last revision
// there is: `-3:current` begins three below the rows, `7c20:+2` ends two above 7c20. A branch of
// the lower end restricts the upper one, too. InvalidTarget if the lower end does not stand below
// the upper one.
absl::StatusOr<std::vector<RevisionIndex>> SelectHistory(const RevisionGraph& graph,
                                                         const std::set<std::string>& rows,
                                                         absl::string_view range);

// Returns the revisions of `rows`, in the order of their ids.
absl::StatusOr<std::vector<RevisionIndex>> ResolveRows(const RevisionGraph& graph,
                                                       const std::set<std::string>& rows);

}  // namespace migd
