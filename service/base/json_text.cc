#include "service/base/json_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "service/base/utf8.h"

namespace migd {

std::string JsonString(absl::string_view text) {
  std::string json = "\"";
  for (const char c : ToValidUtf8(text)) {
    if (c == '"' || c == '\\') {
      json += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '\x7f') {
      absl::StrAppend(&json, "\\u", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad4));
    } else {
      json += c;
    }
  }
  absl::StrReplaceAll({{"\u2028", "\\u2028"}, {"\u2029", "\\u2029"}}, &json);
  json += '"';
  return json;
}

}  // namespace migd
