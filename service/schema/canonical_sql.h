// Texts of SQL that PostgreSQL writes of the same thing in two ways.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace migd {

// `sql`, as PostgreSQL deparses an expression, in the form that it has once it was read and
// deparsed again. `x IN ('a', 'b')` of a varchar is stored with a cast of the whole array, but with
// casts of its elements when the deparsed text is read, as pg_dump's is: `(ARRAY[a, b])::text[]`
// becomes `ARRAY[(a)::text, (b)::text]`. Anything else stays. Pure.
std::string CanonicalSql(absl::string_view sql);

}  // namespace migd
