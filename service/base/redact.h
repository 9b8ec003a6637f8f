// Keeps passwords out of what people and logs get to see.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace migd {

// `text` with every character of a password replaced by `*`; lengths and columns stay. A password
// is what follows the word `password`, or a word that ends in it, in SQL (`PASSWORD 'x'`,
// `password 'x'` in OPTIONS), in a connection string (`password=x`, `password='x'`), or between
// user and host in a URI (`//user:x@host`).
std::string MaskPasswords(absl::string_view text);

}  // namespace migd
