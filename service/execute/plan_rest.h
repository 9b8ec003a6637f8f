// What is left of a plan that was cut off.
#pragma once

#include "absl/status/statusor.h"
#include "migration/v1/revision.pb.h"
#include "service/plan/plan.h"
#include "service/script/script_directory.h"

namespace migd {

// The steps of `earlier` that are still to be taken when the version table has `rows`: those behind
// the point of the plan at which it has them. VersionRowMismatch if it has them at none: somebody
// else has migrated the database meanwhile. UnknownRevision if a file is gone, Irreversible if its
// down section is. Pure.
absl::StatusOr<Plan> RestOfPlan(const ScriptSet& scripts, const migration::v1::Plan& earlier,
                                const VersionRows& rows);

}  // namespace migd
