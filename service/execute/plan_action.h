// The one place that chooses the planner for an action; Plan shows what Upgrade runs.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "migration/v1/operation.pb.h"
#include "service/plan/plan.h"
#include "service/script/script_directory.h"

namespace migd {

// Plans `action` from `rows`. InvalidRequest if `targets` has not the number that the action takes
// (one; for a stamp one or more) or an empty one; Irreversible if a step goes down through a file
// without a down section; the errors of the planner. Pure.
absl::StatusOr<Plan> PlanAction(const ScriptSet& scripts, const VersionRows& rows,
                                migration::v1::Action action,
                                const std::vector<std::string>& targets, bool purge);

// The first part of that check, which needs neither rows nor files.
absl::Status CheckTargets(migration::v1::Action action, const std::vector<std::string>& targets,
                          bool purge);

}  // namespace migd
