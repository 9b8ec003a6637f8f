#include "service/base/redact.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace migd {
namespace {

constexpr char kWord[] = "password";
constexpr size_t kWordLength = sizeof kWord - 1;

bool IsSpace(char c) { return absl::ascii_isspace(static_cast<unsigned char>(c)); }

void Mask(std::string& text, size_t begin, size_t end) {
  for (size_t i = begin; i < end && i < text.size(); ++i) {
    if (text[i] != '\n' && text[i] != '\r') text[i] = '*';
  }
}

// Where the quoted text that begins at `begin` ends: before its closing quote, or at the end of
// the text. A doubled quote stands for one.
size_t EndOfQuoted(absl::string_view text, size_t begin, char quote) {
  size_t end = begin;
  while (end < text.size()) {
    if (text[end] != quote) {
      ++end;
    } else if (end + 1 < text.size() && text[end + 1] == quote) {
      end += 2;
    } else {
      return end;
    }
  }
  return text.size();
}

// Masks what follows the word that ends at `at`; returns where to go on.
size_t MaskValue(std::string& text, size_t at) {
  bool assigned = false;
  while (at < text.size() && (IsSpace(text[at]) || text[at] == '=')) {
    assigned = assigned || text[at] == '=';
    ++at;
  }
  // An escape string: E'...'.
  if (at + 1 < text.size() && (text[at] == 'e' || text[at] == 'E') && text[at + 1] == '\'') ++at;
  if (at < text.size() && text[at] == '\'') {
    const size_t end = EndOfQuoted(text, at + 1, '\'');
    Mask(text, at + 1, end);
    return end;
  }
  if (!assigned) return at;
  size_t end = at;
  while (end < text.size() && !IsSpace(text[end]) && text[end] != '\'' && text[end] != '&') ++end;
  Mask(text, at, end);
  return end;
}

void MaskAfterWord(std::string& text) {
  const std::string lower = absl::AsciiStrToLower(text);
  size_t at = lower.find(kWord);
  while (at != std::string::npos) {
    const size_t next = MaskValue(text, at + kWordLength);
    at = lower.find(kWord, std::max(next, at + kWordLength));
  }
}

void MaskInUris(std::string& text) {
  for (size_t at = text.find("://"); at != std::string::npos; at = text.find("://", at + 3)) {
    const size_t authority = at + 3;
    const size_t end = std::min(text.find_first_of(" \t\r\n'\"/?", authority), text.size());
    const size_t host = text.rfind('@', end);
    if (host == std::string::npos || host < authority) continue;
    const size_t colon = text.find(':', authority);
    if (colon < host) Mask(text, colon + 1, host);
  }
}

// `text` with what stands between `open` and the `close` behind it as `?`, if it has one and
// `is_value` holds for it.
template <typename Predicate>
std::string MaskBetween(absl::string_view text, absl::string_view open, char close,
                        Predicate is_value) {
  std::string masked;
  while (true) {
    const size_t begin = text.find(open);
    if (begin == text.npos) return masked.append(text.data(), text.size());
    const size_t first = begin + open.size();
    const size_t end = EndOfQuoted(text, first, close);
    masked.append(text.data(), first);
    const absl::string_view inside = text.substr(first, end - first);
    masked += is_value(inside) ? "?" : std::string(inside);
    text.remove_prefix(end);
    if (text.empty()) return masked;
    masked += close;
    text.remove_prefix(1);
  }
}

}  // namespace

std::string MaskValues(absl::string_view message, absl::string_view sqlstate) {
  const bool quotes_values = absl::StartsWith(sqlstate, "22") || sqlstate == "P0001";
  const auto always = [](absl::string_view) { return true; };
  const auto is_value = [quotes_values](absl::string_view quoted) {
    // A syntax error quotes a token as it stands: a literal with its quotes, or a number.
    return quotes_values || quoted.find_first_of("'$") != quoted.npos ||
           (!quoted.empty() && absl::ascii_isdigit(static_cast<unsigned char>(quoted[0])));
  };
  std::string masked = MaskBetween(MaskPasswords(message), "\"", '"', is_value);
  masked = MaskBetween(masked, "'", '\'', always);
  return MaskBetween(masked, "=(", ')', always);
}

std::string MaskPasswords(absl::string_view text) {
  std::string masked(text);
  MaskAfterWord(masked);
  MaskInUris(masked);
  return masked;
}

}  // namespace migd
