// The forms in which Alembic changes rows of the version table.
#pragma once

#include <string>
#include <vector>

#include "service/plan/plan.h"

namespace migd {

// The writes by which `row` takes the place of `replaced`: an insert if there is none, else an
// update of the last after the others are deleted.
std::vector<VersionWrite> Collapse(const std::vector<std::string>& replaced,
                                   const std::string& row);

// The writes by which `uncovered` take the place of `row`: a delete if there are none, else an
// update to the last after the others are inserted.
std::vector<VersionWrite> Expand(const std::string& row, const std::vector<std::string>& uncovered);

// The writes that delete `rows`.
std::vector<VersionWrite> Delete(const std::vector<std::string>& rows);

}  // namespace migd
