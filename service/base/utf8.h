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

// `text` with each byte that is not part of valid UTF-8 replaced by U+FFFD: for what other programs
// say, in whatever encoding, since a protobuf string must be UTF-8.
std::string ToValidUtf8(absl::string_view text);

// Where `text` can be cut so that at most `longest` bytes, and no part of a character, remain.
size_t CutAt(absl::string_view text, size_t longest);

// `text`, or its beginning with "..." if it is longer than `longest` bytes.
std::string Shortened(absl::string_view text, size_t longest);

// Appends the character `code_point`; false if there is no such character.
bool AppendCodePoint(char32_t code_point, std::string& text);

}  // namespace migd
