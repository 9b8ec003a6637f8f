#include "client/import/alembic_output.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/import/section.h"
#include "service/base/utf8.h"
#include "service/script/sql_lexer.h"
#include "service/script/sql_splitter.h"
#include "service/script/statement.h"

namespace migctl {
namespace {

using migd::SqlLexer;
using migd::Statement;
using migd::Token;

// The revision of a line "-- Running upgrade A -> B"; nothing on any other line.
absl::optional<std::string> RevisionOfStep(absl::string_view line, bool upgrade) {
  if (!absl::ConsumePrefix(&line, upgrade ? "-- Running upgrade " : "-- Running downgrade ")) {
    return absl::nullopt;
  }
  const size_t arrow = line.find("-> ");
  if (arrow == absl::string_view::npos) return absl::nullopt;
  const absl::string_view name = upgrade ? line.substr(arrow + 3) : line.substr(0, arrow);
  return std::string(absl::StripAsciiWhitespace(name));
}

// The name of a table, with its schema if it has one, at the next tokens.
std::string ReadTable(SqlLexer& lexer) {
  std::string table(lexer.TextOf(lexer.NextOfStatement()));
  SqlLexer ahead = lexer;
  if (ahead.IsSymbol(ahead.NextOfStatement(), '.')) {
    const Token name = ahead.NextOfStatement();
    absl::StrAppend(&table, ".", ahead.TextOf(name));
    lexer = ahead;
  }
  return table;
}

bool AcceptWord(SqlLexer& lexer, absl::string_view word) {
  SqlLexer ahead = lexer;
  if (!ahead.IsWord(ahead.NextOfStatement(), word)) return false;
  lexer = ahead;
  return true;
}

// The table that a statement of Alembic's own is about: INSERT INTO t (version_num) ..., UPDATE t
// SET version_num ..., DELETE FROM t WHERE t.version_num ...; empty for others.
std::string WrittenVersionTable(absl::string_view sql) {
  SqlLexer lexer(sql);
  const bool insert = AcceptWord(lexer, "insert") && AcceptWord(lexer, "into");
  const bool update = !insert && AcceptWord(lexer, "update");
  const bool removal = !insert && !update && AcceptWord(lexer, "delete");
  if (!insert && !update && !(removal && AcceptWord(lexer, "from"))) return "";
  const std::string table = ReadTable(lexer);
  if (insert && !lexer.IsSymbol(lexer.NextOfStatement(), '(')) return "";
  if (update && !AcceptWord(lexer, "set")) return "";
  const bool about_version =
      removal ? absl::StrContains(sql, "version_num") : AcceptWord(lexer, "version_num");
  return about_version ? table : "";
}

// A statement that Alembic puts behind a step: a COMMIT or BEGIN, or the version table itself.
bool IsBehindStep(absl::string_view sql, const std::string& version_table) {
  if (migd::IsTransactionControl(sql)) return true;
  SqlLexer lexer(sql);
  const bool table =
      (AcceptWord(lexer, "drop") || AcceptWord(lexer, "create")) && AcceptWord(lexer, "table");
  return table && !version_table.empty() && ReadTable(lexer) == version_table;
}

// The statements from `first` on are Alembic's, not the revision's: writes to the version table and
// what stands behind them. nullopt if there is no such write.
absl::optional<size_t> FirstOfAlembic(const std::vector<Statement>& statements,
                                      std::string& version_table) {
  absl::optional<size_t> first;
  for (size_t i = statements.size(); i > 0; --i) {
    const std::string table = WrittenVersionTable(statements[i - 1].text);
    if (table.empty() || (first.has_value() && table != version_table)) {
      if (first.has_value()) break;
      continue;
    }
    version_table = table;
    first = i - 1;
  }
  if (!first.has_value()) return absl::nullopt;
  for (size_t i = *first; i < statements.size(); ++i) {
    const absl::string_view sql = statements[i].text;
    if (WrittenVersionTable(sql).empty() && !IsBehindStep(sql, version_table)) return absl::nullopt;
  }
  return first;
}

// Whether a semicolon that Alembic has put behind a line comment is part of it: the statement would
// go on with what follows.
bool SwallowsASemicolon(absl::string_view sql) {
  SqlLexer lexer(sql);
  bool in_statement = false;
  for (Token token = lexer.Next(); token.kind != Token::Kind::kEnd; token = lexer.Next()) {
    if (token.kind == Token::Kind::kLineComment) {
      const bool swallows = absl::EndsWith(lexer.TextOf(token), ";") &&
                            absl::StartsWith(sql.substr(token.end), "\n\n");
      if (in_statement && swallows) return true;
      continue;
    }
    if (token.kind != Token::Kind::kBlockComment) in_statement = !lexer.IsSymbol(token, ';');
  }
  return false;
}

// Lines that a traceback or a log may end with and that say nothing of the failure.
bool SaysNothing(absl::string_view line) {
  return line.empty() || absl::StartsWith(line, "INFO ") || absl::StartsWith(line, "DEBUG ") ||
         absl::StartsWith(line, "(Background on this error");
}

}  // namespace

AlembicScript SplitAlembicScript(absl::string_view output, bool upgrade) {
  AlembicScript script;
  for (const absl::string_view line : LinesOf(output)) {
    const absl::optional<std::string> revision = RevisionOfStep(line, upgrade);
    if (revision.has_value()) {
      script.steps.push_back({*revision, ""});
    } else if (!script.steps.empty()) {
      absl::StrAppend(&script.steps.back().sql, line);
    } else if (absl::StripAsciiWhitespace(line) == "BEGIN;") {
      script.transactional = true;
    }
  }
  return script;
}

absl::optional<ImportedSection> SectionOfStep(const AlembicStep& step, bool transactional,
                                              const std::string& file, std::string& version_table,
                                              std::vector<ImportProblem>& problems) {
  if (SwallowsASemicolon(step.sql)) {
    problems.push_back({file, 0,
                        "a statement ends with a comment, into which Alembic writes the semicolon; "
                        "put a line break behind the comment"});
    return absl::nullopt;
  }
  const migd::SplitResult split = migd::SplitSql(step.sql, 0, 1);
  if (split.error.has_value()) {
    problems.push_back(
        {file, 0, absl::StrCat("in the SQL that Alembic prints for it: ", split.error->problem)});
    return absl::nullopt;
  }
  const absl::optional<size_t> first = FirstOfAlembic(split.statements, version_table);
  if (!first.has_value()) {
    problems.push_back({file, 0,
                        "the SQL that Alembic prints for it does not end with a write to the "
                        "version table"});
    return absl::nullopt;
  }
  const absl::string_view sql =
      absl::string_view(step.sql).substr(0, split.statements[*first].offset);
  absl::optional<ImportedSection> section =
      MakeSection(absl::StripAsciiWhitespace(sql), file, 1,
                  transactional ? Surroundings::kTransaction : Surroundings::kNone, problems);
  // The lines of what Alembic prints are not those of the script.
  if (section.has_value()) section->line = 0;
  return section;
}

std::vector<std::string> PathsInHistory(absl::string_view output) {
  std::vector<std::string> paths;
  for (absl::string_view line : LinesOf(output)) {
    // The text of a docstring is indented.
    if (absl::ConsumePrefix(&line, "Path: ")) {
      paths.emplace_back(absl::StripAsciiWhitespace(line));
    }
  }
  std::reverse(paths.begin(), paths.end());
  return paths;
}

std::string AlembicFailure(absl::string_view out, absl::string_view err) {
  const std::vector<absl::string_view> lines = LinesOf(err);
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const absl::string_view text = absl::StripAsciiWhitespace(*line);
    if (!SaysNothing(text)) return migd::ToValidUtf8(text);
  }
  for (absl::string_view line : LinesOf(out)) {
    line = absl::StripAsciiWhitespace(line);
    if (absl::ConsumePrefix(&line, "FAILED:")) {
      return migd::ToValidUtf8(absl::StripAsciiWhitespace(line));
    }
  }
  return "it says nothing of why";
}

std::string LastPlaceInTraceback(absl::string_view err, absl::string_view directory) {
  const std::string begin = absl::StrCat("File \"", directory, "/");
  const size_t found = err.rfind(begin);
  if (found == absl::string_view::npos) return "";
  const absl::string_view rest = err.substr(found + begin.size());
  const std::string path(rest.substr(0, rest.find('"')));
  return absl::StrCat(path, ":", LineInTraceback(err, absl::StrCat(directory, "/", path)));
}

int LineInTraceback(absl::string_view err, absl::string_view path) {
  const std::string place = absl::StrCat("File \"", path, "\", line ");
  const size_t found = err.rfind(place);
  if (found == absl::string_view::npos) return 0;
  const absl::string_view rest = err.substr(found + place.size());
  int line = 0;
  return absl::SimpleAtoi(rest.substr(0, rest.find_first_not_of("0123456789")), &line) ? line : 0;
}

}  // namespace migctl
