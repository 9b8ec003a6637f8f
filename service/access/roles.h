// The roles by their names.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "migration/v1/access.pb.h"

namespace migd {

// "viewer", "operator", "destructive" or "admin"; "none" for ROLE_UNSPECIFIED.
std::string RoleName(migration::v1::Role role);

// Reads such a name, other than "none"; false if `text` is none of them.
bool ParseRole(absl::string_view text, migration::v1::Role& into);

}  // namespace migd
