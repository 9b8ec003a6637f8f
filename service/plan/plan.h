// What a call would do: steps, and what each writes to the version table.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace migd {

// The rows of the version table, in the order of their ids.
using VersionRows = std::set<std::string>;

// One write to the version table. Each must match exactly one row, and is checked to.
struct VersionWrite {
  enum class Kind { kInsert, kDelete, kUpdate };
  Kind kind;
  // The row that is deleted or updated; empty for an insert.
  std::string from;
  // The row that is inserted, or that the update makes of `from`; empty for a delete.
  std::string to;
};

// One revision applied, taken down, or stamped.
struct Step {
  enum class Direction { kUpgrade, kDowngrade, kStamp };
  Direction direction;
  // The revision; empty for a stamp to base.
  std::string revision;
  // In the order in which they must be made, as Alembic makes them.
  std::vector<VersionWrite> writes;
};

// The steps that take the rows from `starting_rows` to `resulting_rows`. A plain value.
struct Plan {
  VersionRows starting_rows;
  std::vector<Step> steps;
  VersionRows resulting_rows;
};

// Applies the writes of one step to `rows`. The writes of a Plan's steps, taken in order from its
// starting rows, always fit; a write that does not is a fault of the caller and is ignored.
void ApplyWrites(const std::vector<VersionWrite>& writes, VersionRows& rows);

}  // namespace migd
