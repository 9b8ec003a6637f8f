#include "service/revision/symbol_resolution.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/errors.h"
#include "service/revision/lineage.h"
#include "service/revision/step_order.h"

namespace migd {
namespace {

using Indices = std::vector<RevisionIndex>;
using Rows = std::set<std::string>;
using Start = RevisionSymbol::Start;

// Where a walk is; none for base.
using Place = absl::optional<RevisionIndex>;

// Which part of the graph a symbol may name; everything if there is none.
using Branch = absl::optional<RevisionSet>;

enum class PastTheEnd { kRefuse, kStop };

// Shorter beginnings of an id or a label are more likely a slip than a name.
constexpr size_t kShortestPrefix = 2;
// As in Alembic, a label that is not longer than this must be written out.
constexpr size_t kLongestLabelWithoutPrefixes = 3;

Indices Within(const Indices& candidates, const Branch& branch) {
  return branch ? Intersection(candidates, *branch) : candidates;
}

// The applied revisions on `branch` that have no applied revision above them by `above`.
template <typename Above>
Indices AppliedTips(const RevisionGraph& graph, const Indices& rows, const RevisionSet& branch,
                    Above above) {
  const RevisionSet applied = Ancestors(graph, rows, Follow::kDependenciesToo);
  Indices tips;
  for (const RevisionIndex index : applied.ToVector()) {
    if (!branch.contains(index)) continue;
    const Indices& next = above(index);
    const bool covered =
        std::any_of(next.begin(), next.end(), [&](RevisionIndex i) { return applied.contains(i); });
    if (!covered) tips.push_back(index);
  }
  return tips;
}

// The revisions of which `prefix` is the beginning of the id or of a label, in file order.
Indices WithPrefix(const RevisionGraph& graph, absl::string_view prefix) {
  Indices result;
  for (RevisionIndex i = 0; i < graph.size(); ++i) {
    const Revision& revision = graph.revision(i);
    bool fits = absl::StartsWith(revision.id, prefix);
    for (const std::string& label : revision.branch_labels) {
      fits |= label.size() > kLongestLabelWithoutPrefixes && absl::StartsWith(label, prefix);
    }
    if (fits) result.push_back(i);
  }
  return result;
}

// Finds a revision by its id, a label, or the beginning of either among the members of `branch`.
absl::StatusOr<RevisionIndex> FindByName(const RevisionGraph& graph, absl::string_view name,
                                         const Branch& branch) {
  if (const Place by_id = graph.Find(name)) return *by_id;
  if (const Place by_label = graph.FindLabel(name)) return *by_label;
  const Indices candidates = Within(WithPrefix(graph, name), branch);
  if (candidates.empty()) return errors::UnknownRevision(name);
  if (candidates.size() > 1) return errors::AmbiguousRevision(name, Ids(graph, candidates));
  if (name.size() < kShortestPrefix) {
    return errors::UnknownRevision(
        name, absl::StrCat("one character is too little to tell; write more of ",
                           graph.revision(candidates[0]).id));
  }
  return candidates[0];
}

// Resolves one symbol.
class Resolver {
 public:
  Resolver(const RevisionGraph& graph, const Rows& rows, const RevisionSymbol& symbol)
      : graph_(graph), rows_(rows), symbol_(symbol) {}

  // Must come first, and succeed.
  absl::Status EnterBranch() {
    if (!symbol_.branch) return absl::OkStatus();
    absl::StatusOr<RevisionIndex> branch = ResolveBranch(graph_, *symbol_.branch);
    if (!branch.ok()) return branch.status();
    branch_revision_ = *branch;
    branch_ = Lineage(graph_, *branch);
    return absl::OkStatus();
  }

  const Branch& branch() const { return branch_; }
  Place branch_revision() const { return branch_revision_; }

  absl::StatusOr<Indices> Resolve(PastTheEnd past_the_end = PastTheEnd::kRefuse) {
    if (!symbol_.is_relative()) return Named();
    absl::StatusOr<Place> start = WalkStart();
    if (!start.ok()) return start.status();
    absl::StatusOr<Place> place = Walk(*start, past_the_end);
    if (!place.ok()) return place.status();
    return *place ? Indices{**place} : Indices{};
  }

  // The place from which a relative symbol counts.
  absl::StatusOr<Place> WalkStart() {
    if (symbol_.counts_from_rows()) return *symbol_.offset > 0 ? UpStart() : DownStart();
    if (symbol_.start == Start::kBase) return Place();
    absl::StatusOr<Indices> named = Named();
    if (!named.ok()) return named.status();
    if (named->size() > 1) return errors::MultipleHeads(symbol_.text, Ids(graph_, *named));
    return named->empty() ? Place() : Place(named->front());
  }

  // Walks the symbol's offset from `place`, along down_revision.
  absl::StatusOr<Place> Walk(Place place, PastTheEnd past_the_end) {
    const int32_t offset = *symbol_.offset;
    for (int32_t left = std::abs(offset); left > 0; --left) {
      if (offset < 0 && !place) return Past(place, left, past_the_end);
      const Indices choices = offset < 0 ? graph_.parents(*place) : Above(place);
      if (choices.size() > 1) return errors::AmbiguousRevision(symbol_.text, Ids(graph_, choices));
      if (!choices.empty()) {
        place = choices.front();
      } else if (offset < 0) {
        place = absl::nullopt;
      } else {
        return Past(place, left, past_the_end);
      }
    }
    return place;
  }

 private:
  absl::StatusOr<Indices> Named() {
    switch (symbol_.start) {
      case Start::kBase:
        return Indices{};
      case Start::kHead:
        return Head();
      case Start::kHeads:
        return branch_ ? Within(graph_.heads(), branch_) : graph_.effective_heads();
      case Start::kCurrent:
      case Start::kUnnamed:
        return RowsOnBranch();
      case Start::kName:
        return ByName();
    }
    return Indices{};
  }

  absl::StatusOr<Indices> Head() {
    Indices heads = Within(graph_.heads(), branch_);
    if (heads.size() > 1) return errors::MultipleHeads(symbol_.text, Ids(graph_, heads));
    return heads;
  }

  // A walk upwards may begin beside its branch, and lead into it.
  absl::StatusOr<Indices> ByName() {
    const bool leads_up = symbol_.is_relative() && *symbol_.offset > 0;
    const absl::StatusOr<RevisionIndex> found =
        FindByName(graph_, symbol_.name, leads_up ? Branch() : branch_);
    if (!found.ok()) return found.status();
    if (branch_ && !leads_up && !branch_->contains(*found)) {
      return errors::UnknownRevision(
          symbol_.text,
          absl::StrCat(graph_.revision(*found).id, " is not a member of branch ", *symbol_.branch));
    }
    return Indices{*found};
  }

  absl::StatusOr<Indices> RowsOnBranch() {
    absl::StatusOr<Indices> rows = ResolveRows(graph_, rows_);
    if (!rows.ok()) return rows.status();
    return Within(*rows, branch_);
  }

  // Upwards from the row; on a branch without one, from the highest revision on it that the rows
  // imply, and if there is none either, from base.
  absl::StatusOr<Place> UpStart() {
    absl::StatusOr<Indices> starts = RowsOnBranch();
    if (!starts.ok()) return starts.status();
    if (starts->empty() && branch_) {
      *starts = AppliedTips(graph_, *ResolveRows(graph_, rows_), *branch_, [this](RevisionIndex i) {
        return Within(graph_.needed_by(i), branch_);
      });
    }
    if (starts->size() > 1) return errors::AmbiguousRevision(symbol_.text, Ids(graph_, *starts));
    return starts->empty() ? Place() : Place(starts->front());
  }

  // Downwards from the row; on a branch without one, from the revision on it that the rows imply.
  absl::StatusOr<Place> DownStart() {
    absl::StatusOr<Indices> starts = RowsOnBranch();
    if (!starts.ok()) return starts.status();
    if (starts->empty() && branch_) {
      *starts = AppliedTips(graph_, *ResolveRows(graph_, rows_), *branch_,
                            [this](RevisionIndex i) { return graph_.children(i); });
    }
    if (starts->size() > 1) return errors::AmbiguousRevision(symbol_.text, Ids(graph_, *starts));
    if (!starts->empty()) return Place(starts->front());
    return errors::InvalidTarget(
        symbol_.text, branch_ ? absl::StrCat("nothing of branch ", *symbol_.branch, " is applied")
                              : "there is no current revision to count from");
  }

  Indices Above(Place place) const {
    return Within(place ? graph_.children(*place) : graph_.bases(), branch_);
  }

  absl::StatusOr<Place> Past(Place place, int32_t left, PastTheEnd past_the_end) const {
    if (past_the_end == PastTheEnd::kStop) return place;
    const std::string end = place ? graph_.revision(*place).id : "base";
    return errors::InvalidTarget(
        symbol_.text,
        absl::StrCat("after ", std::abs(*symbol_.offset) - left, " of ", std::abs(*symbol_.offset),
                     " steps there is nothing ", *symbol_.offset < 0 ? "below " : "above ", end));
  }

  const RevisionGraph& graph_;
  const Rows& rows_;
  const RevisionSymbol& symbol_;
  Place branch_revision_;
  Branch branch_;
};

// Resolves the ends of one range.
class RangeResolver {
 public:
  RangeResolver(const RevisionGraph& graph, const Rows& rows, const RevisionRange& range)
      : graph_(graph), rows_(rows), range_(range) {}

  absl::StatusOr<Indices> Select() {
    if (absl::Status status = ResolveEnds(); !status.ok()) return status;
    if (lowers_.empty() && uppers_ == graph_.effective_heads()) return graph_.newest_first();
    const RevisionSet below = Ancestors(graph_, uppers_, Follow::kDependenciesToo);
    for (const RevisionIndex lower : lowers_) {
      if (!below.contains(lower)) return NotBelow(lower);
    }
    if (lowers_.empty()) return NewestFirst(graph_, below, uppers_);
    const RevisionSet above = Descendants(graph_, lowers_, Follow::kDownRevisions);
    return Sorted(Intersection(below.ToVector(), above));
  }

 private:
  static bool CountsFromOtherEnd(const absl::optional<RevisionSymbol>& end) {
    return end && end->start == Start::kUnnamed;
  }

  absl::Status ResolveEnds() {
    if (CountsFromOtherEnd(range_.lower) && CountsFromOtherEnd(range_.upper)) {
      return errors::InvalidSymbol(range_.text, "only one end can count from the other");
    }
    if (CountsFromOtherEnd(range_.upper)) {
      if (absl::Status status = ResolveEnd(range_.lower, lowers_); !status.ok()) return status;
      return CountFrom(lowers_, *range_.upper, uppers_);
    }
    if (absl::Status status = ResolveUpper(); !status.ok()) return status;
    if (CountsFromOtherEnd(range_.lower)) return CountFrom(uppers_, *range_.lower, lowers_);
    return ResolveEnd(range_.lower, lowers_);
  }

  absl::Status ResolveUpper() {
    if (!range_.upper) {
      uppers_ = graph_.effective_heads();
    } else if (absl::Status status = ResolveEnd(range_.upper, uppers_); !status.ok()) {
      return status;
    }
    if (!range_.lower || !range_.lower->branch) return absl::OkStatus();
    const absl::StatusOr<RevisionIndex> branch = ResolveBranch(graph_, *range_.lower->branch);
    if (!branch.ok()) return branch.status();
    uppers_ = Intersection(uppers_, Lineage(graph_, *branch));
    return absl::OkStatus();
  }

  absl::Status ResolveEnd(const absl::optional<RevisionSymbol>& end, Indices& result) {
    if (!end) return absl::OkStatus();
    Resolver resolver(graph_, rows_, *end);
    if (absl::Status status = resolver.EnterBranch(); !status.ok()) return status;
    absl::StatusOr<Indices> resolved = resolver.Resolve(PastTheEnd::kStop);
    if (!resolved.ok()) return resolved.status();
    result = *std::move(resolved);
    return absl::OkStatus();
  }

  // Walks from each of `starts`, which belong to the other end. A walk that comes to base makes
  // the range begin there.
  absl::Status CountFrom(const Indices& starts, const RevisionSymbol& end, Indices& result) {
    const bool is_upper = &result == &uppers_;
    if ((*end.offset > 0) != is_upper) {
      return errors::InvalidTarget(range_.text, is_upper ? "its upper end counts downwards"
                                                         : "its lower end counts upwards");
    }
    Resolver resolver(graph_, rows_, end);
    if (absl::Status status = resolver.EnterBranch(); !status.ok()) return status;
    std::vector<Place> places(starts.begin(), starts.end());
    if (places.empty() && is_upper) places.push_back(absl::nullopt);
    for (const Place start : places) {
      absl::StatusOr<Place> place = resolver.Walk(start, PastTheEnd::kStop);
      if (!place.ok()) return place.status();
      if (!*place) {
        result.clear();
        return absl::OkStatus();
      }
      result.push_back(**place);
    }
    return absl::OkStatus();
  }

  // Sorts the revisions together with what only dependencies put between them, so that these
  // count for the order, too.
  Indices Sorted(const Indices& selected) const {
    RevisionSet between = Ancestors(graph_, selected, Follow::kDependenciesToo);
    const RevisionSet above = Descendants(graph_, selected, Follow::kDependenciesToo);
    for (const RevisionIndex index : between.ToVector()) {
      if (!above.contains(index)) between.erase(index);
    }
    Indices tips;
    for (const RevisionIndex index : selected) {
      if (Intersection(graph_.needed_by(index), between).empty()) tips.push_back(index);
    }
    RevisionSet listed(graph_);
    for (const RevisionIndex index : selected) listed.insert(index);
    return Intersection(NewestFirst(graph_, std::move(between), std::move(tips)), listed);
  }

  absl::Status NotBelow(RevisionIndex lower) const {
    return errors::InvalidTarget(
        range_.text,
        absl::StrCat(graph_.revision(lower).id, " does not stand below ",
                     uppers_.empty() ? "base" : absl::StrJoin(Ids(graph_, uppers_), ", ")),
        "a range is written from the older revision to the newer one");
  }

  const RevisionGraph& graph_;
  const Rows& rows_;
  const RevisionRange& range_;
  Indices lowers_;
  Indices uppers_;
};

}  // namespace

absl::StatusOr<Indices> ResolveRows(const RevisionGraph& graph, const Rows& rows) {
  Indices known;
  std::vector<std::string> unknown;
  for (const std::string& row : rows) {
    if (const Place index = graph.Find(row)) {
      known.push_back(*index);
    } else {
      unknown.push_back(row);
    }
  }
  if (!unknown.empty()) return errors::DatabaseAhead(unknown);
  return known;
}

absl::StatusOr<RevisionIndex> ResolveBranch(const RevisionGraph& graph, absl::string_view branch) {
  if (const Place by_label = graph.FindLabel(branch)) return *by_label;
  const absl::StatusOr<RevisionIndex> found = FindByName(graph, branch, absl::nullopt);
  if (found.ok() || found.status().code() != absl::StatusCode::kNotFound) return found;
  return errors::UnknownRevision(branch, "no branch has this label");
}

absl::StatusOr<Indices> ResolveSymbols(const RevisionGraph& graph, const Rows& rows,
                                       const RevisionSymbol& symbol) {
  Resolver resolver(graph, rows, symbol);
  if (absl::Status status = resolver.EnterBranch(); !status.ok()) return status;
  return resolver.Resolve();
}

absl::StatusOr<Indices> ResolveSymbols(const RevisionGraph& graph, const Rows& rows,
                                       absl::string_view symbol) {
  const absl::StatusOr<RevisionSymbol> parsed = RevisionSymbol::Parse(symbol);
  if (!parsed.ok()) return parsed.status();
  return ResolveSymbols(graph, rows, *parsed);
}

absl::StatusOr<DowngradeTarget> ResolveDowngradeTarget(const RevisionGraph& graph, const Rows& rows,
                                                       absl::string_view text) {
  const absl::StatusOr<RevisionSymbol> symbol = RevisionSymbol::Parse(text);
  if (!symbol.ok()) return symbol.status();
  Resolver resolver(graph, rows, *symbol);
  if (absl::Status status = resolver.EnterBranch(); !status.ok()) return status;

  DowngradeTarget target;
  target.branch = resolver.branch_revision();
  if (symbol->counts_from_rows()) {
    if (*symbol->offset > 0) return errors::InvalidTarget(text, "a downgrade leads downwards");
    const absl::StatusOr<Place> start = resolver.WalkStart();
    if (!start.ok()) return start.status();
    const absl::StatusOr<Place> place = resolver.Walk(*start, PastTheEnd::kRefuse);
    if (!place.ok()) return place.status();
    target.revision = *place;
    // `-1` stays on the lineage of the row that it counts from.
    if (!target.branch) target.branch = *start;
    return target;
  }

  const absl::StatusOr<Indices> resolved = resolver.Resolve();
  if (!resolved.ok()) return resolved.status();
  if (resolved->size() > 1) {
    return symbol->start == Start::kHeads ? errors::MultipleHeads(text, Ids(graph, *resolved))
                                          : errors::AmbiguousRevision(text, Ids(graph, *resolved));
  }
  if (!resolved->empty()) target.revision = resolved->front();
  return target;
}

absl::StatusOr<Indices> SelectHistory(const RevisionGraph& graph, const Rows& rows,
                                      absl::string_view text) {
  const absl::StatusOr<RevisionRange> range = RevisionRange::Parse(text);
  if (!range.ok()) return range.status();
  return RangeResolver(graph, rows, *range).Select();
}

}  // namespace migd
