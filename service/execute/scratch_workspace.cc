#include "service/execute/scratch_workspace.h"

#include <utility>

namespace migd {

std::unique_ptr<Workspace> MakeScratchWorkspace(const Workspace& live,
                                                std::shared_ptr<Scratch> scratch) {
  auto workspace = std::make_unique<Workspace>();
  workspace->name = live.name;
  workspace->scripts = live.scripts;
  workspace->version_table = live.version_table;
  Policy policy;
  policy.timeouts = live.policy()->timeouts;
  policy.destructive = DestructivePolicy::kAllow;
  policy.lint_gate = migration::v1::LINT_GATE_OFF;
  policy.backup = migration::v1::BACKUP_MODE_NEVER;
  workspace->SetPolicy(std::move(policy));
  Database& database = scratch->database();
  workspace->database = std::shared_ptr<Database>(std::move(scratch), &database);
  return workspace;
}

}  // namespace migd
