// JSON, where no message of the proto is at hand to print it.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace migd {

// `text` as a JSON string, with its quotes. Bytes that are no valid UTF-8 become U+FFFD; `<` and
// the line separators of JavaScript are escaped, so that it may stand anywhere.
std::string JsonString(absl::string_view text);

}  // namespace migd
