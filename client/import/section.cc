#include "client/import/section.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/script/sql_lexer.h"
#include "service/script/sql_splitter.h"
#include "service/script/statement.h"

namespace migctl {
namespace {

using migd::SqlLexer;
using migd::Statement;
using migd::Token;

// The words of a statement in upper case, `limit` at most; symbols, strings and numbers are words
// too.
std::vector<std::string> FirstWords(absl::string_view sql, size_t limit) {
  std::vector<std::string> words;
  SqlLexer lexer(sql);
  while (words.size() < limit) {
    const Token token = lexer.NextOfStatement();
    if (token.kind == Token::Kind::kEnd || token.kind == Token::Kind::kUnterminated) break;
    words.push_back(absl::AsciiStrToUpper(lexer.TextOf(token)));
  }
  return words;
}

bool IsOneOf(absl::string_view word, std::initializer_list<absl::string_view> words) {
  return absl::c_linear_search(words, word);
}

// PostgreSQL refuses the statement in a transaction.
bool StatementRefusesTransaction(absl::string_view sql) {
  std::vector<std::string> words = FirstWords(sql, 3);
  words.resize(3);
  const std::string& verb = words[0];
  if (verb == "VACUUM") return true;
  if (verb == "REFRESH") return false;  // CONCURRENTLY or not
  if (verb == "CREATE" || verb == "DROP") {
    if (IsOneOf(words[1], {"DATABASE", "TABLESPACE", "SUBSCRIPTION"})) return true;
  }
  if (verb == "ALTER" && words[1] == "SYSTEM") return true;
  if (verb == "DISCARD" && words[1] == "ALL") return true;
  if (verb == "REINDEX" && IsOneOf(words[1], {"SCHEMA", "DATABASE", "SYSTEM"})) return true;
  return migd::IsConcurrent(sql);
}

enum class Control { kNone, kBegin, kCommit, kOther };

Control ControlOf(absl::string_view sql) {
  if (!migd::IsTransactionControl(sql)) return Control::kNone;
  constexpr size_t kLongest = 3;
  const std::vector<std::string> words = FirstWords(sql, kLongest);
  const bool plain =
      words.size() < kLongest && (words.size() < 2 || IsOneOf(words[1], {"WORK", "TRANSACTION"}));
  if (plain && IsOneOf(words[0], {"BEGIN", "START"})) return Control::kBegin;
  if (plain && IsOneOf(words[0], {"COMMIT", "END"})) return Control::kCommit;
  return Control::kOther;
}

// A statement with what belongs to it: bytes [begin, end) of the text.
struct Extent {
  size_t begin = 0;
  size_t end = 0;
  bool has_semicolon = true;
};

Extent ExtentOf(absl::string_view sql, const Statement& statement) {
  Extent extent{statement.offset, statement.offset + statement.text.size()};
  if (statement.copy_data.has_value()) {
    constexpr absl::string_view kEndOfData = "\\.";
    const char* const data_end = statement.copy_data->data() + statement.copy_data->size();
    extent.end = static_cast<size_t>(data_end - sql.data()) + kEndOfData.size();
    return extent;
  }
  SqlLexer lexer(sql, extent.end);
  const Token token = lexer.NextOfStatement();
  extent.has_semicolon = lexer.IsSymbol(token, ';');
  if (extent.has_semicolon) extent.end = token.end;
  return extent;
}

// Statements that run in one transaction, or each by itself.
struct Region {
  bool in_transaction = true;
  std::vector<Extent> statements;
};

// A change of the text: bytes [begin, end) are replaced. No two overlap.
struct Edit {
  size_t begin = 0;
  size_t end = 0;
  std::string text;
};

std::string Apply(absl::string_view sql, std::vector<Edit> edits) {
  // What is put in at a place goes before what is taken out there: the two do not overlap then.
  std::sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  std::string changed;
  size_t at = 0;
  for (const Edit& edit : edits) {
    absl::StrAppend(&changed, sql.substr(at, edit.begin - at), edit.text);
    at = edit.end;
  }
  absl::StrAppend(&changed, sql.substr(at));
  return changed;
}

// Divides the statements of a section at its BEGINs and COMMITs.
class Divider {
 public:
  Divider(absl::string_view sql, const std::string& file, Surroundings surroundings,
          std::vector<ImportProblem>& problems)
      : sql_(sql), file_(file), surroundings_(surroundings), problems_(problems) {
    regions_.emplace_back();
  }

  void Add(const Statement& statement) {
    const Control control = ControlOf(statement.text);
    const Extent extent = ExtentOf(sql_, statement);
    if (control == Control::kNone) {
      regions_.back().statements.push_back(extent);
      return;
    }
    if (control == Control::kOther) {
      problems_.push_back(
          {file_, statement.line,
           absl::StrCat(FirstWords(statement.text, 1).front(),
                        " cannot be translated, as only a plain BEGIN or COMMIT can; take it out "
                        "or put the file into words of ours by hand")});
      return;
    }
    removals_.push_back({extent.begin, EndOfRemoval(extent), ""});
    regions_.push_back(
        {control == Control::kBegin || surroundings_ == Surroundings::kTransactions, {}});
  }

  // What the section has become.
  migd::SectionText Finish() {
    regions_.erase(std::remove_if(regions_.begin(), regions_.end(),
                                  [](const Region& region) { return region.statements.empty(); }),
                   regions_.end());
    std::vector<Edit> edits = std::move(removals_);
    if (edits.empty()) return {true, std::string(sql_)};
    const bool whole = regions_.empty() || (regions_.size() == 1 && regions_[0].in_transaction);
    if (!whole) {
      for (const Region& region : regions_) Surround(region, edits);
    }
    return {whole, Apply(sql_, std::move(edits))};
  }

 private:
  // A statement that has its line to itself is taken out with it.
  size_t EndOfRemoval(const Extent& extent) const {
    if (!migd::StartsLine(sql_, extent.begin)) return extent.end;
    const size_t rest = sql_.find_first_not_of(" \t\r", extent.end);
    return rest != absl::string_view::npos && sql_[rest] == '\n' ? rest + 1 : extent.end;
  }

  // A single statement is a transaction of its own anyway.
  static void Surround(const Region& region, std::vector<Edit>& edits) {
    if (!region.in_transaction || region.statements.size() < 2) return;
    const Extent& first = region.statements.front();
    const Extent& last = region.statements.back();
    edits.push_back({first.begin, first.begin, "BEGIN;\n"});
    edits.push_back({last.end, last.end, last.has_semicolon ? "\nCOMMIT;" : ";\nCOMMIT;"});
  }

  const absl::string_view sql_;
  const std::string& file_;
  const Surroundings surroundings_;
  std::vector<ImportProblem>& problems_;
  std::vector<Region> regions_;
  std::vector<Edit> removals_;
};

// Leading blank lines, which the section does not have.
size_t BlankLines(absl::string_view sql) {
  const size_t begin = sql.find_first_not_of(" \t\r\n\f\v");
  return static_cast<size_t>(absl::c_count(sql.substr(0, begin), '\n'));
}

}  // namespace

absl::optional<ImportedSection> MakeSection(absl::string_view sql, const std::string& file,
                                            int line, Surroundings surroundings,
                                            std::vector<ImportProblem>& problems) {
  const migd::SplitResult split = migd::SplitSql(sql, 0, line);
  if (split.error.has_value()) {
    problems.push_back({file, split.error->line, split.error->problem});
    return absl::nullopt;
  }
  ImportedSection section;
  section.file = file;
  if (surroundings == Surroundings::kNone) {
    section.text = {false, std::string(sql)};
  } else {
    const size_t problems_before = problems.size();
    Divider divider(sql, file, surroundings, problems);
    for (const Statement& statement : split.statements) divider.Add(statement);
    if (problems.size() > problems_before) return absl::nullopt;
    section.text = divider.Finish();
  }
  if (section.text.sql == sql) section.line = line + static_cast<int>(BlankLines(sql));
  return section;
}

bool RefusesTransaction(absl::string_view sql) {
  const migd::SplitResult split = migd::SplitSql(sql, 0, 1);
  return absl::c_any_of(split.statements, [](const Statement& statement) {
    return StatementRefusesTransaction(statement.text);
  });
}

absl::string_view WithoutByteOrderMark(absl::string_view contents) {
  return absl::StripPrefix(contents, "\xEF\xBB\xBF");
}

std::vector<absl::string_view> LinesOf(absl::string_view text) {
  std::vector<absl::string_view> lines;
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    const size_t size = newline == absl::string_view::npos ? text.size() : newline + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

}  // namespace migctl
