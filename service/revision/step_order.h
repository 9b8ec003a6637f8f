// The order in which revisions are taken down, and in reverse applied.
#pragma once

#include <vector>

#include "service/revision/lineage.h"
#include "service/revision/revision_graph.h"

namespace migd {

// Orders `revisions` so that each comes before all that it needs, exactly as Alembic orders them:
// start at the first tip in file order; if another tip stands above it, switch to the first of
// those; otherwise emit it and put what it steps down to in its place, the first there and the
// rest at the end; where nothing is left, go back to the tip before.
//
// `revisions` has, with any two of its members, all that stands between them; `tips` are members
// of it, and everything in it is at or below one of them. Iterative, and linear on all but
// contrived graphs.
std::vector<RevisionIndex> NewestFirst(const RevisionGraph& graph, RevisionSet revisions,
                                       std::vector<RevisionIndex> tips);

}  // namespace migd
