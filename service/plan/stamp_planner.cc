#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/errors.h"
#include "service/plan/planner.h"
#include "service/plan/version_writes.h"
#include "service/revision/lineage.h"
#include "service/revision/symbol_resolution.h"

namespace migd {
namespace {

using Indices = std::vector<RevisionIndex>;

// One thing to do to the version table. What a symbol such as `heads` names is several.
struct Goal {
  // The revision that becomes a row; none for base.
  absl::optional<RevisionIndex> revision;
  // The rows related to this revision make way. None for `base` alone: all rows do.
  absl::optional<RevisionIndex> anchor;
};

// A position in the list of goals.
using Position = int32_t;
constexpr Position kUnclaimed = std::numeric_limits<Position>::max();

absl::Status AddGoals(const RevisionGraph& graph, const VersionRows& rows, absl::string_view target,
                      std::vector<Goal>& goals) {
  const absl::StatusOr<RevisionSymbol> symbol = RevisionSymbol::Parse(target);
  if (!symbol.ok()) return symbol.status();
  const absl::StatusOr<Indices> revisions = ResolveSymbols(graph, rows, *symbol);
  if (!revisions.ok()) return revisions.status();
  if (revisions->empty() && symbol->is_relative()) {
    return errors::InvalidTarget(target, "it leads down to base", "say base to delete the rows");
  }
  for (const RevisionIndex index : *revisions) goals.push_back({index, index});
  if (symbol->start != RevisionSymbol::Start::kBase || symbol->is_relative()) {
    return absl::OkStatus();
  }

  Goal base;
  if (symbol->branch) {
    const absl::StatusOr<RevisionIndex> branch = ResolveBranch(graph, *symbol->branch);
    if (!branch.ok()) return branch.status();
    base.anchor = *branch;
  }
  goals.push_back(base);
  return absl::OkStatus();
}

// The goals without those whose revision another one implies, or names again.
std::vector<Goal> WithoutImplied(const RevisionGraph& graph, std::vector<Goal> goals) {
  Indices revisions;
  for (const Goal& goal : goals) {
    if (goal.revision) revisions.push_back(*goal.revision);
  }
  RevisionSet settled(graph);
  for (const RevisionIndex index : Covered(graph, revisions)) settled.insert(index);
  std::vector<Goal> kept;
  for (const Goal& goal : goals) {
    if (!goal.revision || settled.insert(*goal.revision)) kept.push_back(goal);
  }
  return kept;
}

// Makes each revision that stands on one side of a goal's anchor know the first such goal.
class Claims {
 public:
  Claims(const RevisionGraph& graph, const std::vector<Goal>& goals)
      : first_(graph.size(), kUnclaimed) {
    std::vector<Position> at(graph.size(), kUnclaimed);
    for (size_t i = 0; i < goals.size(); ++i) {
      const Position position = static_cast<Position>(i);
      if (!goals[i].anchor) {
        everything_ = std::min(everything_, position);
      } else {
        at[*goals[i].anchor] = std::min(at[*goals[i].anchor], position);
      }
    }
    Spread(at, graph.newest_first().begin(), graph.newest_first().end(),
           [&](RevisionIndex i) -> const Indices& { return graph.needed_by(i); });
    Spread(at, graph.newest_first().rbegin(), graph.newest_first().rend(),
           [&](RevisionIndex i) -> const Indices& { return graph.steps_down(i); });
  }

  // The first goal whose anchor stands above, below or at the revision.
  Position first(RevisionIndex index) const { return std::min(first_[index], everything_); }

 private:
  // Carries the positions `at` their anchors along, visiting every revision after its `sources`.
  template <typename Iterator, typename Sources>
  void Spread(std::vector<Position> at, Iterator begin, Iterator end, Sources sources) {
    for (Iterator it = begin; it != end; ++it) {
      for (const RevisionIndex source : sources(*it)) at[*it] = std::min(at[*it], at[source]);
      first_[*it] = std::min(first_[*it], at[*it]);
    }
  }

  std::vector<Position> first_;
  Position everything_ = kUnclaimed;
};

// The writes by which `goal` takes the place of the rows `claimed`.
std::vector<VersionWrite> WritesFor(const RevisionGraph& graph, const Goal& goal, Indices claimed) {
  if (!goal.revision) return Delete(Ids(graph, claimed));
  const auto itself = std::find(claimed.begin(), claimed.end(), *goal.revision);
  if (itself == claimed.end()) {
    return Collapse(Ids(graph, claimed), graph.revision(*goal.revision).id);
  }
  claimed.erase(itself);
  return Delete(Ids(graph, claimed));
}

}  // namespace

absl::StatusOr<Plan> PlanStamp(const RevisionGraph& graph, const VersionRows& rows,
                               const std::vector<std::string>& targets, bool purge) {
  if (targets.empty()) return errors::InvalidRequest("targets", "name at least one revision");
  const VersionRows kept = purge ? VersionRows() : rows;
  const absl::StatusOr<Indices> current = ResolveRows(graph, kept);
  if (!current.ok()) return current.status();
  std::vector<Goal> goals;
  for (const std::string& target : targets) {
    if (absl::Status status = AddGoals(graph, kept, target, goals); !status.ok()) return status;
  }
  goals = WithoutImplied(graph, std::move(goals));

  Plan plan{rows, {}, rows};
  const auto add_step = [&plan](std::string revision, std::vector<VersionWrite> writes) {
    if (writes.empty()) return;
    ApplyWrites(writes, plan.resulting_rows);
    plan.steps.push_back({Step::Direction::kStamp, std::move(revision), std::move(writes)});
  };
  if (purge) add_step("", Delete({rows.begin(), rows.end()}));

  const Claims claims(graph, goals);
  std::vector<Indices> claimed(goals.size());
  for (const RevisionIndex row : *current) {
    const Position first = claims.first(row);
    if (first != kUnclaimed) claimed[first].push_back(row);
  }
  for (size_t i = 0; i < goals.size(); ++i) {
    const Goal& goal = goals[i];
    add_step(goal.revision ? graph.revision(*goal.revision).id : "",
             WritesFor(graph, goal, std::move(claimed[i])));
  }
  return plan;
}

}  // namespace migd
