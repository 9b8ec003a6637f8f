// A plan as callers and events see it.
#pragma once

#include "migration/v1/revision.pb.h"
#include "service/plan/plan.h"
#include "service/script/script_directory.h"

namespace migd {

migration::v1::Direction ToProto(Step::Direction direction);

// The section that a step runs; null for a stamp.
const Section* SectionOf(const ScriptSet& scripts, const Step& step);

// `plan` with what its files say: messages, number of statements, the hash. Pure.
migration::v1::Plan DescribePlan(const ScriptSet& scripts, const Plan& plan);

// Irreversible if a step of `plan` goes down through a file without a down section.
absl::Status CheckReversible(const ScriptSet& scripts, const Plan& plan);

}  // namespace migd
