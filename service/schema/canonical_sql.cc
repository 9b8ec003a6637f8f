#include "service/schema/canonical_sql.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace migd {
namespace {

constexpr absl::string_view kArray = "(ARRAY[";
constexpr absl::string_view kCast = "])::";

// The end of the quoted text that begins at `at`; `at` if none does. A doubled quote ends one text
// and begins the next, which comes to the same.
size_t EndOfQuoted(absl::string_view sql, size_t at) {
  const char quote = sql[at];
  if (quote != '\'' && quote != '"') return at;
  const bool escapes = quote == '\'' && at > 0 && sql[at - 1] == 'E';
  for (size_t i = at + 1; i < sql.size(); ++i) {
    if (escapes && sql[i] == '\\') {
      ++i;
    } else if (sql[i] == quote) {
      return i + 1;
    }
  }
  return sql.size();
}

// The elements of an array whose first begins at `begin`, and where its bracket closes; npos if it
// does not.
size_t SplitElements(absl::string_view sql, size_t begin,
                     std::vector<absl::string_view>& elements) {
  int depth = 0;
  size_t element = begin;
  for (size_t i = begin; i < sql.size();) {
    const size_t quoted = EndOfQuoted(sql, i);
    if (quoted != i) {
      i = quoted;
      continue;
    }
    const char c = sql[i];
    if (c == '(' || c == '[') ++depth;
    if ((c == ')' || c == ']') && depth-- == 0) {
      elements.push_back(sql.substr(element, i - element));
      return c == ']' ? i : sql.npos;
    }
    if (c == ',' && depth == 0) {
      elements.push_back(sql.substr(element, i - element));
      element = i + 1;
      if (element < sql.size() && sql[element] == ' ') ++element;
    }
    ++i;
  }
  return sql.npos;
}

// The name of a type such as `text`, `character varying` or `public."Kind"`, up to its `[]`; empty
// if it is none.
absl::string_view ElementType(absl::string_view sql) {
  for (size_t i = 0; i < sql.size();) {
    const size_t quoted = sql[i] == '"' ? EndOfQuoted(sql, i) : i;
    if (quoted != i) {
      i = quoted;
      continue;
    }
    if (absl::StartsWith(sql.substr(i), "[]")) return sql.substr(0, i);
    const char c = sql[i];
    const bool in_name = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
                         c == ' ' || c == '$' || (c & 0x80) != 0;
    if (!in_name) return "";
    ++i;
  }
  return "";
}

// Rewrites the cast array at the beginning of `sql`; where it ends, or 0 if there is none.
size_t RewriteArray(absl::string_view sql, std::string& out) {
  if (!absl::StartsWith(sql, kArray)) return 0;
  std::vector<absl::string_view> elements;
  const size_t close = SplitElements(sql, kArray.size(), elements);
  if (close == sql.npos || !absl::StartsWith(sql.substr(close), kCast)) return 0;
  const absl::string_view type = ElementType(sql.substr(close + kCast.size()));
  if (type.empty()) return 0;
  absl::StrAppend(&out, "ARRAY[");
  for (size_t i = 0; i < elements.size(); ++i) {
    absl::StrAppend(&out, i == 0 ? "" : ", ", "(", CanonicalSql(elements[i]), ")::", type);
  }
  absl::StrAppend(&out, "]");
  return close + kCast.size() + type.size() + 2;
}

}  // namespace

std::string CanonicalSql(absl::string_view sql) {
  if (!absl::StrContains(sql, kArray)) return std::string(sql);
  std::string out;
  for (size_t i = 0; i < sql.size();) {
    const size_t quoted = EndOfQuoted(sql, i);
    if (quoted != i) {
      absl::StrAppend(&out, sql.substr(i, quoted - i));
      i = quoted;
      continue;
    }
    const size_t rewritten = RewriteArray(sql.substr(i), out);
    if (rewritten == 0) out.push_back(sql[i]);
    i += rewritten == 0 ? 1 : rewritten;
  }
  return out;
}

}  // namespace migd
