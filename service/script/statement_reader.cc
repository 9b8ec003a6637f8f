#include "service/script/statement_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "service/base/utf8.h"

namespace migd {
namespace {

// PostgreSQL's NAMEDATALEN - 1: longer names are cut there, at the border of a character.
constexpr size_t kMaxNameBytes = 63;

std::string Truncated(std::string name) {
  if (name.size() <= kMaxNameBytes) return name;
  size_t end = kMaxNameBytes;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;
  name.resize(end);
  return name;
}

// The text between the double quotes of a name, with the doubled ones single.
std::string Unquoted(absl::string_view quoted) {
  const size_t open = quoted.find('"');
  const absl::string_view inside = quoted.substr(open + 1, quoted.size() - open - 2);
  return absl::StrReplaceAll(inside, {{"\"\"", "\""}});
}

// The characters of a U&"" name; nullopt if an escape in it is malformed.
class UnicodeEscapes {
 public:
  static absl::optional<std::string> Decode(absl::string_view text, char escape) {
    UnicodeEscapes decoder;
    while (!text.empty()) {
      if (!decoder.Step(text, escape)) return absl::nullopt;
    }
    if (decoder.high_surrogate_ != 0) return absl::nullopt;
    return std::move(decoder.decoded_);
  }

 private:
  // Takes a byte or an escape off the front of `text`: XX being the escape character, XX,
  // X0041 or X+000041.
  bool Step(absl::string_view& text, char escape) {
    if (text[0] != escape) return TakePlain(text, 1);
    if (text.size() > 1 && text[1] == escape) {
      text.remove_prefix(1);
      return TakePlain(text, 1);
    }
    const bool wide = text.size() > 1 && text[1] == '+';
    const size_t digits_at = wide ? 2 : 1;
    const size_t digits = wide ? 6 : 4;
    if (text.size() < digits_at + digits) return false;
    uint32_t code_point;
    const absl::string_view hex = text.substr(digits_at, digits);
    const bool is_hex = std::all_of(hex.begin(), hex.end(), [](char c) {
      return absl::ascii_isxdigit(static_cast<unsigned char>(c));
    });
    if (!is_hex || !absl::SimpleHexAtoi(hex, &code_point)) return false;
    text.remove_prefix(digits_at + digits);
    return TakeCodePoint(code_point);
  }

  bool TakePlain(absl::string_view& text, size_t length) {
    if (high_surrogate_ != 0) return false;
    decoded_.append(text.data(), length);
    text.remove_prefix(length);
    return true;
  }

  bool TakeCodePoint(uint32_t code_point) {
    const bool low_surrogate = code_point >= 0xDC00 && code_point <= 0xDFFF;
    if (high_surrogate_ != 0) {
      if (!low_surrogate) return false;
      const uint32_t high = std::exchange(high_surrogate_, 0);
      return AppendCodePoint(0x10000 + ((high - 0xD800) << 10) + (code_point - 0xDC00), decoded_);
    }
    if (code_point >= 0xD800 && code_point <= 0xDBFF) {
      high_surrogate_ = code_point;
      return true;
    }
    return AppendCodePoint(code_point, decoded_);
  }

  uint32_t high_surrogate_ = 0;
  std::string decoded_;
};

}  // namespace

bool StatementReader::Accept(absl::string_view word) {
  if (!lexer_.IsWord(next_, word)) return false;
  Skip();
  return true;
}

bool StatementReader::AcceptAll(Words words) {
  const StatementReader start = *this;
  for (const absl::string_view word : words) {
    if (Accept(word)) continue;
    *this = start;
    return false;
  }
  return true;
}

bool StatementReader::AcceptAnyOf(Words words) {
  return std::any_of(words.begin(), words.end(),
                     [this](absl::string_view word) { return Accept(word); });
}

bool StatementReader::AcceptSymbol(char symbol) {
  if (!lexer_.IsSymbol(next_, symbol)) return false;
  Skip();
  return true;
}

bool StatementReader::AcceptFalse() {
  const absl::string_view text = lexer_.TextOf(next_);
  const bool is_false = text == "0" || text == "'0'" || absl::EqualsIgnoreCase(text, "'off'") ||
                        absl::EqualsIgnoreCase(text, "'false'");
  if (is_false) Skip();
  return is_false || AcceptAnyOf({"off", "false"});
}

std::string StatementReader::AcceptWord() {
  if (next_.kind != Token::Kind::kWord) return "";
  std::string word = absl::AsciiStrToLower(lexer_.TextOf(next_));
  Skip();
  return word;
}

absl::optional<std::string> StatementReader::AcceptName() {
  const absl::string_view text = lexer_.TextOf(next_);
  switch (next_.kind) {
    case Token::Kind::kWord:
      return Truncated(AcceptWord());
    case Token::Kind::kQuotedName:
      Skip();
      return Truncated(Unquoted(text));
    case Token::Kind::kUnicodeName:
      Skip();
      return AcceptUnicodeEscapes(Unquoted(text));
    default:
      return absl::nullopt;
  }
}

absl::optional<QualifiedName> StatementReader::AcceptQualifiedName() {
  QualifiedName qualified;
  do {
    const absl::optional<std::string> part = AcceptName();
    if (!part.has_value()) return absl::nullopt;
    qualified.schema = std::exchange(qualified.name, *part);
  } while (AcceptSymbol('.'));
  return qualified;
}

void StatementReader::SkipToComma() {
  size_t depth = 0;
  while (!AtEnd()) {
    if (depth == 0 && lexer_.IsSymbol(next_, ',')) return;
    if (lexer_.IsSymbol(next_, '(') || lexer_.IsSymbol(next_, '[')) ++depth;
    if (lexer_.IsSymbol(next_, ')') || lexer_.IsSymbol(next_, ']')) depth -= depth > 0;
    Skip();
  }
}

absl::optional<std::string> StatementReader::AcceptUnicodeEscapes(const std::string& text) {
  char escape = '\\';
  if (Accept("uescape")) {
    const absl::string_view literal = lexer_.TextOf(next_);
    if (next_.kind != Token::Kind::kString || literal.size() != 3) return absl::nullopt;
    escape = literal[1];
    Skip();
  }
  absl::optional<std::string> name = UnicodeEscapes::Decode(text, escape);
  if (name.has_value()) name = Truncated(*std::move(name));
  return name;
}

}  // namespace migd
