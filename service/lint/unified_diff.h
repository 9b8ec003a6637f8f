// What changes between two texts, as `diff -u` shows it.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace migd {

// The diff from `before` to `after` of the file `path`, with three lines of context; `is_new` for a
// file that was not there. Empty if both are the same. Where the parts that differ are large, it is
// right but not the shortest. Pure.
std::string UnifiedDiff(absl::string_view path, absl::string_view before, absl::string_view after,
                        bool is_new);

}  // namespace migd
