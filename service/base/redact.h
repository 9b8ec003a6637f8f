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

// What PostgreSQL says with an error, without the values that it may quote: for logs. In quotes are
// names as well as values. Names stay, but where the error is about a value (SQLSTATE class 22, and
// the texts that functions raise, P0001), and quotes within quotes are `?`; so is what stands in
// single quotes, and values between `=(` and `)`.
std::string MaskValues(absl::string_view message, absl::string_view sqlstate);

}  // namespace migd
