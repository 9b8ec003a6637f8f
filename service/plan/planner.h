// The planner: graph + current rows + target -> ordered steps. Pure; the same code plans what Plan
// shows and what Upgrade runs.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/plan/plan.h"
#include "service/revision/revision_graph.h"

namespace migd {

// All of these can fail with errors::DatabaseAhead if `rows` has ids that the graph does not, and
// with the errors of symbol_resolution.h for the targets. Thread-safe: they share nothing.

// Returns the steps that take `rows` up to `target`; none if there is nothing to do.
// MultipleHeads for an ambiguous `head`, InvalidTarget for a walk past the end or downwards,
// OverlappingRevisions if targets or rows contain one another.
absl::StatusOr<Plan> PlanUpgrade(const RevisionGraph& graph, const VersionRows& rows,
                                 absl::string_view target);

// Returns the steps that take `rows` down to `target`. InvalidTarget if `target` does not stand
// below the rows, or a relative walk goes past base.
absl::StatusOr<Plan> PlanDowngrade(const RevisionGraph& graph, const VersionRows& rows,
                                   absl::string_view target);

// Returns the writes that make `rows` say that `targets` were reached, one step per target that
// changes something. What a target means is taken at the rows as they are at first; a target that
// another one contains is reached with it. Rows that have nothing to do with any target stay.
// InvalidTarget for an offset that leads to base, InvalidRequest without targets. With `purge` the
// table is emptied first, whatever it names; `rows` may then have ids that the graph does not.
absl::StatusOr<Plan> PlanStamp(const RevisionGraph& graph, const VersionRows& rows,
                               const std::vector<std::string>& targets, bool purge);

}  // namespace migd
