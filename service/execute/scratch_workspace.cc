#include "service/execute/scratch_workspace.h"

#include <utility>

namespace migd {

std::unique_ptr<Workspace> MakeScratchWorkspace(const Workspace& live,
                                                std::shared_ptr<Scratch> scratch) {
  auto workspace = std::make_unique<Workspace>();
  workspace->name = live.name;
  workspace->scripts = live.scripts;
  workspace->version_table = live.version_table;
  workspace->default_timeouts = live.default_timeouts;
  workspace->policy.destructive = DestructivePolicy::kAllow;
  workspace->policy.lint_gate = migration::v1::LINT_GATE_OFF;
  workspace->policy.backup = migration::v1::BACKUP_MODE_NEVER;
  Database& database = scratch->database();
  workspace->database = std::shared_ptr<Database>(std::move(scratch), &database);
  return workspace;
}

}  // namespace migd
