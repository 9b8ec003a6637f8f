// migctl import: another tool's migrations as migration files.
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands.h"
#include "client/import/alembic.h"
#include "client/import/child_process.h"
#include "client/import/dbmate.h"
#include "client/import/flyway.h"
#include "client/import/golang_migrate.h"
#include "client/import/goose.h"
#include "client/import/migration_writer.h"
#include "client/import/peer_directory.h"
#include "client/import/translation.h"
#include "client/json.h"
#include "client/text.h"
#include "google/protobuf/struct.pb.h"

namespace migctl {
namespace {

namespace fs = std::filesystem;
using migration::v1::Error;

// A tool whose migrations are files that can be read without it.
struct Peer {
  const char* name;
  const char* title;
  Reading (*read)(const std::vector<PeerFile>& files);
  bool recursive;
  // Which version a database has.
  const char* query;
};

constexpr Peer kPeers[] = {
    {"flyway", "Flyway", ReadFlyway, true,
     "SELECT version FROM flyway_schema_history WHERE success AND version IS NOT NULL "
     "ORDER BY installed_rank DESC LIMIT 1"},
    {"golang-migrate", "golang-migrate", ReadGolangMigrate, false,
     "SELECT version, dirty FROM schema_migrations"},
    {"goose", "goose", ReadGoose, false,
     "SELECT version_id FROM goose_db_version WHERE is_applied ORDER BY id DESC LIMIT 1"},
    {"dbmate", "dbmate", ReadDbmate, false, "SELECT max(version) FROM schema_migrations"},
};

// Null for Alembic.
const Peer* FindPeer(const std::string& name) {
  const auto* const found =
      absl::c_find_if(kPeers, [&name](const Peer& peer) { return peer.name == name; });
  return found == std::end(kPeers) ? nullptr : found;
}

// What an import found, before it is translated.
struct Found {
  Reading reading;
  std::vector<std::string> skipped;
};

absl::StatusOr<Found> ReadFiles(const Peer& peer, const ImportCommand& command) {
  absl::StatusOr<std::vector<PeerFile>> files =
      ReadPeerDirectory(command.directory, peer.recursive);
  if (!files.ok()) return files.status();
  std::vector<std::string> paths;
  for (const PeerFile& file : *files) paths.push_back(file.path);
  std::vector<ImportProblem> problems;
  const std::vector<size_t> skipped = FindSkipped(command.directory, command.skip, paths, problems);
  Found found;
  // Last first, so that those before it keep their places.
  for (auto index = skipped.rbegin(); index != skipped.rend(); ++index) {
    files->erase(files->begin() + static_cast<std::ptrdiff_t>(*index));
    found.skipped.insert(found.skipped.begin(), paths[*index]);
  }
  found.reading = peer.read(*files);
  found.reading.problems.insert(found.reading.problems.begin(), problems.begin(), problems.end());
  return found;
}

// The program as it is named here, wherever it runs: a path is relative to the present directory.
std::string ProgramOf(const std::string& name) {
  std::error_code error;
  return absl::StrContains(name, '/') ? fs::absolute(name, error).string() : name;
}

// A project is named by its directory, in which Alembic runs, or by its ini file: then Alembic runs
// in the present directory, as it would if it were typed here.
absl::StatusOr<Found> RunAlembic(const ImportCommand& command) {
  std::error_code error;
  fs::path named = fs::absolute(command.directory, error).lexically_normal();
  // "." and "db/" leave a slash at the end, which Alembic does not print.
  if (!named.has_filename()) named = named.parent_path();
  const bool is_file = fs::is_regular_file(named, error);
  const fs::path ini = is_file ? named : named / "alembic.ini";
  if (!fs::is_regular_file(ini, error)) {
    return absl::FailedPreconditionError(absl::StrCat("there is no ", ini.string()));
  }
  const fs::path directory = is_file ? fs::current_path(error) : named;
  AlembicProject project;
  project.directory = directory.string();
  project.skip = command.skip;
  project.run = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> words = {ProgramOf(command.alembic), "-c", ini.string()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return RunProgram(words, directory.string());
  };
  project.read = [&](const std::string& path) { return ReadPeerFile((directory / path).string()); };
  Found found;
  absl::StatusOr<Reading> reading = ReadAlembic(project, found.skipped);
  if (!reading.ok()) return reading.status();
  found.reading = *std::move(reading);
  return found;
}

// --- Errors ---

Error Failure(absl::string_view message, absl::string_view hint) {
  Error error;
  error.set_code("FAILED_PRECONDITION");
  error.set_message(std::string(message));
  error.set_hint(std::string(hint));
  return error;
}

Error CannotTranslate(const ImportCommand& command, const std::vector<ImportProblem>& problems) {
  std::string message =
      absl::StrCat(Count(static_cast<int>(problems.size()), "problem"), " in the ", command.peer,
                   " migrations of ", command.directory, ":");
  for (const ImportProblem& problem : problems) {
    absl::StrAppend(&message, "\n  ", problem.ToString());
  }
  Error error = Failure(message,
                        "nothing was written; correct the files, or leave out those that are not "
                        "needed with --skip FILE, and run the same command again");
  error.set_reason("INVALID_MIGRATIONS");
  (*error.mutable_metadata())["problem_count"] = absl::StrCat(problems.size());
  return error;
}

// --- The report ---

std::string JsonString(const std::string& text) {
  google::protobuf::Value value;
  value.set_string_value(text);
  return ToJson(value);
}

std::string JsonStrings(const std::vector<std::string>& texts) {
  return absl::StrCat("[",
                      absl::StrJoin(texts, ",",
                                    [](std::string* out, const std::string& text) {
                                      absl::StrAppend(out, JsonString(text));
                                    }),
                      "]");
}

std::string StampCommandLine(const std::vector<std::string>& heads) {
  return absl::StrCat("migctl stamp ", absl::StrJoin(heads, " "));
}

std::string ReportJson(const ImportCommand& command, const Found& found,
                       const Translation& translation) {
  std::string revisions;
  for (const NewMigration& migration : translation.migrations) {
    absl::StrAppend(&revisions, revisions.empty() ? "" : ",",
                    "{\"revision\":", JsonString(migration.revision),
                    ",\"path\":", JsonString(migration.name),
                    ",\"source\":", JsonString(migration.source), "}");
  }
  const bool stamped = FindPeer(command.peer) != nullptr;
  return absl::StrCat("{\"revisions\":[", revisions,
                      "],\"head\":", JsonString(absl::StrJoin(translation.heads, ",")),
                      ",\"stamp\":", JsonString(stamped ? StampCommandLine(translation.heads) : ""),
                      ",\"skipped\":", JsonStrings(found.skipped),
                      ",\"notes\":", JsonStrings(found.reading.notes), "}");
}

// How a database that the peer has migrated goes on with us.
std::string AdoptionText(const ImportCommand& command, const Translation& translation) {
  const Peer* peer = FindPeer(command.peer);
  if (peer == nullptr) {
    return "A database that Alembic has migrated needs nothing: its version table is ours too. "
           "See:\n  migctl current\n";
  }
  const std::string head = Escape(translation.heads.front());
  std::string text = absl::StrCat("A database that ", peer->title, " has brought to version ", head,
                                  " is adopted by:\n  migctl stamp ", head,
                                  "\nTo see which version it has:\n  ", peer->query, "\n");
  const bool counts = command.peer == "goose" || command.peer == "golang-migrate";
  if (counts && absl::StartsWith(head, "0")) {
    absl::StrAppend(&text, "There it is without the zeros that ", head, " begins with.\n");
  }
  return text;
}

std::string ReportText(const ImportCommand& command, const Found& found,
                       const Translation& translation) {
  std::string text;
  for (const NewMigration& migration : translation.migrations) {
    absl::StrAppend(&text, Escape(migration.source), " -> ", Escape(migration.name), "\n");
  }
  for (const std::string& skipped : found.skipped) {
    absl::StrAppend(&text, Escape(skipped), " skipped\n");
  }
  absl::StrAppend(&text, "\n", command.dry_run ? "Would write " : "Wrote ",
                  Count(static_cast<int>(translation.migrations.size()), "revision"), " to ",
                  Escape(command.migrations), "\n");
  for (const std::string& note : found.reading.notes) {
    absl::StrAppend(&text, "note: ", Escape(note), "\n");
  }
  return absl::StrCat(text, "\n", AdoptionText(command, translation));
}

}  // namespace

ExitCode Run(const ImportCommand& command, Session& session) {
  const absl::Status target = CheckTarget(command.migrations);
  if (!target.ok()) {
    return session.output.Fail(
        Failure(target.message(), "name an empty directory with --migrations DIR"));
  }
  const Peer* peer = FindPeer(command.peer);
  const absl::StatusOr<Found> found =
      peer == nullptr ? RunAlembic(command) : ReadFiles(*peer, command);
  if (!found.ok()) {
    return session.output.Fail(Failure(
        found.status().message(), peer == nullptr
                                      ? "name the directory of alembic.ini, or the file, and with "
                                        "--alembic PROGRAM the alembic of the project's environment"
                                      : "name the directory of the migrations"));
  }
  const Translation translation = Translate(found->reading);
  if (!translation.problems.empty()) {
    return session.output.Fail(CannotTranslate(command, translation.problems));
  }
  if (translation.migrations.empty()) {
    return session.output.Fail(
        Failure(absl::StrCat("there are no ", command.peer, " migrations in ", command.directory),
                "name the directory of the migrations"));
  }
  if (!command.dry_run) {
    // Ctrl-C must not leave some of the files: it waits until all are there.
    const Interrupts::Subscription held_off(session.interrupts, [] {});
    const absl::Status written = WriteMigrations(command.migrations, translation.migrations);
    if (!written.ok()) {
      return session.output.Fail(Failure(written.message(), "nothing was written"));
    }
  }
  session.output.Result(ReportJson(command, *found, translation),
                        ReportText(command, *found, translation));
  return ExitCode::kDone;
}

}  // namespace migctl
