// A workspace whose database is a scratch one.
#pragma once

#include <memory>

#include "service/database/scratch.h"
#include "service/execute/workspace.h"
#include "service/plan/plan.h"
#include "service/script/script_directory.h"

namespace migd {

// The scripts and the settings of `live`, with `scratch` for its database, and a policy that lets
// everything pass: nothing there is worth a question. `scratch` lives as long as the result.
std::unique_ptr<Workspace> MakeScratchWorkspace(const Workspace& live,
                                                std::shared_ptr<Scratch> scratch);

// What the sections of the revisions in `plan` need of a scratch database, up and down: what
// changes the whole server is not tried on that of the database. The roles that they make are among
// those that it is not to have.
ScratchNeeds NeedsOf(const ScriptSet& scripts, const Plan& plan);

}  // namespace migd
