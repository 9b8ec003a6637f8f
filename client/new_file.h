// Saves a file that must not be there yet.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "migration/v1/error.pb.h"

namespace migctl {

// Writes `contents` as the file `name` of `directory`. It appears whole, and only if there is none
// of this name: whoever reads the directory meanwhile never sees a part of it. Returns why it could
// not; nothing is left behind then.
std::optional<migration::v1::Error> SaveNewFile(const std::string& directory,
                                                const std::string& name,
                                                absl::string_view contents);

}  // namespace migctl
