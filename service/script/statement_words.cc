#include "service/script/statement_words.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "service/script/sql_lexer.h"

namespace migd {
namespace {

using Words = std::vector<std::string>;

bool MayRunItsStrings(absl::string_view first_word) {
  constexpr absl::string_view kSuch[] = {"do",      "create",  "select", "call",
                                         "execute", "prepare", "with"};
  return std::find(std::begin(kSuch), std::end(kSuch), first_word) != std::end(kSuch);
}

// Behind DROP.
bool HoldsNoData(absl::string_view noun) {
  constexpr absl::string_view kSuch[] = {
      "aggregate", "cast",  "constraint", "default", "event",    "expression", "function",
      "identity",  "index", "not",        "policy",  "operator", "procedure",  "publication",
      "routine",   "rule",  "statistics", "trigger", "view"};
  return std::find(std::begin(kSuch), std::end(kSuch), noun) != std::end(kSuch);
}

// The words in a string, whatever stands between them.
void AddWordsOf(absl::string_view text, Words& words) {
  std::string word;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_') {
      word += absl::ascii_tolower(static_cast<unsigned char>(c));
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
}

}  // namespace

std::vector<std::string> WordsOf(absl::string_view statement) {
  Words words;
  SqlLexer lexer(statement);
  for (Token token = lexer.NextOfStatement(); token.kind != Token::Kind::kEnd;
       token = lexer.NextOfStatement()) {
    const bool may_run = !words.empty() && MayRunItsStrings(words.front());
    if (token.kind == Token::Kind::kString && may_run) {
      AddWordsOf(lexer.TextOf(token), words);
    } else {
      words.push_back(token.kind == Token::Kind::kWord ? absl::AsciiStrToLower(lexer.TextOf(token))
                                                       : std::string());
    }
  }
  return words;
}

bool SaysToDestroy(absl::string_view statement) {
  const Words words = WordsOf(statement);
  for (size_t i = 0; i < words.size(); ++i) {
    const absl::string_view next = i + 1 < words.size() ? words[i + 1] : absl::string_view();
    if (words[i] == "truncate" || (words[i] == "delete" && next == "from")) return true;
    if (words[i] == "drop" && !HoldsNoData(next)) return true;
  }
  return false;
}

}  // namespace migd
