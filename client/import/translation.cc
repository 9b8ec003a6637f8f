#include "client/import/translation.h"

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"
#include "service/revision/revision_graph.h"
#include "service/script/migration_file.h"
#include "service/script/migration_text.h"
#include "service/script/sql_lexer.h"
#include "service/script/sql_splitter.h"

namespace migctl {
namespace {

using migd::MigrationFile;
using migd::Revision;
using migd::RevisionGraph;

// What RevisionGraph says of revisions: a line for each problem.
std::vector<std::string> GraphProblems(const absl::Status& status) {
  std::vector<std::string> problems;
  for (const absl::string_view line : absl::StrSplit(status.message(), '\n')) {
    if (absl::StartsWith(line, "  ")) problems.emplace_back(absl::StripAsciiWhitespace(line));
  }
  return problems;
}

bool SameHeader(const Revision& a, const Revision& b) {
  return a.id == b.id && a.message == b.message && a.down_revisions == b.down_revisions &&
         a.branch_labels == b.branch_labels && a.depends_on == b.depends_on;
}

// The statement names `table`, quoted or not; not in a string or in the body of a function.
bool Names(absl::string_view sql, absl::string_view table) {
  migd::SqlLexer lexer(sql);
  for (migd::Token token = lexer.Next(); token.kind != migd::Token::Kind::kEnd;
       token = lexer.Next()) {
    const bool quoted = token.kind == migd::Token::Kind::kQuotedName;
    if (lexer.IsWord(token, table)) return true;
    if (quoted && lexer.TextOf(token) == absl::StrCat("\"", table, "\"")) return true;
  }
  return false;
}

// The section runs the statements of `text` and no others.
bool RunsTheSame(const migd::Section& section, const migd::SectionText& text) {
  const migd::SplitResult split = migd::SplitSql(text.sql, 0, 1);
  if (section.transactional != text.transactional) return false;
  if (section.statements.size() != split.statements.size()) return false;
  for (size_t i = 0; i < split.statements.size(); ++i) {
    if (section.statements[i].text != split.statements[i].text) return false;
    if (section.statements[i].copy_data != split.statements[i].copy_data) return false;
  }
  return true;
}

class Translator {
 public:
  explicit Translator(const Reading& reading) : reading_(reading) {
    result_.problems = reading.problems;
  }

  Translation Run() {
    for (const ImportedRevision& imported : reading_.revisions) Add(imported);
    // A graph without the revisions that could not be read has problems of that alone.
    if (result_.problems.empty()) CheckGraph();
    return std::move(result_);
  }

 private:
  void AddProblem(const std::string& file, int line, absl::string_view text) {
    result_.problems.push_back({file, line, std::string(text)});
  }

  void Add(const ImportedRevision& imported) {
    Revision revision = imported.revision;
    revision.path = migd::MigrationFileName(revision.id, revision.message);
    const size_t problems_before = result_.problems.size();
    CheckNames(imported);
    CheckMessage(imported.source, revision);
    if (result_.problems.size() > problems_before) return;

    absl::optional<migd::SectionText> down;
    if (imported.down.has_value()) down = imported.down->text;
    const std::string text = migd::MigrationText(revision, imported.up.text, down);
    const MigrationFile::ParseResult parsed = MigrationFile::Parse(revision.path, text);
    for (const std::string& problem : parsed.problems) {
      AddParseProblem(imported, revision.path, text, problem);
    }
    if (parsed.file != nullptr) CheckParsed(imported, *parsed.file);
    result_.migrations.push_back({revision.path, text, revision.id, imported.source});
    revisions_.push_back(std::move(revision));
  }

  // What is wrong with the id and the labels for themselves, said before anything stands on them.
  void CheckNames(const ImportedRevision& imported) {
    Revision alone;
    alone.id = imported.revision.id;
    alone.branch_labels = imported.revision.branch_labels;
    const absl::StatusOr<RevisionGraph> graph = RevisionGraph::Create({std::move(alone)});
    if (graph.ok()) return;
    for (const std::string& problem : GraphProblems(graph.status())) {
      AddProblem(imported.source, 0, absl::StripPrefix(problem, ": "));
    }
  }

  // A message that reads like another line of the header is lost, or breaks it.
  void CheckMessage(const std::string& source, Revision revision) {
    if (KeepsHeader(revision)) return;
    const std::string message = std::exchange(revision.message, "");
    if (!KeepsHeader(revision)) return;  // something else is wrong: Parse says it
    AddProblem(source, 0,
               absl::StrCat("its words \"", message,
                            "\" cannot be the first line of a migration file; change them"));
  }

  static bool KeepsHeader(const Revision& revision) {
    const MigrationFile::ParseResult parsed =
        MigrationFile::Parse(revision.path, migd::MigrationText(revision, {}, absl::nullopt));
    return parsed.file != nullptr && SameHeader(parsed.file->revision(), revision);
  }

  // `problem` is "path:line: text" about the file that would be written.
  void AddParseProblem(const ImportedRevision& imported, const std::string& path,
                       const std::string& text, absl::string_view problem) {
    absl::ConsumePrefix(&problem, absl::StrCat(path, ":"));
    const size_t colon = problem.find(": ");
    int line = 0;
    if (colon == absl::string_view::npos || !absl::SimpleAtoi(problem.substr(0, colon), &line)) {
      AddProblem(imported.source, 0, problem);
      return;
    }
    const ImportedSection& section = SectionAt(imported, text, line);
    const int first_line = FirstLineOf(section, text);
    const bool corresponds = section.line > 0 && first_line > 0 && line >= first_line;
    AddProblem(section.file, corresponds ? section.line + line - first_line : 0,
               problem.substr(colon + 2));
  }

  // The section of the new file that `line` is in.
  static const ImportedSection& SectionAt(const ImportedRevision& imported, const std::string& text,
                                          int line) {
    if (!imported.down.has_value()) return imported.up;
    const int down = FirstLineOf(*imported.down, text);
    return down > 0 && line >= down ? *imported.down : imported.up;
  }

  // The line of the new file on which the SQL of `section` begins; 0 if it has none.
  static int FirstLineOf(const ImportedSection& section, const std::string& text) {
    const absl::string_view sql = absl::StripAsciiWhitespace(section.text.sql);
    // The section that comes last is found first: the two may be alike.
    const size_t at = sql.empty() ? std::string::npos : text.rfind(std::string(sql));
    if (at == std::string::npos) return 0;
    migd::TextPosition position(text);
    position.AdvanceTo(at);
    return position.line();
  }

  void CheckParsed(const ImportedRevision& imported, const MigrationFile& file) {
    CheckSection(imported.up, file.up());
    if (imported.down.has_value()) CheckSection(*imported.down, file.down());
    if (imported.down.has_value() != file.down().present) {
      AddProblem(imported.source, 0,
                 "a comment in it reads like a marker of ours, such as \"-- migrate:down\"; "
                 "change it");
    }
  }

  void CheckSection(const ImportedSection& section, const migd::Section& parsed) {
    for (const migd::Statement& statement : parsed.statements) {
      if (reading_.version_table.empty()) break;
      if (!Names(statement.text, reading_.version_table)) continue;
      AddProblem(section.file, PeerLine(section, parsed, statement.line),
                 absl::StrCat("names ", reading_.version_table,
                              ", which a database without the other tool does not have; take the "
                              "statement out"));
    }
    if (RunsTheSame(parsed, section.text)) return;
    AddProblem(section.file, 0,
               "its statements would not be the same in a migration file of ours; see whether a "
               "comment in it reads like \"-- migrate:down\"");
  }

  // The line of the peer's file for a line of the new one; 0 if they do not correspond.
  static int PeerLine(const ImportedSection& section, const migd::Section& parsed, int line) {
    // The SQL begins two lines below its marker: see MigrationText.
    return section.line > 0 ? section.line + line - (parsed.line + 2) : 0;
  }

  void CheckGraph() {
    const absl::StatusOr<RevisionGraph> graph = RevisionGraph::Create(revisions_);
    if (graph.ok()) {
      for (const migd::RevisionIndex head : graph->heads()) {
        result_.heads.push_back(graph->revision(head).id);
      }
      return;
    }
    // The problems name our files; people know the peer's.
    std::vector<std::pair<std::string, std::string>> names;
    for (const NewMigration& migration : result_.migrations) {
      names.emplace_back(migration.name, migration.source);
    }
    for (const std::string& problem : GraphProblems(graph.status())) {
      AddProblem("", 0, absl::StrReplaceAll(problem, names));
    }
  }

  const Reading& reading_;
  std::vector<Revision> revisions_;
  Translation result_;
};

}  // namespace

Translation Translate(const Reading& reading) { return Translator(reading).Run(); }

}  // namespace migctl
