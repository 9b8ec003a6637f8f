// The words of a statement, for what is found by them alone.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace migd {

// In lower case, without those in quotes. A string is one empty word, or the words in it where
// these may be run, as those of a DO block. Pure.
std::vector<std::string> WordsOf(absl::string_view statement);

// Whether there is a TRUNCATE among them, a DELETE FROM, or a DROP of what may hold data; rather
// too much is found than too little. Pure.
bool SaysToDestroy(absl::string_view statement);

}  // namespace migd
