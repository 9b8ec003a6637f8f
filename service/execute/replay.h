// Migration files run in a scratch database, for the schema that they make.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/database/scratch.h"
#include "service/execute/cancellation.h"
#include "service/plan/plan.h"
#include "service/schema/schema.h"
#include "service/script/script_directory.h"

namespace migd {

// Called before each step of a replay; what is not OK ends it with that.
using BeforeReplayStep = std::function<absl::Status()>;

// The steps that lead from an empty database to `rows`, whichever set of rows the graph can reach.
// DatabaseAhead for rows that have no file. Pure.
absl::StatusOr<Plan> PlanReplay(const RevisionGraph& graph, const VersionRows& rows);

// Runs the steps of `plan` in `database`, which nobody else uses. ReplayFailed says which step
// failed and how; OperationCancelled, and the errors of Database.
absl::Status Replay(Database& database, const ScriptSet& scripts, const Plan& plan,
                    Cancellation& cancellation, const BeforeReplayStep& before_step = nullptr);

// A schema, and where it was made, in words.
struct ReplayedSchema {
  Schema schema;
  std::string scratch;
};

// The schema that the files make up to `rows`: replayed in a scratch database, which is gone when
// this returns. ScratchUnavailable, also if `source` is null, and the errors of both of the above.
absl::StatusOr<ReplayedSchema> ReplaySchema(ScratchSource* source, const ScriptSet& scripts,
                                            const VersionRows& rows, Cancellation& cancellation,
                                            const BeforeReplayStep& before_step = nullptr);

}  // namespace migd
