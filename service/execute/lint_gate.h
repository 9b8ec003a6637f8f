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

// What lint finds on a database.
struct LintOutcome {
  std::vector<migration::v1::Finding> findings;
  // Why the database could not be asked: the findings are more, and more serious, than they may be.
  absl::Status database_error;
};

// What lint finds in `sections` and no waiver allows, in their order. Changes of a type are told by
// the type that the column has in the database: those that touch no row are no findings. What hurts
// the more the larger a table is, is a warning on a database that does not have the table, or has
// it below 1 MB, and the message says so. Without a database, or if it does not answer, or if
// somebody has the table locked, it stays what it is.
LintOutcome LintSections(const std::vector<LintedSection>& sections,
                         const LintSeverities& severities, Database* database);

// The same for the sections that the steps of `plan` run.
LintOutcome LintPlan(const ScriptSet& scripts, const Plan& plan, const LintSeverities& severities,
                     Database* database);

// Rewrites what `findings`, a list for each of `sections`, say of changes of types, by the types
// that the columns have in `database` when the sections before have run: what touches no row, or
// narrows nothing, is removed. What a waiver allows stays. Asks nothing if there is no such
// finding. The errors of Database.
absl::Status RefineTypeChanges(const std::vector<LintedSection>& sections,
                               const LintSeverities& severities, Database& database,
                               std::vector<std::vector<LintFinding>>& findings);

// LintFailed if `gate` does not let `findings` pass.
absl::Status CheckLintGate(const std::vector<migration::v1::Finding>& findings,
                           migration::v1::LintGate gate);

// Emits each finding as an event, unless the gate of `request` is off, and then fails as
// CheckLintGate does; or as the database did, where it could not say whether the findings hurt.
absl::Status PassLintGate(const ScriptSet& scripts, const Plan& plan, const ExecuteRequest& request,
                          Database& database, const EventSink& sink);

}  // namespace migd
