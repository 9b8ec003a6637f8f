#include "client/import/flyway.h"

#include <map>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/import/section.h"
#include "client/import/versions.h"
#include "service/script/sql_lexer.h"
#include "service/script/sql_splitter.h"

namespace migctl {
namespace {

absl::string_view BaseName(absl::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

// The name of a migration, taken apart.
struct Name {
  char prefix = 'V';  // V, U or B
  std::string version;
  std::string description;
};

bool IsVersion(absl::string_view version) {
  for (const absl::string_view number : absl::StrSplit(version, '.')) {
    if (number.empty() || !absl::c_all_of(number, absl::ascii_isdigit)) return false;
  }
  return true;
}

absl::optional<Name> ParseName(absl::string_view path) {
  absl::string_view stem = BaseName(path);
  if (!absl::ConsumeSuffix(&stem, ".sql") || stem.empty()) return absl::nullopt;
  if (!absl::StrContains("VUB", stem.front())) return absl::nullopt;
  Name name;
  name.prefix = stem.front();
  stem.remove_prefix(1);
  const size_t separator = stem.find("__");
  name.version = absl::StrReplaceAll(stem.substr(0, separator), {{"_", "."}});
  if (separator != absl::string_view::npos) {
    name.description = std::string(stem.substr(separator + 2));
  }
  if (!IsVersion(name.version)) return absl::nullopt;
  return name;
}

// The file is named after an event of Flyway's, such as afterMigrate.sql.
bool IsCallback(absl::string_view path) {
  const absl::string_view base = BaseName(path);
  std::string event = absl::AsciiStrToLower(base.substr(0, base.find_first_of("._")));
  absl::string_view rest = event;
  if (rest == "createschema") return true;
  if (!absl::ConsumePrefix(&rest, "before") && !absl::ConsumePrefix(&rest, "after")) return false;
  absl::ConsumePrefix(&rest, "each");
  for (const absl::string_view known :
       {"migrate", "undo", "clean", "info", "validate", "baseline", "repair", "repeatables",
        "versioned", "connect", "createschema", "deploy"}) {
    if (absl::StartsWith(rest, known)) return true;
  }
  return false;
}

bool IsJavaMigration(absl::string_view path) {
  const absl::string_view base = BaseName(path);
  if (!absl::StrContains(base, "__") || !absl::StrContains("VURB", base.front())) return false;
  return absl::EndsWith(base, ".java") || absl::EndsWith(base, ".class") ||
         absl::EndsWith(base, ".kt") || absl::EndsWith(base, ".jar");
}

// What the .conf beside a script says of it.
struct ScriptConfiguration {
  bool in_transaction = true;
  bool placeholders = true;
};

// The offset of the first `${` that is not in a comment, or npos.
size_t FindPlaceholder(absl::string_view sql) {
  constexpr absl::string_view kOpening = "${";
  size_t found = sql.find(kOpening);
  migd::SqlLexer lexer(sql);
  while (found != absl::string_view::npos) {
    const migd::Token token = lexer.Next();
    if (token.kind == migd::Token::Kind::kEnd) break;
    if (token.end <= found) continue;
    const bool comment = token.kind == migd::Token::Kind::kLineComment ||
                         token.kind == migd::Token::Kind::kBlockComment;
    if (!comment) return found;
    found = sql.find(kOpening, token.end);
  }
  return found;
}

class Reader {
 public:
  explicit Reader(const std::vector<PeerFile>& files) : files_(files) {
    for (const PeerFile& file : files) by_path_.emplace(file.path, &file);
  }

  Reading Read() {
    for (const PeerFile& file : files_) Sort(file);
    for (const auto& [file, name] : versioned_) AddRevision(*file, name);
    for (const auto& [file, name] : undos_) AddUndo(*file, name);
    LinkInOrder(reading_, VersionLess);
    reading_.version_table = "flyway_schema_history";
    NoteMissingDowns(reading_, "no undo file");
    return std::move(reading_);
  }

 private:
  using Named = std::vector<std::pair<const PeerFile*, Name>>;

  void AddProblem(const PeerFile& file, int line, absl::string_view text) {
    reading_.problems.push_back({file.path, line, std::string(text)});
  }

  // Puts a file where it belongs by its name.
  void Sort(const PeerFile& file) {
    const absl::string_view base = BaseName(file.path);
    if (IsJavaMigration(file.path)) {
      AddProblem(file, 0,
                 "a migration that is a program; write what it does as SQL, or leave it out with "
                 "--skip");
      return;
    }
    if (!absl::EndsWith(base, ".sql")) return;
    if (absl::StartsWith(base, "R__")) {
      AddProblem(file, 0,
                 "a repeatable migration, of which each change would be a revision here; leave it "
                 "out with --skip and make a revision of what it is now");
    } else if (IsCallback(file.path)) {
      AddProblem(
          file, 0,
          "a callback, which Flyway runs around migrations; leave it out with --skip if they "
          "do without it");
    } else {
      SortByVersion(file);
    }
  }

  void SortByVersion(const PeerFile& file) {
    absl::optional<Name> name = ParseName(file.path);
    if (!name.has_value()) {
      reading_.notes.push_back(absl::StrCat(
          file.path, " is left out, as Flyway does: its name is not V<version>__<words>.sql"));
    } else if (name->prefix == 'B') {
      AddProblem(file, 0,
                 "a baseline, which stands for all versions up to its own in a new database; leave "
                 "it out with --skip if those are there");
    } else {
      (name->prefix == 'V' ? versioned_ : undos_).emplace_back(&file, *std::move(name));
    }
  }

  void AddRevision(const PeerFile& file, const Name& name) {
    ImportedRevision imported;
    imported.source = file.path;
    imported.revision = RevisionOf(name.version, name.description);
    absl::optional<ImportedSection> up = ReadScript(file);
    if (up.has_value()) imported.up = *std::move(up);
    reading_.revisions.push_back(std::move(imported));
  }

  void AddUndo(const PeerFile& file, const Name& name) {
    const auto undone = absl::c_find_if(reading_.revisions, [&](const ImportedRevision& imported) {
      const std::string& id = imported.revision.id;
      return !VersionLess(id, name.version) && !VersionLess(name.version, id);
    });
    absl::optional<ImportedSection> down = ReadScript(file);
    if (undone == reading_.revisions.end()) {
      AddProblem(file, 0,
                 absl::StrCat("undoes version ", name.version,
                              ", which is not there; leave it out with --skip"));
    } else if (undone->down.has_value()) {
      AddProblem(file, 0,
                 absl::StrCat("undoes the same version as ", undone->down->file,
                              "; only one of them can"));
    } else if (down.has_value()) {
      undone->down = std::move(down);
    }
  }

  absl::optional<ImportedSection> ReadScript(const PeerFile& file) {
    const absl::string_view sql = WithoutByteOrderMark(file.contents);
    const ScriptConfiguration configuration = ReadConfiguration(file);
    if (configuration.placeholders && !CheckPlaceholders(file, sql)) return absl::nullopt;
    const bool in_transaction = configuration.in_transaction && !RefusesTransaction(sql);
    return MakeSection(sql, file.path, 1,
                       in_transaction ? Surroundings::kTransactions : Surroundings::kNone,
                       reading_.problems);
  }

  bool CheckPlaceholders(const PeerFile& file, absl::string_view sql) {
    if (migd::CheckEncoding(sql, 1).has_value()) return true;  // MakeSection says it
    const size_t placeholder = FindPlaceholder(sql);
    if (placeholder == absl::string_view::npos) return true;
    const absl::string_view rest = sql.substr(placeholder);
    migd::TextPosition position(sql);
    position.AdvanceTo(placeholder);
    AddProblem(file, position.line(),
               absl::StrCat(rest.substr(0, rest.find_first_of("}\n")),
                            "} is a placeholder, for which Flyway's configuration has a value; "
                            "put the value in its place"));
    return false;
  }

  ScriptConfiguration ReadConfiguration(const PeerFile& script) {
    ScriptConfiguration configuration;
    const auto found = by_path_.find(absl::StrCat(script.path, ".conf"));
    if (found == by_path_.end()) return configuration;
    int line = 0;
    for (absl::string_view text : LinesOf(WithoutByteOrderMark(found->second->contents))) {
      ++line;
      text = absl::StripAsciiWhitespace(text);
      if (text.empty() || text.front() == '#' || text.front() == '!') continue;
      ReadOption(*found->second, line, text, configuration);
    }
    return configuration;
  }

  void ReadOption(const PeerFile& file, int line, absl::string_view text,
                  ScriptConfiguration& configuration) {
    const std::pair<absl::string_view, absl::string_view> option =
        absl::StrSplit(text, absl::MaxSplits(absl::ByAnyChar("=:"), 1));
    const absl::string_view key = absl::StripAsciiWhitespace(option.first);
    const absl::string_view value = absl::StripAsciiWhitespace(option.second);
    if (key == "executeInTransaction") {
      configuration.in_transaction = !absl::EqualsIgnoreCase(value, "false");
    } else if (key == "placeholderReplacement") {
      configuration.placeholders = !absl::EqualsIgnoreCase(value, "false");
    } else if (key != "encoding" || !absl::EqualsIgnoreCase(value, "UTF-8")) {
      AddProblem(file, line, absl::StrCat("\"", text, "\" has no counterpart; take it out"));
    }
  }

  const std::vector<PeerFile>& files_;
  std::map<absl::string_view, const PeerFile*> by_path_;
  Named versioned_;
  Named undos_;
  Reading reading_;
};

}  // namespace

Reading ReadFlyway(const std::vector<PeerFile>& files) { return Reader(files).Read(); }

}  // namespace migctl
