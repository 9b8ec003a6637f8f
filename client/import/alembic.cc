#include "client/import/alembic.h"

#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "client/import/alembic_output.h"
#include "client/import/peer_directory.h"
#include "client/import/python_header.h"

namespace migctl {
namespace {

// One script of the project.
struct Script {
  // As Alembic prints it, and as people know it.
  std::string path;
  std::string source;
  std::string contents;
  PythonHeader header;
  bool skipped = false;
};

// Why Alembic could not print the SQL of a revision.
struct Failure {
  int line = 0;
  std::string text;
};

// The SQL of one direction, by revision.
struct Direction {
  explicit Direction(bool is_upgrade) : upgrade(is_upgrade) {}

  bool upgrade = true;
  std::map<std::string, AlembicStep> steps;
  std::map<std::string, Failure> failures;
  // Alembic begins transactions around the steps.
  bool transactional = false;

  bool Knows(const std::string& revision) const {
    return steps.count(revision) > 0 || failures.count(revision) > 0;
  }
  size_t known() const { return steps.size() + failures.size(); }
};

absl::optional<absl::Time> ParseDate(absl::string_view text) {
  for (const char* format : {"%Y-%m-%d %H:%M:%E*S", "%Y-%m-%d %H:%M:%E*S%Ez"}) {
    absl::Time time;
    std::string error;
    if (absl::ParseTime(format, text, absl::UTCTimeZone(), &time, &error)) return time;
  }
  return absl::nullopt;
}

// What a docstring says: the first line is the message, the lines that Alembic's template adds are
// known otherwise, and the rest is comment.
struct Words {
  std::string message;
  absl::optional<absl::Time> create_time;
  // SQL comments; empty if there is nothing more to say.
  std::string comment;
};

bool IsTemplateLine(absl::string_view line, Words& words) {
  if (absl::StartsWithIgnoreCase(line, "Revision ID:")) return true;
  if (absl::StartsWithIgnoreCase(line, "Revises:")) return true;
  constexpr absl::string_view kDate = "Create Date:";
  if (!absl::StartsWithIgnoreCase(line, kDate)) return false;
  words.create_time = ParseDate(absl::StripAsciiWhitespace(line.substr(kDate.size())));
  return true;
}

Words ReadDocstring(absl::string_view docstring) {
  Words words;
  std::vector<std::string> comments;
  for (absl::string_view line : absl::StrSplit(docstring, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (IsTemplateLine(line, words)) continue;
    if (words.message.empty()) {
      words.message = std::string(line);
    } else if (!line.empty()) {
      comments.push_back(absl::StrCat("-- ", line, "\n"));
    } else if (!comments.empty() && comments.back() != "--\n") {
      comments.emplace_back("--\n");
    }
  }
  while (!comments.empty() && comments.back() == "--\n") comments.pop_back();
  words.comment = absl::StrJoin(comments, "");
  return words;
}

class Reader {
 public:
  Reader(const AlembicProject& project, std::vector<std::string>& skipped)
      : project_(project), skipped_(skipped) {}

  absl::StatusOr<Reading> Read() {
    absl::Status status = ReadScripts();
    if (status.ok()) status = CollectUpgrades();
    if (status.ok()) status = CollectDowngrades();
    if (!status.ok()) return status;
    for (const Script& script : scripts_) Add(script);
    NoteAboutTheWhole();
    return std::move(reading_);
  }

 private:
  void AddProblem(const Script& script, int line, absl::string_view text) {
    reading_.problems.push_back({script.source, line, std::string(text)});
  }

  absl::Status Failed(const std::vector<std::string>& arguments, const ProgramResult& result) {
    const std::string place = LastPlaceInTraceback(
        result.err, std::filesystem::absolute(project_.directory).lexically_normal().string());
    return absl::FailedPreconditionError(absl::StrCat(
        "alembic ", absl::StrJoin(arguments, " "), " fails", place.empty() ? "" : " at ", place,
        ": ", AlembicFailure(result.out, result.err)));
  }

  // --- The scripts ---

  absl::Status ReadScripts() {
    const std::vector<std::string> arguments = {"history", "--verbose"};
    const absl::StatusOr<ProgramResult> history = project_.run(arguments);
    if (!history.ok()) return history.status();
    if (history->exit_code != 0) return Failed(arguments, *history);
    for (const std::string& path : PathsInHistory(history->out)) {
      const absl::Status status = ReadScript(path);
      if (!status.ok()) return status;
    }
    MarkSkipped();
    return absl::OkStatus();
  }

  absl::Status ReadScript(const std::string& path) {
    Script script;
    script.path = path;
    script.source = SourceOf(path);
    absl::StatusOr<std::string> contents = project_.read(path);
    if (!contents.ok()) return contents.status();
    script.contents = *std::move(contents);
    int line = 0;
    std::string problem;
    absl::optional<PythonHeader> header = ReadPythonHeader(script.contents, line, problem);
    if (!header.has_value()) {
      AddProblem(script, line, problem);
      return absl::OkStatus();
    }
    script.header = *std::move(header);
    scripts_.push_back(std::move(script));
    return absl::OkStatus();
  }

  std::string SourceOf(const std::string& path) const {
    const auto relative = std::filesystem::path(path).lexically_relative(
        std::filesystem::absolute(project_.directory).lexically_normal());
    const bool below = !relative.empty() && *relative.begin() != "..";
    return below ? relative.generic_string() : path;
  }

  void MarkSkipped() {
    std::vector<std::string> sources;
    for (const Script& script : scripts_) sources.push_back(script.source);
    for (const size_t index :
         FindSkipped(project_.directory, project_.skip, sources, reading_.problems)) {
      scripts_[index].skipped = true;
      skipped_.push_back(scripts_[index].source);
    }
  }

  const Script* Find(const std::string& revision) const {
    const auto found = absl::c_find_if(
        scripts_, [&revision](const Script& script) { return script.header.revision == revision; });
    return found == scripts_.end() ? nullptr : &*found;
  }

  // --- Their SQL ---

  // Asks for the SQL of a range and takes what is new. `failed` is the revision that Alembic
  // stopped at, if it did; an error if it stopped before any.
  absl::Status Collect(Direction& direction, const std::string& range, std::string& failed) {
    failed.clear();
    const std::vector<std::string> arguments = {direction.upgrade ? "upgrade" : "downgrade", range,
                                                "--sql"};
    const absl::StatusOr<ProgramResult> result = project_.run(arguments);
    if (!result.ok()) return result.status();
    AlembicScript script = SplitAlembicScript(result->out, direction.upgrade);
    direction.transactional = direction.transactional || script.transactional;
    if (result->exit_code != 0) {
      if (script.steps.empty()) return Failed(arguments, *result);
      failed = script.steps.back().revision;
      script.steps.pop_back();
      NoteFailure(direction, failed, *result);
    }
    for (AlembicStep& step : script.steps) {
      direction.steps.emplace(step.revision, std::move(step));
    }
    return absl::OkStatus();
  }

  void NoteFailure(Direction& direction, const std::string& revision, const ProgramResult& result) {
    const Script* script = Find(revision);
    direction.failures.emplace(
        revision, Failure{script == nullptr ? 0 : LineInTraceback(result.err, script->path),
                          AlembicFailure(result.out, result.err)});
  }

  absl::Status CollectUpgrades() {
    if (scripts_.empty()) return absl::OkStatus();
    std::string failed;
    absl::Status status = Collect(up_, "heads", failed);
    if (!status.ok()) return status;
    // Above a revision that fails Alembic can go on.
    while (!failed.empty()) {
      const size_t known = up_.known();
      if (!Collect(up_, absl::StrCat(failed, ":heads"), failed).ok()) break;
      if (up_.known() == known) break;
    }
    for (const Script& script : scripts_) {
      const PythonHeader& header = script.header;
      if (up_.Knows(header.revision)) continue;
      const bool is_base = header.down_revisions.empty();
      CollectOne(
          up_, header.revision,
          is_base ? header.revision : absl::StrCat(header.down_revisions[0], ":", header.revision));
    }
    return absl::OkStatus();
  }

  absl::Status CollectDowngrades() {
    std::set<std::string> tops;
    for (const Script& script : scripts_) tops.insert(script.header.revision);
    for (const Script& script : scripts_) {
      for (const std::string& parent : script.header.down_revisions) tops.erase(parent);
    }
    for (const std::string& top : tops) CollectBelow(top);
    for (const Script& script : scripts_) {
      const PythonHeader& header = script.header;
      if (down_.Knows(header.revision)) continue;
      CollectOne(down_, header.revision,
                 absl::StrCat(header.revision, ":",
                              header.down_revisions.empty() ? "base" : header.down_revisions[0]));
    }
    return absl::OkStatus();
  }

  // Goes down from `top`, and below each revision that fails from its parents on.
  void CollectBelow(const std::string& top) {
    std::vector<std::string> from = {top};
    while (!from.empty()) {
      const std::string revision = from.back();
      from.pop_back();
      if (down_.Knows(revision)) continue;
      std::string failed;
      if (!Collect(down_, absl::StrCat(revision, ":base"), failed).ok()) return;
      const Script* script = failed.empty() ? nullptr : Find(failed);
      if (script == nullptr) continue;
      const std::vector<std::string>& parents = script->header.down_revisions;
      from.insert(from.end(), parents.begin(), parents.end());
    }
  }

  // The SQL of one revision that no longer script had.
  void CollectOne(Direction& direction, const std::string& revision, const std::string& range) {
    std::string failed;
    const absl::Status status = Collect(direction, range, failed);
    if (direction.Knows(revision)) return;
    const std::string why = !status.ok()
                                ? std::string(status.message())
                                : absl::StrCat("Alembic prints no SQL for it",
                                               failed.empty() ? "" : " without that of ", failed);
    direction.failures.emplace(revision, Failure{0, why});
  }

  // --- The revisions ---

  void Add(const Script& script) {
    const PythonHeader& header = script.header;
    const Words words = ReadDocstring(header.docstring);
    ImportedRevision imported;
    imported.source = script.source;
    imported.revision.id = header.revision;
    imported.revision.down_revisions = header.down_revisions;
    imported.revision.branch_labels = header.branch_labels;
    imported.revision.depends_on = header.depends_on;
    imported.revision.message = words.message;
    imported.revision.create_time = words.create_time;
    imported.up.file = script.source;
    if (script.skipped) {
      imported.down = imported.up;
      reading_.notes.push_back(
          absl::StrCat(script.source, " is left out: revision ", header.revision,
                       " does nothing, so a new database lacks what the script does"));
    } else {
      AddSections(script, imported);
    }
    imported.up.text.sql =
        absl::StrCat(words.comment, words.comment.empty() ? "" : "\n", imported.up.text.sql);
    reading_.revisions.push_back(std::move(imported));
  }

  void AddSections(const Script& script, ImportedRevision& imported) {
    const std::string& revision = script.header.revision;
    if (const auto failure = up_.failures.find(revision); failure != up_.failures.end()) {
      AddProblem(
          script, failure->second.line,
          absl::StrCat("Alembic cannot print its SQL without a database: ", failure->second.text,
                       "; write what it does as SQL, or let it do nothing with --skip"));
    } else if (absl::optional<ImportedSection> up = SectionOf(script, up_)) {
      imported.up = *std::move(up);
    }
    if (const auto failure = down_.failures.find(revision); failure != down_.failures.end()) {
      const int line = failure->second.line;
      reading_.notes.push_back(
          absl::StrCat(script.source, line > 0 ? absl::StrCat(":", line) : "",
                       " has no down section, as its downgrade fails: ", failure->second.text));
    } else {
      imported.down = SectionOf(script, down_);
    }
  }

  absl::optional<ImportedSection> SectionOf(const Script& script, const Direction& direction) {
    const AlembicStep& step = direction.steps.at(script.header.revision);
    absl::optional<ImportedSection> section = SectionOfStep(
        step, direction.transactional, script.source, version_table_, reading_.problems);
    const bool doubled = section.has_value() && absl::StrContains(section->text.sql, "%%") &&
                         !absl::StrContains(script.contents, "%%");
    if (doubled) {
      AddProblem(script, 0,
                 "Alembic doubles the percent signs of its SQL; give context.configure in env.py "
                 "dialect_opts={\"paramstyle\": \"named\"} where it runs offline");
    }
    return section;
  }

  void NoteAboutTheWhole() {
    if (!version_table_.empty() && version_table_ != "alembic_version") {
      reading_.notes.push_back(absl::StrCat("Alembic's version table is ", version_table_,
                                            ": tell migd with --version-table, and with "
                                            "--version-table-schema where it has a schema"));
    }
    if (!up_.steps.empty() && !up_.transactional) {
      reading_.notes.push_back(
          "Alembic prints no BEGIN: its revisions run without a transaction, and so do ours");
    }
  }

  const AlembicProject& project_;
  std::vector<std::string>& skipped_;
  std::vector<Script> scripts_;  // oldest first
  Direction up_{/*is_upgrade=*/true};
  Direction down_{/*is_upgrade=*/false};
  std::string version_table_;
  Reading reading_;
};

}  // namespace

absl::StatusOr<Reading> ReadAlembic(const AlembicProject& project,
                                    std::vector<std::string>& skipped) {
  return Reader(project, skipped).Read();
}

}  // namespace migctl
