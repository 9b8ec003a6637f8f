// What `alembic upgrade --sql` and its like print, taken apart.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "client/import/reading.h"

namespace migctl {

// What one revision runs, as Alembic prints it: from behind its line "-- Running upgrade A -> B" to
// the next such line, what Alembic itself adds included.
struct AlembicStep {
  // The revision that the step is about: B of an upgrade, A of a downgrade.
  std::string revision;
  std::string sql;
};

// A script that Alembic has printed.
struct AlembicScript {
  std::vector<AlembicStep> steps;
  // Alembic has begun a transaction before the first step, as it does for PostgreSQL.
  bool transactional = false;
};

AlembicScript SplitAlembicScript(absl::string_view output, bool upgrade);

// The section of a step that is complete: without the writes to the version table, whose name goes
// to `version_table`, and without the BEGIN and COMMIT around the steps. A COMMIT inside the step,
// such as autocommit_block makes, makes a transaction:false section. Problems are about `file`.
absl::optional<ImportedSection> SectionOfStep(const AlembicStep& step, bool transactional,
                                              const std::string& file, std::string& version_table,
                                              std::vector<ImportProblem>& problems);

// The paths in what `alembic history --verbose` prints, oldest first.
std::vector<std::string> PathsInHistory(absl::string_view output);

// Why Alembic failed, in its own words: the last line of a traceback, or behind "FAILED:". Valid
// UTF-8.
std::string AlembicFailure(absl::string_view out, absl::string_view err);

// The last place in the traceback of `err` that is in a file of `directory`, as "file:line"; empty
// if there is none.
std::string LastPlaceInTraceback(absl::string_view err, absl::string_view directory);

// The last line of the script `path` in the traceback of `err`; 0 if there is none.
int LineInTraceback(absl::string_view err, absl::string_view path);

}  // namespace migctl
