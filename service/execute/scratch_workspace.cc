#include "service/execute/scratch_workspace.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "service/execute/plan_report.h"
#include "service/script/server_changes.h"

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

ScratchNeeds NeedsOf(const ScriptSet& scripts, const Plan& plan) {
  ScratchNeeds needs;
  ServerChanges changes;
  for (const Step& step : plan.steps) {
    for (const auto direction : {Step::Direction::kUpgrade, Step::Direction::kDowngrade}) {
      const Section* section = SectionOf(scripts, {direction, step.revision, {}});
      if (section == nullptr) continue;
      for (const Statement& statement : section->statements) {
        AddServerChanges(statement.text, changes);
      }
    }
    if (!changes.words.empty() && needs.own_server.empty()) {
      needs.own_server = absl::StrCat("revision ", step.revision, " says ", changes.words,
                                      ", which changes the whole server");
    }
  }
  needs.absent_roles = std::move(changes.made_roles);
  return needs;
}

}  // namespace migd
