#include "service/lint/waivers.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "service/script/sql_lexer.h"
#include "service/script/sql_splitter.h"

namespace migd {
namespace {

constexpr absl::string_view kTag = "lint:";

// What follows `lint:` in a comment with `--`; nothing if the comment is no waiver.
absl::optional<absl::string_view> TagText(absl::string_view comment) {
  absl::string_view text = absl::StripAsciiWhitespace(absl::StripPrefix(comment, "--"));
  if (!absl::ConsumePrefix(&text, kTag)) return absl::nullopt;
  return text;
}

void Parse(absl::string_view text, Waiver& waiver) {
  const size_t end = text.find_first_of(" \t");
  if (text.substr(0, end) != "allow") {
    waiver.problem = "a comment `lint:` is followed by `allow`";
    return;
  }
  text = end == text.npos ? "" : text.substr(end);
  const size_t because = text.find(" because");
  for (absl::string_view rule :
       absl::StrSplit(text.substr(0, because), absl::ByAnyChar(", \t"), absl::SkipEmpty())) {
    waiver.rules.emplace_back(rule);
  }
  if (because != text.npos) {
    waiver.reason = std::string(
        absl::StripAsciiWhitespace(text.substr(because + absl::string_view(" because").size())));
  }
  if (waiver.rules.empty()) {
    waiver.problem = "the waiver names no rule";
  } else if (waiver.reason.empty()) {
    waiver.problem = "the waiver gives no reason";
  }
}

// Reads the comments of a part of a file.
class Reader {
 public:
  explicit Reader(const MigrationFile& file) : text_(file.contents()), position_(text_) {}

  // Adds the waivers in [begin, end); `statement_end` is where the statement before ends.
  void Read(size_t begin, size_t end, const Waiver& place, size_t statement_end) {
    // What has no tag need not be read again, however large it is.
    if (!absl::StrContains(text_.substr(begin, end - begin), kTag)) return;
    SqlLexer lexer(text_.substr(0, end), begin);
    for (Token token = lexer.Next(); token.kind != Token::Kind::kEnd; token = lexer.Next()) {
      if (token.kind != Token::Kind::kLineComment) continue;
      const auto tag = TagText(lexer.TextOf(token));
      if (!tag) continue;
      Waiver& waiver = waivers_.emplace_back(place);
      position_.AdvanceTo(token.begin);
      waiver.line = position_.line();
      waiver.column = position_.column();
      const absl::string_view gap =
          text_.substr(statement_end, std::max(token.begin, statement_end) - statement_end);
      const bool is_behind = waiver.statement_index > 1 && !absl::StrContains(gap, '\n');
      if (is_behind) --waiver.statement_index;
      Parse(*tag, waiver);
    }
  }

  std::vector<Waiver> Take() { return std::move(waivers_); }

 private:
  const absl::string_view text_;
  TextPosition position_;
  std::vector<Waiver> waivers_;
};

size_t EndOf(const Statement& statement) {
  if (statement.copy_data) {
    // It stands in the same text, behind the statement.
    return statement.offset +
           static_cast<size_t>(statement.copy_data->data() - statement.text.data()) +
           statement.copy_data->size();
  }
  return statement.offset + statement.text.size();
}

// Where a line begins, from 1.
size_t LineStart(absl::string_view text, int line) {
  size_t at = 0;
  for (int i = 1; i < line && at != text.npos; ++i) {
    at = text.find('\n', at);
    if (at != text.npos) ++at;
  }
  return std::min(at, text.size());
}

// The part of the file from the section's marker to `end`.
void ReadSection(const Section& section, Waiver::Scope scope, size_t begin, size_t end,
                 Reader& reader) {
  Waiver place;
  place.scope = scope;
  size_t at = begin;
  for (const Statement& statement : section.statements) {
    ++place.statement_index;
    const size_t statement_end = statement.offset + statement.text.size();
    reader.Read(at, statement_end, place, at);
    at = EndOf(statement);
  }
  // Behind the last statement only what stands on its line belongs to it.
  ++place.statement_index;
  reader.Read(at, end, place, at);
}

}  // namespace

std::vector<Waiver> ReadWaivers(const MigrationFile& file) {
  const absl::string_view text = file.contents();
  if (!absl::StrContains(text, kTag)) return {};
  const size_t up = LineStart(text, file.up().line);
  const size_t down = file.down().present ? LineStart(text, file.down().line) : text.size();
  Reader reader(file);
  reader.Read(0, up, Waiver(), 0);
  ReadSection(file.up(), Waiver::Scope::kUp, up, down, reader);
  if (file.down().present) {
    ReadSection(file.down(), Waiver::Scope::kDown, down, text.size(), reader);
  }
  return reader.Take();
}

}  // namespace migd
