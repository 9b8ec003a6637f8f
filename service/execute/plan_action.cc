#include "service/execute/plan_action.h"

#include "absl/strings/str_cat.h"
#include "service/base/errors.h"
#include "service/execute/plan_report.h"
#include "service/plan/planner.h"

namespace migd {

using migration::v1::Action;

absl::Status CheckTargets(Action action, const std::vector<std::string>& targets, bool purge) {
  if (action != migration::v1::ACTION_UPGRADE && action != migration::v1::ACTION_DOWNGRADE &&
      action != migration::v1::ACTION_STAMP) {
    return errors::InvalidRequest("action", "must be an upgrade, a downgrade or a stamp");
  }
  if (targets.empty()) {
    return errors::InvalidRequest("target", "name a revision, such as head, base, +1 or an id");
  }
  if (action != migration::v1::ACTION_STAMP && targets.size() > 1) {
    return errors::InvalidRequest(
        "targets", absl::StrCat("one is allowed here, ", targets.size(), " were given"));
  }
  for (const std::string& target : targets) {
    if (target.empty()) {
      return errors::InvalidRequest("target", "is empty; name a revision, such as head or an id");
    }
  }
  if (purge && action != migration::v1::ACTION_STAMP) {
    return errors::InvalidRequest("purge", "goes with a stamp only");
  }
  return absl::OkStatus();
}

absl::StatusOr<Plan> PlanAction(const ScriptSet& scripts, const VersionRows& rows, Action action,
                                const std::vector<std::string>& targets, bool purge) {
  absl::Status status = CheckTargets(action, targets, purge);
  if (!status.ok()) return status;
  if (action == migration::v1::ACTION_STAMP) {
    return PlanStamp(scripts.graph(), rows, targets, purge);
  }
  if (action == migration::v1::ACTION_UPGRADE) {
    return PlanUpgrade(scripts.graph(), rows, targets.front());
  }
  auto plan = PlanDowngrade(scripts.graph(), rows, targets.front());
  if (plan.ok()) status = CheckReversible(scripts, *plan);
  if (!status.ok()) return status;
  return plan;
}

}  // namespace migd
