// Splits SQL text into statements by the rules of psql.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "service/script/statement.h"

namespace migd {

// What keeps a text from being split, and where.
struct SqlTextError {
  int line = 0;
  std::string problem;
};

// The statements of a text, or the first thing that is wrong with it.
struct SplitResult {
  std::vector<Statement> statements;
  absl::optional<SqlTextError> error;
};

// Splits `sql`, which begins at `offset`, line `line` of its file. Follows psqlscan.l: quotes
// ('', E'', U&'', "", B'', X''), dollar quotes, nested comments, parentheses, BEGIN ATOMIC bodies
// of CREATE FUNCTION/PROCEDURE, COPY ... FROM stdin with its data. Where psql's reading differs
// from the server's, as it does for names such as `AS end` in a body and for E'' strings continued
// on the next line, the server's counts. A statement without text (a lone semicolon, comments) is
// left out. An unterminated quote, comment, parenthesis, body or COPY data, invalid UTF-8, a NUL
// byte, or a psql command (a backslash outside quotes; \restrict and \unrestrict lines, as pg_dump
// writes them, are passed over) is an error; the statements before it are returned too. Linear in
// the size of the text, whatever its nesting.
SplitResult SplitSql(absl::string_view sql, size_t offset, int line);

// A place in a text: bytes from 0, lines and columns (in characters) from 1. It only moves forward,
// so that finding the lines and columns of all statements takes one pass.
class TextPosition {
 public:
  explicit TextPosition(absl::string_view text, size_t offset = 0, int line = 1)
      : text_(text), offset_(offset), line_(line) {}

  // Moves to `offset`, which lies at or behind the present one.
  void AdvanceTo(size_t offset);

  size_t offset() const { return offset_; }
  int line() const { return line_; }
  int column() const { return column_; }

 private:
  absl::string_view text_;
  size_t offset_;
  int line_;
  int column_ = 1;
};

// Where a text is encoded wrongly, if it is: invalid UTF-8 or a NUL byte.
absl::optional<SqlTextError> CheckEncoding(absl::string_view text, int line);

// Splits the part of `text` from `position` on up to the first comment with `--` that is the first
// thing on its line, stands between tokens, and for which `ends_part` holds. Moves `position` to
// where that comment begins, to the end of the text, or to where it found an error. The text must
// have passed CheckEncoding.
SplitResult SplitSqlPart(absl::string_view text, TextPosition& position,
                         absl::FunctionRef<bool(absl::string_view comment)> ends_part);

}  // namespace migd
