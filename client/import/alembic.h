// Alembic's migrations: Python scripts, whose SQL Alembic itself is asked for.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/import/child_process.h"
#include "client/import/reading.h"

namespace migctl {

// What the reader of Alembic's scripts needs of the world.
struct AlembicProject {
  // As people name it, and what the paths of scripts are relative to in messages.
  std::string directory;
  // Runs Alembic on the project with these arguments.
  std::function<absl::StatusOr<ProgramResult>(const std::vector<std::string>& arguments)> run;
  // Reads a script by its path, as Alembic prints it.
  std::function<absl::StatusOr<std::string>(const std::string& path)> read;
  // Scripts that need no translation: see ReadAlembic.
  std::vector<std::string> skip;
};

// The revisions of a project: ids, parents, labels, dependencies and words from the scripts, SQL
// from `upgrade --sql` and `downgrade --sql`. Each script that Alembic cannot print SQL for is a
// problem with Alembic's own last line; one whose downgrade fails has no down section, and a note.
// A script to be skipped leaves a revision that does nothing, since others revise it; its path is
// added to `skipped`. An error in words if Alembic cannot be run or does not know the project.
absl::StatusOr<Reading> ReadAlembic(const AlembicProject& project,
                                    std::vector<std::string>& skipped);

}  // namespace migctl
