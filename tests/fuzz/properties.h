// What must hold for any input at all. The fuzzers search for inputs for which it does not hold;
// corpus_test.cc keeps those that have been found.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace migd::fuzz {

// The properties that an input breaks, each in a sentence; none if all is well.
using Broken = std::vector<std::string>;

// Reads `contents` as the migration file of the revision 1a2b: of any other revision it is refused.
Broken CheckMigrationFile(absl::string_view contents);

// Reads `text` as a revision symbol and as a range of them.
Broken CheckSymbol(absl::string_view text);

}  // namespace migd::fuzz
