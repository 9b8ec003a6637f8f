#include "client/text.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace migctl {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Unicode's East_Asian_Width W and F, as far as migrations are likely to hold them.
constexpr std::array<Range, 15> kWide = {{{0x1100, 0x115F},
                                          {0x231A, 0x231B},
                                          {0x2E80, 0x303E},
                                          {0x3041, 0x33FF},
                                          {0x3400, 0x4DBF},
                                          {0x4E00, 0x9FFF},
                                          {0xA000, 0xA4CF},
                                          {0xAC00, 0xD7A3},
                                          {0xF900, 0xFAFF},
                                          {0xFE30, 0xFE6F},
                                          {0xFF00, 0xFF60},
                                          {0xFFE0, 0xFFE6},
                                          {0x1F300, 0x1F64F},
                                          {0x1F680, 0x1F9FF},
                                          {0x20000, 0x3FFFD}}};

// Marks that combine with the character before, and characters without a glyph.
constexpr std::array<Range, 8> kZeroWidth = {{{0x0300, 0x036F},
                                              {0x0483, 0x0489},
                                              {0x0591, 0x05BD},
                                              {0x1AB0, 0x1AFF},
                                              {0x200B, 0x200D},
                                              {0x20D0, 0x20FF},
                                              {0xFE00, 0xFE0F},
                                              {0xE0100, 0xE01EF}}};

// What can reorder or hide the text around it.
constexpr std::array<Range, 5> kInvisible = {
    {{0x061C, 0x061C}, {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF}}};

template <size_t n>
bool Contains(const std::array<Range, n>& ranges, char32_t value) {
  return std::any_of(ranges.begin(), ranges.end(), [value](const Range& range) {
    return range.first <= value && value <= range.last;
  });
}

int WidthOf(const Character& character) {
  if (!character.valid) return 1;
  if (Contains(kZeroWidth, character.value)) return 0;
  return Contains(kWide, character.value) ? 2 : 1;
}

bool IsControl(char32_t value) { return value < 0x20 || (value >= 0x7F && value < 0xA0); }

// The length of the colour sequence that `text` begins with; 0 if there is none.
size_t ColorSequenceSize(absl::string_view text) {
  if (text.size() < 3 || text[0] != '\x1b' || text[1] != '[') return 0;
  const size_t end = text.find('m');
  return end == absl::string_view::npos ? 0 : end + 1;
}

std::string EscapedCharacter(absl::string_view bytes, const Character& character) {
  if (!character.valid) {
    return absl::StrFormat("\\x%02x", static_cast<unsigned char>(bytes.front()));
  }
  switch (character.value) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  const auto value = static_cast<unsigned>(character.value);
  if (value < 0x80) return absl::StrFormat("\\x%02x", value);
  if (IsControl(character.value) || Contains(kInvisible, character.value)) {
    return absl::StrFormat("\\u%04x", value);
  }
  return std::string(bytes);
}

bool IsPlain(char byte) { return byte >= 0x20 && byte < 0x7F; }

}  // namespace

Character FirstCharacter(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};

  size_t size = 0;
  char32_t value = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
    value = lead & 0x1F;
  } else if ((lead & 0xF0) == 0xE0) {
    size = 3;
    value = lead & 0x0F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    value = lead & 0x07;
  }
  if (size == 0 || text.size() < size) return {lead, 1, false};
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {lead, 1, false};
    value = (value << 6) | (byte(i) & 0x3F);
  }
  const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (overlong || surrogate || value > 0x10FFFF) return {lead, 1, false};
  return {value, size, true};
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const Character character = FirstCharacter(text);
    if (!character.valid) return false;
    text.remove_prefix(character.size);
  }
  return true;
}

int DisplayWidth(absl::string_view text) {
  int width = 0;
  while (!text.empty()) {
    if (const size_t sequence = ColorSequenceSize(text); sequence > 0) {
      text.remove_prefix(sequence);
      continue;
    }
    const Character character = FirstCharacter(text);
    width += WidthOf(character);
    text.remove_prefix(character.size);
  }
  return width;
}

std::string Truncate(absl::string_view text, int width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  std::string kept;
  int used = 0;
  bool full = width < 1;
  while (!text.empty()) {
    if (const size_t sequence = ColorSequenceSize(text); sequence > 0) {
      absl::StrAppend(&kept, text.substr(0, sequence));
      text.remove_prefix(sequence);
      continue;
    }
    const Character character = FirstCharacter(text);
    if (!full && used + WidthOf(character) > width - 1) {
      full = true;
      absl::StrAppend(&kept, "…");
    }
    if (!full) {
      absl::StrAppend(&kept, text.substr(0, character.size));
      used += WidthOf(character);
    }
    text.remove_prefix(character.size);
  }
  return kept;
}

std::string PadRight(absl::string_view text, int width) {
  return absl::StrCat(text, std::string(std::max(0, width - DisplayWidth(text)), ' '));
}

std::string PadLeft(absl::string_view text, int width) {
  return absl::StrCat(std::string(std::max(0, width - DisplayWidth(text)), ' '), text);
}

std::string Escape(absl::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  while (!text.empty()) {
    if (IsPlain(text.front())) {
      escaped += text.front();
      text.remove_prefix(1);
      continue;
    }
    const Character character = FirstCharacter(text);
    escaped += EscapedCharacter(text.substr(0, character.size), character);
    text.remove_prefix(character.size);
  }
  return escaped;
}

std::vector<std::string> EscapedLines(absl::string_view text) {
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    lines.push_back(Escape(absl::StripSuffix(line, "\r")));
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

std::string Count(int count, absl::string_view noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

}  // namespace migctl
