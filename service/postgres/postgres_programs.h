// PostgreSQL's own programs, where they are and which version they have.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "service/postgres/child_process.h"
#include "service/postgres/connection.h"

namespace migd {

// The directories in which PostgreSQL's programs are looked for, best first: `configured` alone, or
// if it is empty, those of Debian's layout from the newest version on, then the PATH. Of Debian's
// only that of the version `major`, unless it is 0.
std::vector<std::string> ProgramDirectories(const std::string& configured, int major);

// A program of PostgreSQL.
struct PostgresProgram {
  // The directory that it is in.
  std::string directory;
  // As it tells it, such as "15.14" or "18beta1".
  std::string version;
  int major = 0;

  std::string PathOf(absl::string_view name) const;
};

// The version in what a program says with --version, such as "pg_dump (PostgreSQL) 15.14 (Debian
// 15.14-0+deb12u1)"; nothing if there is none. Pure.
absl::optional<PostgresProgram> ReadProgramVersion(absl::string_view output);

struct FoundPrograms {
  std::vector<PostgresProgram> usable;
  // The paths of those that are there and did not tell their version: on a machine that is too
  // busy, or where something forbids them to run.
  std::vector<std::string> silent;
};

// The directories that have all of `names`, with the version that the first of them tells. Starts
// programs: takes some milliseconds.
FoundPrograms FindPostgresPrograms(const std::string& configured,
                                   const std::vector<std::string>& names);

// pg_dump and pg_restore for a server, or why there are none.
struct DumpPrograms {
  absl::optional<PostgresProgram> found;
  std::string problem;
  std::string hint;
};

// pg_dump dumps servers of its own major version and of older ones; what it writes is for servers
// of its own version. So the best is that of the server, then the next newer one. `server_version`
// is PostgreSQL's number, such as 150014.
DumpPrograms FindDumpPrograms(const std::string& configured, int server_version);

// The last lines of a program's output, each on a line of its own and indented.
std::string TailOf(const std::string& file);

// How a program is to connect: a connection string without secrets for its command line, and what
// its environment must have.
struct ProgramConnection {
  std::string conninfo;
  std::vector<std::string> environment;
};

// To the server and the database of an open connection, as its role, whatever part of that came
// from the environment. libpq must not have lost it.
ProgramConnection ProgramConnectionOf(const Connection& connection);

// Runs a program to its end, with its output in the file `log`. Calls `progress` now and then; when
// that returns false the program is ended. Its exit status as waitpid tells it. INTERNAL
// if it cannot be started.
absl::StatusOr<int> RunProgram(const std::vector<std::string>& arguments, const std::string& log,
                               const std::vector<std::string>& environment,
                               const std::function<bool()>& progress);

}  // namespace migd
