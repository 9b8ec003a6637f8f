#include "client/import/goose.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "client/import/marked_file.h"
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

class GooseFile : public MarkedFile {
 public:
  GooseFile(const PeerFile& file, std::vector<ImportProblem>& problems)
      : MarkedFile(file, problems, {"goose", "-- +goose Up"}) {}

 private:
  bool TakeMarker(absl::string_view text) override {
    const absl::optional<std::string> annotation = AnnotationOf(text);
    if (annotation.has_value()) TakeAnnotation(*annotation);
    return annotation.has_value();
  }

  // Lines keep their numbers: an annotation leaves an empty one.
  void TakeAnnotation(const std::string& annotation) {
    if (annotation == "up" && !up().present) {
      BeginPart(up());
    } else if (annotation == "down" && !down().present) {
      BeginPart(down());
    } else if (annotation == "statementbegin" && part() != nullptr) {
      TakeText("\n");
      block_begin_ = part()->sql.size();
    } else if (annotation == "statementend" && part() != nullptr) {
      EndStatement();
    } else if (annotation == "no transaction") {
      // It counts for the whole file, wherever it stands.
      up().transactional = false;
      down().transactional = false;
      TakeText("\n");
    } else if (annotation == "envsub on") {
      TakeText("\n");
      AddProblem(line(),
                 "ENVSUB ON puts values of the environment into the SQL; put them in the "
                 "place of their names and take the annotation out");
    } else if (annotation == "envsub off") {
      TakeText("\n");
    } else {
      TakeText("\n");
      AddProblem(line(),
                 absl::StrCat("\"+goose ", annotation, "\" is unknown, or stands where it cannot"));
    }
  }

  void BeginPart(Part& part) {
    Begin(part);
    block_begin_ = 0;
  }

  // A statement that is held together needs no semicolon, but the next one has to be told from it.
  void EndStatement() {
    if (LacksSemicolon(absl::string_view(part()->sql).substr(block_begin_))) TakeText(";");
    TakeText("\n");
  }

  // Where the statement begins, in the section's SQL, that StatementBegin holds together.
  size_t block_begin_ = 0;
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
    GooseFile(file, reading.problems).Read(imported);
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
