#include "service/script/literals.h"

#include "absl/strings/str_cat.h"
#include "service/script/sql_lexer.h"

namespace migd {
namespace {

// What is shown of a token; nothing for a comment.
std::string Shown(const SqlLexer& lexer, const Token& token) {
  switch (token.kind) {
    case Token::Kind::kString:
    case Token::Kind::kNumber:
    case Token::Kind::kUnterminated:
      return "?";
    case Token::Kind::kLineComment:
    case Token::Kind::kBlockComment:
      return "";
    default:
      return std::string(lexer.TextOf(token));
  }
}

}  // namespace

std::string WithoutLiterals(absl::string_view sql) {
  std::string shown;
  SqlLexer lexer(sql);
  size_t end_before = 0;
  for (Token token = lexer.Next(); token.kind != Token::Kind::kEnd; token = lexer.Next()) {
    const std::string text = Shown(lexer, token);
    if (text.empty()) continue;
    const bool apart = token.begin > end_before && !shown.empty();
    absl::StrAppend(&shown, apart ? " " : "", text);
    end_before = token.end;
  }
  return shown;
}

}  // namespace migd
