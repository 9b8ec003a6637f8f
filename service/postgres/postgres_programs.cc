#include "service/postgres/postgres_programs.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/postgres/conninfo.h"
#include "service/postgres/temporary_files.h"

namespace migd {
namespace {

namespace fs = std::filesystem;

// How long a program may take to tell its version.
constexpr absl::Duration kVersionPatience = absl::Seconds(10);
// How often a running program is looked at.
constexpr absl::Duration kProgramPoll = absl::Milliseconds(20);
// How long a program that is to end may take to do so.
constexpr absl::Duration kTerminationPatience = absl::Seconds(5);

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using OwnedOptions = std::unique_ptr<PQconninfoOption, FreeOptions>;

std::string Contents(const std::string& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

bool HasAll(const std::string& directory, const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    return access(absl::StrCat(directory, "/", name).c_str(), X_OK) == 0;
  });
}

absl::optional<PostgresProgram> AskVersion(const std::string& path) {
  const auto directory = TemporaryFolder::Make("migd-version-");
  if (!directory.ok()) return absl::nullopt;
  const std::string output = (*directory)->path() + "/output";
  const absl::Time deadline = absl::Now() + kVersionPatience;
  const auto status =
      RunProgram({path, "--version"}, output, {}, [&] { return absl::Now() < deadline; });
  if (!status.ok() || *status != 0) return absl::nullopt;
  return ReadProgramVersion(Contents(output));
}

}  // namespace

std::vector<std::string> ProgramDirectories(const std::string& configured, int major) {
  if (!configured.empty()) return {configured};
  std::vector<std::pair<int, std::string>> installed;  // Debian's layout: one folder per version
  std::error_code ignored;                             // no such folder: nothing installed there
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    int version = 0;
    if (absl::SimpleAtoi(entry.path().filename().string(), &version)) {
      installed.emplace_back(version, (entry.path() / "bin").string());
    }
  }
  std::sort(installed.rbegin(), installed.rend());
  std::vector<std::string> directories;
  for (const auto& [version, directory] : installed) {
    if (major == 0 || version == major) directories.push_back(directory);
  }
  const char* path = std::getenv("PATH");
  for (absl::string_view directory :
       absl::StrSplit(path == nullptr ? "" : path, ':', absl::SkipEmpty())) {
    directories.emplace_back(directory);
  }
  return directories;
}

std::string PostgresProgram::PathOf(absl::string_view name) const {
  return absl::StrCat(directory, "/", name);
}

absl::optional<PostgresProgram> ReadProgramVersion(absl::string_view output) {
  constexpr absl::string_view kProduct = "(PostgreSQL) ";
  const size_t at = output.find(kProduct);
  if (at == absl::string_view::npos) return absl::nullopt;
  const absl::string_view rest = output.substr(at + kProduct.size());
  PostgresProgram program;
  program.version = std::string(rest.substr(0, rest.find_first_of(" \n")));
  const absl::string_view digits =
      rest.substr(0, std::min(rest.find_first_not_of("0123456789"), rest.size()));
  if (!absl::SimpleAtoi(digits, &program.major)) return absl::nullopt;
  return program;
}

FoundPrograms FindPostgresPrograms(const std::string& configured,
                                   const std::vector<std::string>& names) {
  FoundPrograms found;
  for (const std::string& directory : ProgramDirectories(configured, 0)) {
    if (!HasAll(directory, names)) continue;
    const std::string path = absl::StrCat(directory, "/", names.front());
    auto program = AskVersion(path);
    if (!program) {
      found.silent.push_back(path);
      continue;
    }
    program->directory = directory;
    found.usable.push_back(*std::move(program));
  }
  return found;
}

DumpPrograms FindDumpPrograms(const std::string& configured, int server_version) {
  // 9.6 is the oldest server, and 90624 is its number.
  const int wanted = server_version / 10000;
  DumpPrograms programs;
  // One version may be in several places.
  std::set<std::string> too_old;
  FoundPrograms found = FindPostgresPrograms(configured, {"pg_dump", "pg_restore"});
  for (PostgresProgram& program : found.usable) {
    if (program.major < wanted) {
      too_old.insert(program.version);
    } else if (!programs.found || program.major < programs.found->major) {
      programs.found = std::move(program);
    }
  }
  if (programs.found) return programs;
  if (!found.silent.empty()) {
    programs.problem = absl::StrCat(absl::StrJoin(found.silent, ", "),
                                    ": told no version when asked with --version");
    programs.hint = "see what it says to migd's user, and try again";
    return programs;
  }
  programs.problem = too_old.empty()
                         ? absl::StrCat("pg_dump and pg_restore are not found",
                                        configured.empty() ? "" : absl::StrCat(" in ", configured))
                         : absl::StrCat("pg_dump ", absl::StrJoin(too_old, ", "),
                                        " is too old for a server of "
                                        "PostgreSQL ",
                                        wanted);
  programs.hint = absl::StrCat("install PostgreSQL ", wanted,
                               "'s client programs beside migd (Debian: "
                               "postgresql-client-",
                               wanted,
                               "), or name the folder of its programs with "
                               "--postgres-programs");
  return programs;
}

std::string TailOf(const std::string& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  constexpr size_t kShown = 8;
  std::string tail;
  for (size_t i = lines.size() > kShown ? lines.size() - kShown : 0; i < lines.size(); ++i) {
    absl::StrAppend(&tail, "\n  ", lines[i]);
  }
  return tail;
}

ProgramConnection ProgramConnectionOf(const Connection& connection) {
  ProgramConnection made;
  ConnectionOptions options;
  const OwnedOptions all(PQconninfo(connection.handle()));
  for (const PQconninfoOption* option = all.get(); option != nullptr && option->keyword != nullptr;
       ++option) {
    const absl::string_view keyword = option->keyword;
    if (option->val == nullptr || *option->val == '\0') continue;
    // What libpq does by itself need not be said, and an older one might not know the word.
    if (option->compiled != nullptr && absl::string_view(option->val) == option->compiled) continue;
    // `*` marks a secret.
    if (option->dispchar != nullptr && *option->dispchar == '*') continue;
    if (keyword == "application_name" || keyword == "client_encoding") continue;
    options[std::string(keyword)] = option->val;
  }
  const char* password = PQpass(connection.handle());
  if (password != nullptr && *password != '\0') {
    made.environment.push_back(absl::StrCat("PGPASSWORD=", password));
  }
  options["application_name"] = "migd";
  made.conninfo = FormatConninfo(options);
  return made;
}

absl::StatusOr<int> RunProgram(const std::vector<std::string>& arguments, const std::string& log,
                               const std::vector<std::string>& environment,
                               const std::function<bool()>& progress) {
  auto child = ChildProcess::Start(arguments, log, absl::nullopt, environment);
  if (!child.ok()) return child.status();
  absl::Time kill_time = absl::InfiniteFuture();
  while (true) {
    if (const auto status = child->WaitUntil(absl::Now() + kProgramPoll)) return *status;
    if (kill_time == absl::InfiniteFuture()) {
      if (progress()) continue;
      // pg_dump has PostgreSQL end its query then.
      child->Signal(SIGTERM);
      kill_time = absl::Now() + kTerminationPatience;
    } else if (absl::Now() > kill_time) {
      child->Signal(SIGKILL);
    }
  }
}

}  // namespace migd
