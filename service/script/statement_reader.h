// Reads the beginning of a statement, token by token.
#pragma once

#include <initializer_list>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "service/script/sql_lexer.h"

namespace migd {

struct QualifiedName {
  // Empty if none was written.
  std::string schema;
  std::string name;
};

// Reads a statement by what is expected next. Accept... takes what it names if that comes, and
// nothing otherwise; only names and kinds of several tokens may be taken in part. A small value: a
// copy reads on from the same place. The text must outlive it.
class StatementReader {
 public:
  using Words = std::initializer_list<absl::string_view>;

  explicit StatementReader(absl::string_view sql) : lexer_(sql), next_(lexer_.NextOfStatement()) {}

  bool AtEnd() const { return next_.kind == Token::Kind::kEnd || lexer_.IsSymbol(next_, ';'); }

  bool Accept(absl::string_view word);
  bool AcceptAll(Words words);
  bool AcceptAnyOf(Words words);
  bool AcceptSymbol(char symbol);
  // A boolean option's value that means false.
  bool AcceptFalse();
  // The next word, folded; empty if none comes.
  std::string AcceptWord();
  // A name as PostgreSQL folds it.
  absl::optional<std::string> AcceptName();
  // [[catalog.]schema.]name
  absl::optional<QualifiedName> AcceptQualifiedName();

  // Takes one token, whatever it is.
  void Skip() { next_ = lexer_.NextOfStatement(); }
  // Takes everything up to the next comma outside parentheses, or to the end.
  void SkipToComma();

  // What has not been taken yet.
  absl::string_view rest() const { return lexer_.text().substr(next_.begin); }

 private:
  // The rest of a U&"" name, which may say UESCAPE 'c'.
  absl::optional<std::string> AcceptUnicodeEscapes(const std::string& text);

  SqlLexer lexer_;
  Token next_;
};

}  // namespace migd
