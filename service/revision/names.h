// What revision ids and branch labels may be called.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace migd {

// What keeps `id` from being a revision id, as the rest of a sentence that begins with it; empty if
// nothing does. The version table holds 32 characters; `@ - + :` are part of symbols, a comma of a
// file's lists; and the name of the file, which begins with the id, has no slash and is not hidden.
std::string RevisionIdProblem(absl::string_view id);

// The same for a branch label, which may have - and +, as in Alembic, and any length.
std::string BranchLabelProblem(absl::string_view label);

}  // namespace migd
