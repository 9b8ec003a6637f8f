#include "service/script/sql_lexer.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace migd {
namespace {

// The character classes of psqlscan.l, and \v, which PostgreSQL 16 added to the spaces.
bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\f' || c == '\v'; }
bool IsNewline(char c) { return c == '\n' || c == '\r'; }
bool IsSpace(char c) { return IsBlank(c) || IsNewline(c); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsTagStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsTagPart(char c) { return IsTagStart(c) || IsDigit(c); }
bool IsWordPart(char c) { return IsTagPart(c) || c == '$'; }

size_t EndOfLine(absl::string_view text, size_t from) {
  while (from < text.size() && !IsNewline(text[from])) ++from;
  return from;
}

// The first place from `from` on that holds `a` or `b`, or the end of the text.
size_t FindEither(absl::string_view text, char a, char b, size_t from) {
  while (from < text.size() && text[from] != a && text[from] != b) ++from;
  return from;
}

// SQL joins string literals that only white space with a newline separates (comments with -- count
// as such). Returns the quote of the literal that continues one that ends before `from`, or npos.
size_t ContinuingQuote(absl::string_view text, size_t from) {
  bool newline = false;
  while (from < text.size()) {
    if (IsSpace(text[from])) {
      newline = newline || IsNewline(text[from]);
      ++from;
    } else if (absl::StartsWith(text.substr(from), "--")) {
      from = EndOfLine(text, from);
    } else {
      break;
    }
  }
  const bool continues = newline && from < text.size() && text[from] == '\'';
  return continues ? from : absl::string_view::npos;
}

}  // namespace

Token SqlLexer::Make(Token::Kind kind, size_t begin, size_t end) {
  at_ = end;
  return Token{kind, begin, end};
}

bool SqlLexer::IsWord(const Token& token, absl::string_view word) const {
  return token.kind == Token::Kind::kWord && absl::EqualsIgnoreCase(TextOf(token), word);
}

Token SqlLexer::Next() {
  while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  const size_t begin = at_;
  if (begin >= text_.size()) return Make(Token::Kind::kEnd, text_.size(), text_.size());
  const char first = text_[begin];
  if (IsTagStart(first)) return Word(begin);
  if (IsDigit(first)) return Number(begin);
  switch (first) {
    case '\'':
      return PlainString(begin, begin);
    case '"':
      return QuotedName(Token::Kind::kQuotedName, begin, begin);
    case '$':
      return Dollar(begin);
    case '\\':
      return Backslash(begin);
    case '-':
      if (At(begin + 1) == '-') return LineComment(begin);
      break;
    case '/':
      if (At(begin + 1) == '*') return BlockComment(begin);
      break;
    default:
      break;
  }
  return Make(Token::Kind::kSymbol, begin, begin + 1);
}

Token SqlLexer::NextOfStatement() {
  while (true) {
    const Token token = Next();
    switch (token.kind) {
      case Token::Kind::kLineComment:
      case Token::Kind::kBlockComment:
      case Token::Kind::kRestrict:
        continue;
      default:
        return token;
    }
  }
}

Token SqlLexer::LineComment(size_t begin) {
  return Make(Token::Kind::kLineComment, begin, EndOfLine(text_, begin));
}

Token SqlLexer::BlockComment(size_t begin) {
  size_t depth = 1;
  size_t at = begin + 2;
  while (depth > 0) {
    at = FindEither(text_, '*', '/', at);
    if (at >= text_.size()) return Unterminated(begin);
    if (text_[at] == '/' && At(at + 1) == '*') {
      ++depth;
      at += 2;
    } else if (text_[at] == '*' && At(at + 1) == '/') {
      --depth;
      at += 2;
    } else {
      ++at;
    }
  }
  return Make(Token::Kind::kBlockComment, begin, at);
}

// A word, or the quote that a prefix of one or two characters introduces.
Token SqlLexer::Word(size_t begin) {
  const char prefix = text_[begin];
  const char next = At(begin + 1);
  if (next == '\'' && (prefix == 'e' || prefix == 'E')) return EscapeString(begin, begin + 1);
  if (next == '\'' && absl::StrContains("bBxX", prefix)) return PlainString(begin, begin + 1);
  if (next == '&' && (prefix == 'u' || prefix == 'U')) {
    const char quote = At(begin + 2);
    if (quote == '\'') return PlainString(begin, begin + 2);
    if (quote == '"') return QuotedName(Token::Kind::kUnicodeName, begin, begin + 2);
  }
  size_t end = begin + 1;
  while (end < text_.size() && IsWordPart(text_[end])) ++end;
  return Make(Token::Kind::kWord, begin, end);
}

Token SqlLexer::Number(size_t begin) {
  size_t end = begin + 1;
  while (end < text_.size() && IsTagPart(text_[end])) ++end;
  return Make(Token::Kind::kNumber, begin, end);
}

// $tag$ body $tag$, or a lone dollar sign, as that of the parameter $1.
Token SqlLexer::Dollar(size_t begin) {
  size_t tag_end = begin + 1;
  if (IsTagStart(At(tag_end))) {
    while (tag_end < text_.size() && IsTagPart(text_[tag_end])) ++tag_end;
  }
  if (At(tag_end) != '$') return Make(Token::Kind::kSymbol, begin, begin + 1);
  const absl::string_view delimiter = text_.substr(begin, tag_end + 1 - begin);
  const size_t close = text_.find(delimiter, tag_end + 1);
  if (close == absl::string_view::npos) return Unterminated(begin);
  return Make(Token::Kind::kString, begin, close + delimiter.size());
}

Token SqlLexer::Backslash(size_t begin) {
  absl::string_view command = text_.substr(begin + 1);
  const bool restrict =
      absl::ConsumePrefix(&command, "restrict") || absl::ConsumePrefix(&command, "unrestrict");
  const bool whole_word = command.empty() || IsSpace(command.front());
  if (restrict && whole_word && StartsLine(text_, begin)) {
    return Make(Token::Kind::kRestrict, begin, EndOfLine(text_, begin));
  }
  return Make(Token::Kind::kBackslash, begin, begin + 1);
}

// A doubled quote ends one token and begins the next here; for splitting that comes to the same,
// and literals are never read.
Token SqlLexer::PlainString(size_t begin, size_t quote) {
  const size_t close = text_.find('\'', quote + 1);
  if (close == absl::string_view::npos) return Unterminated(begin);
  return Make(Token::Kind::kString, begin, close + 1);
}

// Backslashes escape in the continuations too, so these belong to the token.
Token SqlLexer::EscapeString(size_t begin, size_t quote) {
  size_t at = quote + 1;
  while (true) {
    at = FindEither(text_, '\'', '\\', at);
    if (at >= text_.size()) return Unterminated(begin);
    if (text_[at] == '\\') {
      at += 2;
    } else if (At(at + 1) == '\'') {
      at += 2;
    } else {
      const size_t continuation = ContinuingQuote(text_, at + 1);
      if (continuation == absl::string_view::npos) break;
      at = continuation + 1;
    }
  }
  return Make(Token::Kind::kString, begin, at + 1);
}

Token SqlLexer::QuotedName(Token::Kind kind, size_t begin, size_t quote) {
  size_t at = quote + 1;
  while (true) {
    at = text_.find('"', at);
    if (at == absl::string_view::npos) return Unterminated(begin);
    if (At(at + 1) != '"') break;
    at += 2;
  }
  return Make(kind, begin, at + 1);
}

std::string UnterminatedProblem(absl::string_view token) {
  if (absl::StartsWith(token, "/*")) return "this comment is never closed; end it with */";
  if (token.front() == '$') {
    const absl::string_view delimiter = token.substr(0, token.find('$', 1) + 1);
    return absl::StrCat("the dollar quote ", delimiter, " is never closed; end it with ",
                        delimiter);
  }
  if (token[token.find_first_of("'\"")] == '"') {
    return "this quoted name is never closed; end it with \"";
  }
  return "this string is never closed; end it with '";
}

bool StartsLine(absl::string_view text, size_t position) {
  while (position > 0 && IsBlank(text[position - 1])) --position;
  return position == 0 || IsNewline(text[position - 1]);
}

}  // namespace migd
