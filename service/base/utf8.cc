#include "service/base/utf8.h"

#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace migd {
namespace {

bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// The length of the ASCII run at the start of `text`, rounded down to whole words.
size_t AsciiWords(absl::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080u;
  size_t at = 0;
  for (; at + sizeof(uint64_t) <= text.size(); at += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, sizeof(word));
    if (word & kHighBits) break;
  }
  return at;
}

// The bounds of a character's second byte, which exclude overlong forms, surrogates and what lies
// above U+10FFFF; all later bytes are plain continuations.
struct SecondByte {
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
};

SecondByte SecondByteAfter(unsigned char lead) {
  switch (lead) {
    case 0xE0:
      return {0xA0, 0xBF};
    case 0xED:
      return {0x80, 0x9F};
    case 0xF0:
      return {0x90, 0xBF};
    case 0xF4:
      return {0x80, 0x8F};
    default:
      return {};
  }
}

size_t LengthAfter(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// The length of the valid character at the start of `text`, which is not empty; 0 if none is there.
size_t CharacterLength(absl::string_view text) {
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  const size_t length = LengthAfter(byte(0));
  if (length <= 1) return length;
  if (length > text.size()) return 0;
  const SecondByte second = SecondByteAfter(byte(0));
  if (byte(1) < second.low || byte(1) > second.high) return 0;
  for (size_t at = 2; at < length; ++at) {
    if (!IsContinuation(byte(at))) return 0;
  }
  return length;
}

}  // namespace

absl::optional<size_t> FindInvalidUtf8(absl::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t ascii = AsciiWords(text.substr(at));
    if (ascii > 0) {
      at += ascii;
      continue;
    }
    const size_t length = CharacterLength(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return absl::nullopt;
}

size_t CountCharacters(absl::string_view text) {
  size_t count = 0;
  for (const char byte : text) count += !IsContinuation(static_cast<unsigned char>(byte));
  return count;
}

std::string ToValidUtf8(absl::string_view text) {
  std::string valid;
  while (const absl::optional<size_t> invalid = FindInvalidUtf8(text)) {
    absl::StrAppend(&valid, text.substr(0, *invalid), "\uFFFD");
    text.remove_prefix(*invalid + 1);
  }
  absl::StrAppend(&valid, text);
  return valid;
}

size_t CutAt(absl::string_view text, size_t longest) {
  if (text.size() <= longest) return text.size();
  size_t end = longest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return end;
}

std::string Shortened(absl::string_view text, size_t longest) {
  const size_t end = CutAt(text, longest);
  return end == text.size() ? std::string(text) : absl::StrCat(text.substr(0, end), "...");
}

bool AppendCodePoint(char32_t code_point, std::string& text) {
  const auto append = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  const auto append_continuation = [&](int shift) {
    append(0x80 | ((code_point >> shift) & 0x3F));
  };
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (code_point == 0 || code_point > 0x10FFFF || surrogate) return false;
  if (code_point < 0x80) {
    append(code_point);
  } else if (code_point < 0x800) {
    append(0xC0 | (code_point >> 6));
    append_continuation(0);
  } else if (code_point < 0x10000) {
    append(0xE0 | (code_point >> 12));
    append_continuation(6);
    append_continuation(0);
  } else {
    append(0xF0 | (code_point >> 18));
    append_continuation(12);
    append_continuation(6);
    append_continuation(0);
  }
  return true;
}

}  // namespace migd
