#include "client/import/goose.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "client/import/section.h"
#include "client/import/versions.h"
#include "service/script/sql_lexer.h"

namespace migctl {
namespace {

// The digits before the first underscore of a file's name; empty if there are none.
absl::string_view VersionOf(absl::string_view name) {
  const size_t digits = name.find_first_not_of("0123456789");
  const bool has_version = digits != 0 && digits != absl::string_view::npos && name[digits] == '_';
  return has_version ? name.substr(0, digits) : "";
}

// What follows `+goose` on an annotation's line, in lower case; nothing on any other line.
absl::optional<std::string> AnnotationOf(absl::string_view line) {
  const bool comment = absl::StartsWith(absl::StripLeadingAsciiWhitespace(line), "--");
  if (!comment || !absl::StrContains(line, "+goose")) return absl::nullopt;
  const std::string text = absl::StrReplaceAll(line, {{"--", ""}, {"+goose", ""}});
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(text));
}

// The last token of `sql`, comments aside, is no semicolon.
bool LacksSemicolon(absl::string_view sql) {
  migd::SqlLexer lexer(sql);
  bool lacks = false;
  for (migd::Token token = lexer.NextOfStatement(); token.kind != migd::Token::Kind::kEnd;
       token = lexer.NextOfStatement()) {
    lacks = !lexer.IsSymbol(token, ';');
  }
  return lacks;
}

// Reads one file line by line, as goose does: an annotation counts wherever its line stands.
class FileReader {
 public:
  FileReader(const PeerFile& file, std::vector<ImportProblem>& problems)
      : file_(file), problems_(problems) {}

  void Read(ImportedRevision& imported) {
    for (const absl::string_view line : LinesOf(WithoutByteOrderMark(file_.contents))) {
      ++line_;
      const absl::optional<std::string> annotation = AnnotationOf(line);
      if (annotation.has_value()) {
        TakeAnnotation(*annotation);
      } else {
        TakeText(line);
      }
    }
    if (!up_.present) {
      AddProblem(0, "no \"-- +goose Up\"; goose does not run such a file");
      return;
    }
    Store(up_, imported.up);
    if (!down_.present) return;
    imported.down.emplace();
    Store(down_, *imported.down);
  }

 private:
  struct Part {
    bool present = false;
    int line = 1;  // of the first line of `sql`
    std::string sql;
    // Where the statement begins that StatementBegin holds together.
    size_t block_begin = 0;
  };

  void AddProblem(int line, absl::string_view text) {
    problems_.push_back({file_.path, line, std::string(text)});
  }

  // Lines keep their numbers: an annotation leaves an empty one.
  void TakeAnnotation(const std::string& annotation) {
    if (annotation == "up" && !up_.present) {
      Begin(up_);
    } else if (annotation == "down" && !down_.present) {
      Begin(down_);
    } else if (annotation == "statementbegin" && part_ != nullptr) {
      part_->sql += '\n';
      part_->block_begin = part_->sql.size();
    } else if (annotation == "statementend" && part_ != nullptr) {
      EndStatement();
    } else if (annotation == "no transaction") {
      transactional_ = false;
      TakeText("\n");
    } else if (annotation == "envsub on") {
      TakeText("\n");
      AddProblem(line_,
                 "ENVSUB ON puts values of the environment into the SQL; put them in the "
                 "place of their names and take the annotation out");
    } else if (annotation == "envsub off") {
      TakeText("\n");
    } else {
      TakeText("\n");
      AddProblem(line_,
                 absl::StrCat("\"+goose ", annotation, "\" is unknown, or stands where it cannot"));
    }
  }

  void Begin(Part& part) {
    part_ = &part;
    part.present = true;
    // What stands above the first annotation, comments, comes along.
    if (&part == &up_) part.sql = std::exchange(preamble_, "");
    part.line = part.sql.empty() ? line_ + 1 : 1;
    if (!part.sql.empty()) part.sql += '\n';
  }

  // A statement that is held together needs no semicolon, but the next one has to be told from it.
  void EndStatement() {
    std::string& sql = part_->sql;
    if (LacksSemicolon(absl::string_view(sql).substr(part_->block_begin))) sql += ';';
    sql += '\n';
  }

  void TakeText(absl::string_view line) {
    if (part_ != nullptr) {
      absl::StrAppend(&part_->sql, line);
      return;
    }
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    if (!text.empty() && !absl::StartsWith(text, "--")) {
      AddProblem(line_, "SQL above \"-- +goose Up\"; goose does not run such a file");
    }
    absl::StrAppend(&preamble_, line);
  }

  void Store(Part& part, ImportedSection& section) {
    absl::optional<ImportedSection> made =
        MakeSection(part.sql, file_.path, part.line,
                    transactional_ ? Surroundings::kTransaction : Surroundings::kNone, problems_);
    if (made.has_value()) section = *std::move(made);
  }

  const PeerFile& file_;
  std::vector<ImportProblem>& problems_;
  int line_ = 0;
  bool transactional_ = true;
  std::string preamble_;
  Part up_;
  Part down_;
  Part* part_ = nullptr;
};

void ReadFile(const PeerFile& file, Reading& reading) {
  const bool is_sql = absl::EndsWith(file.path, ".sql");
  const bool is_go = absl::EndsWith(file.path, ".go") && !absl::EndsWith(file.path, "_test.go");
  const absl::string_view version = VersionOf(file.path);
  if (is_go && !version.empty()) {
    reading.problems.push_back({file.path, 0,
                                "a migration in Go; write what it does as SQL, or leave it out "
                                "with --skip"});
  } else if (is_sql && version.empty()) {
    reading.notes.push_back(absl::StrCat(
        file.path, " is left out, as goose does: its name is not <version>_<name>.sql"));
  } else if (is_sql) {
    absl::string_view name = file.path;
    name.remove_prefix(version.size() + 1);
    ImportedRevision imported;
    imported.source = file.path;
    imported.revision = RevisionOf(version, absl::StripSuffix(name, ".sql"));
    FileReader(file, reading.problems).Read(imported);
    reading.revisions.push_back(std::move(imported));
  }
}

}  // namespace

Reading ReadGoose(const std::vector<PeerFile>& files) {
  Reading reading;
  for (const PeerFile& file : files) ReadFile(file, reading);
  LinkInOrder(reading, VersionLess);
  reading.version_table = "goose_db_version";
  NoteMissingDowns(reading, "no \"-- +goose Down\"");
  return reading;
}

}  // namespace migctl
