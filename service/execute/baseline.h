// The first migration file of a database that is there already.
#pragma once

#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/execute/cancellation.h"
#include "service/execute/workspace.h"
#include "service/script/new_revision.h"

namespace migd {

// A composed baseline, and how many objects it makes.
struct Baseline {
  ComposedRevision composed;
  int object_count = 0;
};

// Composes the file of a first revision from what pg_dump writes of the database's schema, runs it
// in a scratch database, and compares: what is returned makes the same, but for what the policy
// ignores. It has no way down: that would drop everything. Of `wanted` the message, the id and the
// labels count. InvalidRequest if there are revisions already, and as ComposeRevision has it;
// SchemaDiffers, Offline, OperationCancelled; the errors of ScratchSource, Replay and Database.
absl::StatusOr<Baseline> ComposeBaseline(Workspace& workspace, NewRevision wanted,
                                         Cancellation& cancellation);

// The statements of a schema as pg_dump writes it in plain text, without what is for psql
// (\restrict), and without what a migration must not do: to take the operation's timeouts away. A
// materialized view gets its data when it is made, unless its name (as pg_dump quotes it) is among
// `unpopulated`. Pure.
std::string BaselineSql(absl::string_view dump, const std::set<std::string>& unpopulated);

}  // namespace migd
