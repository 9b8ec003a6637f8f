// UTF-8 as PostgreSQL checks it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace migd {

// The offset of the first byte that is not part of valid UTF-8, if there is one.
absl::optional<size_t> FindInvalidUtf8(absl::string_view text);

// The number of characters (code points) of valid UTF-8.
size_t CountCharacters(absl::string_view text);

// Appends the character `code_point`; false if there is no such character.
bool AppendCodePoint(char32_t code_point, std::string& text);

}  // namespace migd
