#include "service/execute/plan_rest.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/errors.h"
#include "service/execute/plan_report.h"

namespace migd {
namespace {

Step::Direction DirectionOf(migration::v1::Direction direction) {
  switch (direction) {
    case migration::v1::DIRECTION_UPGRADE:
      return Step::Direction::kUpgrade;
    case migration::v1::DIRECTION_DOWNGRADE:
      return Step::Direction::kDowngrade;
    default:
      return Step::Direction::kStamp;
  }
}

// A step with writes of the same result as those that it was described with: a row takes the place
// of another as long as there are both, as Alembic does it.
Step ToStep(const migration::v1::Step& described) {
  Step step{DirectionOf(described.direction()), described.revision(), {}};
  const auto& inserted = described.inserted_revisions();
  const auto& deleted = described.deleted_revisions();
  for (int i = 0; i < std::max(inserted.size(), deleted.size()); ++i) {
    if (i >= inserted.size()) {
      step.writes.push_back({VersionWrite::Kind::kDelete, deleted[i], ""});
    } else if (i >= deleted.size()) {
      step.writes.push_back({VersionWrite::Kind::kInsert, "", inserted[i]});
    } else {
      step.writes.push_back({VersionWrite::Kind::kUpdate, deleted[i], inserted[i]});
    }
  }
  return step;
}

}  // namespace

absl::StatusOr<Plan> RestOfPlan(const ScriptSet& scripts, const migration::v1::Plan& earlier,
                                const VersionRows& rows) {
  Plan plan;
  plan.starting_rows = rows;
  VersionRows reached = {earlier.starting_revisions().begin(), earlier.starting_revisions().end()};
  bool found = reached == rows;
  for (const migration::v1::Step& described : earlier.steps()) {
    const Step step = ToStep(described);
    ApplyWrites(step.writes, reached);
    if (found) {
      plan.steps.push_back(step);
    } else {
      found = reached == rows;
    }
  }
  if (!found) {
    return errors::VersionRowMismatch(
        earlier.steps(0).revision(),
        absl::StrCat("the version table is at ", rows.empty() ? "base" : absl::StrJoin(rows, ", "),
                     ", where the plan that was cut off does not come by"));
  }
  plan.resulting_rows = reached;
  for (const Step& step : plan.steps) {
    if (step.direction != Step::Direction::kStamp && !scripts.graph().Find(step.revision)) {
      return errors::UnknownRevision(step.revision);
    }
  }
  const absl::Status status = CheckReversible(scripts, plan);
  if (!status.ok()) return status;
  return plan;
}

}  // namespace migd
