// A workspace whose database is a scratch one.
#pragma once

#include <memory>

#include "service/database/scratch.h"
#include "service/execute/workspace.h"

namespace migd {

// The scripts and the settings of `live`, with `scratch` for its database, and a policy that lets
// everything pass: nothing there is worth a question. `scratch` lives as long as the result.
std::unique_ptr<Workspace> MakeScratchWorkspace(const Workspace& live,
                                                std::shared_ptr<Scratch> scratch);

}  // namespace migd
