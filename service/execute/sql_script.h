// A plan as a script for psql: what an operation would do, for people who apply it by themselves.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "service/database/database.h"
#include "service/plan/plan.h"
#include "service/script/script_directory.h"

namespace migd {

// What a script is for.
struct ScriptSettings {
  // The name of the database, for the reader.
  std::string database;
  VersionTable version_table;
  Timeouts timeouts;
};

// Takes a piece of a script; false if no more is wanted.
using ScriptSink = absl::FunctionRef<bool(std::string piece)>;

// Writes `plan` as a script that `psql -X -v ON_ERROR_STOP=1 -f` applies with the result of the
// operation: the same transactions, the same rows in the version table and in the log. Before its
// first step it takes the mutex, or fails, and checks that the version table has the plan's
// starting rows. What an operation looks at while it runs is looked at by the script: each write to
// the version table matches one row, IF NOT EXISTS passes over no INVALID index. It keeps no
// journal of statements, and refuses a database where a call has left one of its revisions half
// done. Pieces are cut between characters and hold 256 KiB at most; of a plan, no more than one
// statement with its data is in memory twice.
void RenderScript(const ScriptSet& scripts, const Plan& plan, const ScriptSettings& settings,
                  ScriptSink sink);

// `sql` such that psql sends it as it is: where it would take `:name` for one of its variables, as
// in the slice `a[1:n]`, the colon gets a backslash, which psql removes.
std::string ForPsql(absl::string_view sql);

}  // namespace migd
