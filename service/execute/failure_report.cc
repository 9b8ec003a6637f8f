#include "service/execute/failure_report.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/optional.h"
#include "service/base/redact.h"
#include "service/base/utf8.h"

namespace migd {
namespace {

// Limits in bytes. gRPC delivers a status with its details only up to 8 KB of header.
constexpr size_t kLongestText = 1200;
constexpr size_t kLongestLine = 240;

// The byte at which character `position` (from 1) of `text` begins; its end if there is none.
size_t ByteOfCharacter(absl::string_view text, int position) {
  int character = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins && ++character == position) return i;
  }
  return text.size();
}

// What PostgreSQL said, as others may see it.
std::string Public(absl::string_view text) { return Shortened(MaskPasswords(text), kLongestText); }

bool IsWordCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

// How many characters the token at the beginning of `text` has: a word, a quoted one, or one sign.
int TokenLength(absl::string_view text) {
  if (text.empty()) return 0;
  size_t end = 1;
  if (text[0] == '"' || text[0] == '\'') {
    const size_t close = text.find_first_of(absl::StrCat(text.substr(0, 1), "\n"), 1);
    if (close != absl::string_view::npos && text[close] == text[0]) end = close + 1;
  } else if (IsWordCharacter(text[0])) {
    while (end < text.size() && IsWordCharacter(text[end])) ++end;
  }
  return static_cast<int>(CountCharacters(text.substr(0, end)));
}

// Where the fault is in `statement`, in bytes; nothing if nobody knows. For many errors PostgreSQL
// gives no position, but quotes the name at fault ("discont" in `column "discont" does not exist`):
// then it is where the statement has that name, if it is there once only.
absl::optional<size_t> FindFault(absl::string_view statement, const ServerError& error) {
  if (error.position > 0) return ByteOfCharacter(statement, error.position);
  const std::vector<absl::string_view> parts = absl::StrSplit(error.message, '"');
  if (parts.size() < 3 || parts[1].empty()) return absl::nullopt;
  const absl::string_view name = parts[1];
  absl::optional<size_t> found;
  for (size_t at = statement.find(name); at != absl::string_view::npos;
       at = statement.find(name, at + 1)) {
    const size_t end = at + name.size();
    const bool whole = (at == 0 || !IsWordCharacter(statement[at - 1])) &&
                       (end == statement.size() || !IsWordCharacter(statement[end]));
    if (!whole) continue;
    if (found) return absl::nullopt;
    found = at;
  }
  return found;
}

// A piece of the line around `column` (a byte), and where the column is in it.
struct Excerpt {
  std::string text;
  size_t column;
};

Excerpt ExcerptOf(absl::string_view line, size_t column) {
  if (line.size() <= kLongestLine) return {std::string(line), column};
  const size_t begin = CutAt(line, column > kLongestLine / 2 ? column - kLongestLine / 2 : 0);
  const absl::string_view rest = line.substr(begin);
  return {std::string(rest.substr(0, CutAt(rest, kLongestLine))), column - begin};
}

// The line of `contents` from `begin` to `end`, without passwords. Those of the statement are found
// in the whole of it: the word may stand on the line before.
std::string PublicLine(absl::string_view contents, size_t begin, size_t end,
                       const Statement& statement) {
  std::string line(contents.substr(begin, end - begin));
  const std::string masked = MaskPasswords(statement.text);
  const size_t first = std::max(begin, statement.offset);
  const size_t last = std::min(end, statement.offset + masked.size());
  for (size_t i = first; i < last; ++i) line[i - begin] = masked[i - statement.offset];
  return MaskPasswords(line);
}

}  // namespace

migration::v1::StatementFailure DescribeFailure(const MigrationFile& file,
                                                const Statement& statement,
                                                const ServerError& error) {
  const absl::string_view contents = file.contents();
  const absl::optional<size_t> fault_in_statement = FindFault(statement.text, error);
  const size_t fault = statement.offset + fault_in_statement.value_or(0);

  const size_t newline_before = fault == 0 ? contents.npos : contents.rfind('\n', fault - 1);
  const size_t line_begin = newline_before == contents.npos ? 0 : newline_before + 1;
  size_t line_end = std::min(contents.find('\n', fault), contents.size());
  if (line_end > fault && contents[line_end - 1] == '\r') --line_end;
  const std::string line = PublicLine(contents, line_begin, line_end, statement);
  const absl::string_view before_fault = contents.substr(line_begin, fault - line_begin);
  const absl::string_view statement_before =
      contents.substr(statement.offset, fault - statement.offset);

  migration::v1::StatementFailure failure;
  failure.set_revision(file.revision().id);
  failure.set_file(file.revision().path);
  failure.set_line(statement.line + static_cast<int>(std::count(statement_before.begin(),
                                                                statement_before.end(), '\n')));
  failure.set_column(static_cast<int>(CountCharacters(before_fault)) + 1);
  if (fault_in_statement) failure.set_length(TokenLength(contents.substr(fault)));
  const Excerpt excerpt = ExcerptOf(line, before_fault.size());
  failure.set_source_line(excerpt.text);
  failure.set_source_column(
      static_cast<int>(CountCharacters(absl::string_view(excerpt.text).substr(0, excerpt.column))) +
      1);
  failure.set_sqlstate(error.sqlstate);
  failure.set_postgres_message(Public(error.message));
  failure.set_postgres_detail(Public(error.detail));
  failure.set_postgres_hint(Public(error.hint));
  failure.set_postgres_context(Public(error.context));
  return failure;
}

}  // namespace migd
