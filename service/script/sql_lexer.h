// The tokens of SQL text, by the rules of psql.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace migd {

// A token: bytes [begin, end) of the text.
struct Token {
  enum class Kind {
    kEnd,           // the end of the text, an empty token
    kWord,          // a keyword or an unquoted name
    kQuotedName,    // "name"
    kUnicodeName,   // U&"name"
    kString,        // '', E'', U&'', B'', X'', $$ $$: each with its continuations
    kNumber,        // a number, or as much of it as has no sign or point
    kSymbol,        // any other character: punctuation, one character of an operator
    kLineComment,   // -- to the end of the line, which is not part of it
    kBlockComment,  // /* */, with those nested in it
    kRestrict,      // a line \restrict or \unrestrict, as pg_dump writes them
    kBackslash,     // the backslash of any other psql command
    kUnterminated,  // a quote or a comment that the text does not end, up to its end
  };
  Kind kind = Kind::kEnd;
  size_t begin = 0;
  size_t end = 0;
};

// Reads tokens one by one, passing over white space. Follows psqlscan.l, with
// standard_conforming_strings on. A small value: a copy reads on from the same place. The text must
// outlive it. Reading all of a text takes linear time, whatever its nesting.
class SqlLexer {
 public:
  explicit SqlLexer(absl::string_view text, size_t begin = 0) : text_(text), at_(begin) {}

  // The next token; kEnd again and again at the end.
  Token Next();

  // The same, passing over comments and \restrict lines.
  Token NextOfStatement();

  absl::string_view text() const { return text_; }
  absl::string_view TextOf(const Token& token) const {
    return text_.substr(token.begin, token.end - token.begin);
  }
  bool IsSymbol(const Token& token, char symbol) const {
    return token.kind == Token::Kind::kSymbol && text_[token.begin] == symbol;
  }
  // The token is the unquoted word `word`, in any case.
  bool IsWord(const Token& token, absl::string_view word) const;

  // The position of the next byte to read.
  size_t position() const { return at_; }
  // Reads on from `position`.
  void MoveTo(size_t position) { at_ = position; }

 private:
  char At(size_t position) const { return position < text_.size() ? text_[position] : '\0'; }
  Token Make(Token::Kind kind, size_t begin, size_t end);
  Token Unterminated(size_t begin) { return Make(Token::Kind::kUnterminated, begin, text_.size()); }

  Token LineComment(size_t begin);
  Token BlockComment(size_t begin);
  Token Word(size_t begin);
  Token Number(size_t begin);
  Token Dollar(size_t begin);
  Token Backslash(size_t begin);
  // A quoted token that began at `begin` and whose opening quote is at `quote`.
  Token PlainString(size_t begin, size_t quote);
  Token EscapeString(size_t begin, size_t quote);
  Token QuotedName(Token::Kind kind, size_t begin, size_t quote);

  absl::string_view text_;
  size_t at_;
};

// What is wrong with an unterminated token, and what to do, given the text from its beginning.
std::string UnterminatedProblem(absl::string_view token);

// Only blanks stand before `position` on its line.
bool StartsLine(absl::string_view text, size_t position);

}  // namespace migd
