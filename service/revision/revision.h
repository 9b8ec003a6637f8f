// A revision as its migration file declares it.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace migd {

// What the header of one migration file says. A plain value.
struct Revision {
  // The revision id.
  std::string id;
  // Full ids of the revisions that this one revises; empty for a base.
  std::vector<std::string> down_revisions;
  // Full ids or branch labels of the revisions that must be applied before this one.
  std::vector<std::string> depends_on;
  // The branch labels that the file itself gives.
  std::vector<std::string> branch_labels;
  // The first comment line of the file.
  std::string message;
  // The Create Date, read as UTC if it names no zone.
  absl::optional<absl::Time> create_time;
  // The file, relative to the migrations directory. Ties between revisions are broken by it, in
  // the order of code points, as Alembic breaks them by the order of its files.
  std::string path;
};

}  // namespace migd
