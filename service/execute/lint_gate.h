// Lint before the first step: what it finds in the sections that a plan runs, on the database that
// they are to run on.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "service/database/database.h"
#include "service/execute/executor.h"
#include "service/lint/lint.h"
#include "service/plan/plan.h"
#include "service/script/script_directory.h"

namespace migd {

// A section to look at.
struct LintedSection {
  const MigrationFile* file = nullptr;
  // kUpgrade or kDowngrade.
  Step::Direction direction = Step::Direction::kUpgrade;
};

// What lint finds in `sections` and no waiver allows, in their order. What hurts the more the
// larger a table is, is a warning on a database that does not have the table, or has it below 1 MB,
// and the message says so. Without a database, or if it does not answer, or if somebody has the
// table locked, it stays what it is.
std::vector<migration::v1::Finding> LintSections(const std::vector<LintedSection>& sections,
                                                 const LintSeverities& severities,
                                                 Database* database);

// The same for the sections that the steps of `plan` run.
std::vector<migration::v1::Finding> LintPlan(const ScriptSet& scripts, const Plan& plan,
                                             const LintSeverities& severities, Database* database);

// LintFailed if `gate` does not let `findings` pass.
absl::Status CheckLintGate(const std::vector<migration::v1::Finding>& findings,
                           migration::v1::LintGate gate);

// Emits each finding as an event, unless the gate of `request` is off, and then fails as
// CheckLintGate does.
absl::Status PassLintGate(const ScriptSet& scripts, const Plan& plan, const ExecuteRequest& request,
                          Database& database, const EventSink& sink);

}  // namespace migd
