// SQL without what it says about the data.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace migd {

// `sql` with `?` for every string and number, without its comments, and with a blank for what
// separates its tokens. It may be cut off anywhere, as pg_stat_activity does: a string that does
// not end is a string.
std::string WithoutLiterals(absl::string_view sql);

// The beginning of a migration's statement, for people: the same, but a definition (CREATE, ALTER)
// keeps its numbers, since `varchar(20)` says what is done and nothing of the data.
std::string SummaryOfStatement(absl::string_view sql);

}  // namespace migd
