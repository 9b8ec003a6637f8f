#include "service/script/literals.h"

#include "absl/strings/str_cat.h"
#include "service/base/utf8.h"
#include "service/script/sql_lexer.h"

namespace migd {
namespace {

constexpr size_t kLongestSummary = 120;
// Strings and comments may be long, and leave little.
constexpr size_t kLongestRead = 4096;

// What is shown of a token; nothing for a comment.
std::string Shown(const SqlLexer& lexer, const Token& token, bool with_numbers) {
  switch (token.kind) {
    case Token::Kind::kNumber:
      return with_numbers ? std::string(lexer.TextOf(token)) : "?";
    case Token::Kind::kString:
    case Token::Kind::kUnterminated:
      return "?";
    case Token::Kind::kLineComment:
    case Token::Kind::kBlockComment:
      return "";
    default:
      return std::string(lexer.TextOf(token));
  }
}

std::string Masked(absl::string_view sql, bool with_numbers) {
  std::string shown;
  SqlLexer lexer(sql);
  size_t end_before = 0;
  for (Token token = lexer.Next(); token.kind != Token::Kind::kEnd; token = lexer.Next()) {
    const std::string text = Shown(lexer, token, with_numbers);
    if (text.empty()) continue;
    const bool apart = token.begin > end_before && !shown.empty();
    absl::StrAppend(&shown, apart ? " " : "", text);
    end_before = token.end;
  }
  return shown;
}

bool IsDefinition(absl::string_view sql) {
  SqlLexer lexer(sql);
  const Token first = lexer.NextOfStatement();
  return lexer.IsWord(first, "create") || lexer.IsWord(first, "alter");
}

}  // namespace

std::string WithoutLiterals(absl::string_view sql) { return Masked(sql, false); }

std::string SummaryOfStatement(absl::string_view sql) {
  const absl::string_view beginning = sql.substr(0, CutAt(sql, kLongestRead));
  return Shortened(Masked(beginning, IsDefinition(beginning)), kLongestSummary);
}

}  // namespace migd
