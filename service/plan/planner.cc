#include "service/plan/planner.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "service/base/errors.h"
#include "service/plan/version_writes.h"
#include "service/revision/lineage.h"
#include "service/revision/step_order.h"
#include "service/revision/symbol_resolution.h"

namespace migd {
namespace {

using Indices = std::vector<RevisionIndex>;

// Fails if one of `revisions` contains another: stands above it, dependencies included.
absl::Status CheckDisjoint(const RevisionGraph& graph, const Indices& revisions) {
  if (revisions.size() < 2) return absl::OkStatus();
  const Indices covered = Covered(graph, revisions);
  if (covered.empty()) return absl::OkStatus();
  RevisionSet above = Descendants(graph, {covered.front()}, Follow::kDependenciesToo);
  above.erase(covered.front());
  const RevisionIndex upper = Intersection(revisions, above).front();
  RevisionSet below = Ancestors(graph, {upper}, Follow::kDependenciesToo);
  below.erase(upper);
  return errors::OverlappingRevisions(graph.revision(upper).id,
                                      Ids(graph, Intersection(revisions, below)));
}

absl::StatusOr<Indices> ResolveUpgradeTarget(const RevisionGraph& graph, const VersionRows& rows,
                                             absl::string_view target) {
  const absl::StatusOr<RevisionSymbol> symbol = RevisionSymbol::Parse(target);
  if (!symbol.ok()) return symbol.status();
  if (symbol->counts_from_rows() && *symbol->offset < 0) {
    return errors::InvalidTarget(target, "an upgrade leads upwards");
  }
  return ResolveSymbols(graph, rows, *symbol);
}

// The revisions to take down: all that is applied at or above the target's children.
absl::StatusOr<RevisionSet> SelectDowngrade(const RevisionGraph& graph, const Indices& rows,
                                            const DowngradeTarget& target, absl::string_view text) {
  Indices roots = target.revision ? graph.children(*target.revision) : graph.bases();
  if (target.branch && roots.size() > 1) {
    roots = Intersection(roots, Ancestors(graph, {*target.branch}, Follow::kDownRevisions));
    if (roots.empty()) {
      return errors::InvalidTarget(text, "its branch does not begin directly above it");
    }
  }

  RevisionSet selected = Descendants(graph, roots, Follow::kDependenciesToo);
  const RevisionSet applied = Ancestors(graph, rows, Follow::kDependenciesToo);
  bool is_empty = true;
  for (const RevisionIndex index : selected.ToVector()) {
    if (applied.contains(index)) {
      is_empty = false;
    } else {
      selected.erase(index);
    }
  }
  const bool is_there =
      !target.revision || std::find(rows.begin(), rows.end(), *target.revision) != rows.end();
  if (!is_empty || is_there) return selected;
  return errors::InvalidTarget(text, applied.contains(*target.revision)
                                         ? "nothing that revises it is applied"
                                         : "it is not applied, so nothing above it is");
}

VersionRows RowsOf(const RevisionGraph& graph, const RevisionSet& rows) {
  const std::vector<std::string> ids = Ids(graph, rows.ToVector());
  return VersionRows(ids.begin(), ids.end());
}

RevisionSet SetOf(const RevisionGraph& graph, const Indices& members) {
  RevisionSet set(graph);
  for (const RevisionIndex index : members) set.insert(index);
  return set;
}

// The version table while an upgrade goes on.
class UpgradedRows {
 public:
  UpgradedRows(const RevisionGraph& graph, const Indices& rows)
      : graph_(graph), rows_(SetOf(graph, rows)) {}

  // The rows that the revision needs make way for it: they are implied from now on.
  Step Apply(RevisionIndex index) {
    const Indices implied = Intersection(graph_.steps_down(index), rows_);
    for (const RevisionIndex row : implied) rows_.erase(row);
    rows_.insert(index);
    const std::string& id = graph_.revision(index).id;
    return {Step::Direction::kUpgrade, id, Collapse(Ids(graph_, implied), id)};
  }

  VersionRows rows() const { return RowsOf(graph_, rows_); }

 private:
  const RevisionGraph& graph_;
  RevisionSet rows_;
};

// The version table while a downgrade goes on.
class DowngradedRows {
 public:
  DowngradedRows(const RevisionGraph& graph, const Indices& rows)
      : graph_(graph), rows_(SetOf(graph, rows)), needed_(graph.size(), 0) {
    const RevisionSet applied = Ancestors(graph, rows, Follow::kDependenciesToo);
    for (const RevisionIndex index : applied.ToVector()) {
      for (const RevisionIndex below : graph.steps_down(index)) ++needed_[below];
    }
  }

  // What only this revision needed comes to light as rows. Nothing applied needs the revision
  // itself when its turn comes, so it is a row.
  Step TakeDown(RevisionIndex index) {
    Indices uncovered;
    for (const RevisionIndex below : graph_.steps_down(index)) {
      if (--needed_[below] == 0 && rows_.insert(below)) uncovered.push_back(below);
    }
    rows_.erase(index);
    const std::string& id = graph_.revision(index).id;
    return {Step::Direction::kDowngrade, id, Expand(id, Ids(graph_, uncovered))};
  }

  VersionRows rows() const { return RowsOf(graph_, rows_); }

 private:
  const RevisionGraph& graph_;
  RevisionSet rows_;
  // How many applied revisions have a revision in their steps_down.
  std::vector<int32_t> needed_;
};

}  // namespace

absl::StatusOr<Plan> PlanUpgrade(const RevisionGraph& graph, const VersionRows& rows,
                                 absl::string_view target) {
  const absl::StatusOr<Indices> current = ResolveRows(graph, rows);
  if (!current.ok()) return current.status();
  const absl::StatusOr<Indices> targets = ResolveUpgradeTarget(graph, rows, target);
  if (!targets.ok()) return targets.status();
  for (const Indices* revisions : {&*targets, &*current}) {
    if (absl::Status status = CheckDisjoint(graph, *revisions); !status.ok()) return status;
  }

  RevisionSet missing(graph);
  // Most upgrades find that they are where they lead to.
  if (Intersection(*targets, SetOf(graph, *current)).size() != targets->size()) {
    missing = Ancestors(graph, *targets, Follow::kDependenciesToo);
    for (const RevisionIndex index :
         Ancestors(graph, *current, Follow::kDependenciesToo).ToVector()) {
      missing.erase(index);
    }
  }
  Indices order = NewestFirst(graph, missing, Intersection(*targets, missing));
  std::reverse(order.begin(), order.end());

  Plan plan{rows, {}, {}};
  UpgradedRows table(graph, *current);
  for (const RevisionIndex index : order) plan.steps.push_back(table.Apply(index));
  plan.resulting_rows = table.rows();
  return plan;
}

absl::StatusOr<Plan> PlanDowngrade(const RevisionGraph& graph, const VersionRows& rows,
                                   absl::string_view target) {
  const absl::StatusOr<Indices> current = ResolveRows(graph, rows);
  if (!current.ok()) return current.status();
  const absl::StatusOr<DowngradeTarget> resolved = ResolveDowngradeTarget(graph, rows, target);
  if (!resolved.ok()) return resolved.status();
  const absl::StatusOr<RevisionSet> selected = SelectDowngrade(graph, *current, *resolved, target);
  if (!selected.ok()) return selected.status();

  Plan plan{rows, {}, {}};
  DowngradedRows table(graph, *current);
  for (const RevisionIndex index :
       NewestFirst(graph, *selected, Intersection(*current, *selected))) {
    plan.steps.push_back(table.TakeDown(index));
  }
  plan.resulting_rows = table.rows();
  return plan;
}

}  // namespace migd
