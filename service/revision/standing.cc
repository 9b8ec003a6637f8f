#include "service/revision/standing.h"

#include <algorithm>
#include <utility>

#include "service/base/errors.h"
#include "service/revision/symbol_resolution.h"

namespace migd {

AppliedRevisions::AppliedRevisions(const RevisionGraph& graph, std::set<std::string> rows)
    : graph_(graph), rows_(std::move(rows)), applied_(AppliedBy(graph, rows_)) {
  for (const std::string& row : rows_) {
    if (!graph.Find(row)) unknown_rows_.push_back(row);
  }
}

Standing AppliedRevisions::CompareWith(const std::vector<RevisionIndex>& targets) const {
  if (targets.empty()) {
    if (rows_.empty()) return Standing::kAt;
    return unknown_rows_.size() == rows_.size() ? Standing::kAheadUnknown : Standing::kAhead;
  }
  const auto all = [&targets](const auto& condition) {
    return std::all_of(targets.begin(), targets.end(), condition);
  };
  if (!all([this](RevisionIndex target) { return applied_.contains(target); })) {
    return unknown_rows_.empty() ? Standing::kBelow : Standing::kAheadUnknown;
  }
  const bool have_rows =
      all([this](RevisionIndex target) { return rows_.count(graph_.revision(target).id) > 0; });
  return have_rows ? Standing::kAt : Standing::kAhead;
}

absl::StatusOr<std::vector<RevisionIndex>> ResolveAwaited(const RevisionGraph& graph,
                                                          const RevisionSymbol& symbol) {
  if (symbol.needs_rows()) {
    return errors::InvalidSymbol(
        symbol.text, "counts from where the database is, which is what changes; name a revision");
  }
  return ResolveSymbols(graph, {}, symbol);
}

}  // namespace migd
