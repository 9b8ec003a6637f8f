// What the beginning of an Alembic script says: its docstring and its module-level names.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace migctl {

// The header of an Alembic script.
struct PythonHeader {
  std::string docstring;
  std::string revision;
  std::vector<std::string> down_revisions;
  std::vector<std::string> branch_labels;
  std::vector<std::string> depends_on;
};

// Reads `script`, Python source: its tokens, as far as the module-level assignments of `revision`,
// `down_revision`, `branch_labels` and `depends_on` need them, with annotations or without. A value
// is None, a string, or a tuple, list or set of strings. Returns nothing, with `line` and `problem`
// set, if one of them is something else or if there is no revision. Pure; safe from any thread.
absl::optional<PythonHeader> ReadPythonHeader(absl::string_view script, int& line,
                                              std::string& problem);

}  // namespace migctl
