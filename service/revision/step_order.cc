#include "service/revision/step_order.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/types/optional.h"
#include "service/revision/reachability.h"

namespace migd {
namespace {

// A place in the list of tips. A tip keeps its place until it is emitted, and the first revision
// that it steps down to inherits it; so places compare as the positions of Alembic's list do.
using Slot = int32_t;
constexpr Slot kNone = -1;
constexpr Slot kLast = std::numeric_limits<Slot>::max();

class Sorter {
 public:
  Sorter(const RevisionGraph& graph, RevisionSet pending)
      : graph_(graph),
        pending_(std::move(pending)),
        blockers_(graph.size(), 0),
        slot_of_(graph.size(), kNone),
        first_above_(graph.size()),
        waits_(graph.size()) {
    for (const RevisionIndex index : pending_.ToVector()) {
      for (const RevisionIndex below : graph_.steps_down(index)) ++blockers_[below];
    }
  }

  std::vector<RevisionIndex> Run(std::vector<RevisionIndex> tips) {
    std::sort(tips.begin(), tips.end());
    for (const RevisionIndex tip : tips) Append(tip);
    Slot current = first_;
    while (current != kNone) {
      const RevisionIndex tip = slots_[current].tip;
      current = blockers_[tip] == 0 ? Emit(current) : SlotToSwitchTo(tip);
    }
    return std::move(output_);
  }

 private:
  struct SlotState {
    RevisionIndex tip;
    Slot previous;
    Slot next;
  };

  // The first slot whose tip stands at or above a revision, as found when `tip` held it. While
  // that tip is pending it holds the slot, and the answer stands: all that happens meanwhile
  // removes slots from above the revision, or adds later ones.
  struct FirstAbove {
    Slot slot = kLast;
    RevisionIndex tip = -1;
  };

  // What was looked at for a blocked tip, and the slot that was found last. No tip before that slot
  // stands above it, and none will: a tip only ever moves down in its slot.
  struct Wait {
    size_t looks = 0;
    Slot found = 0;
  };

  void Append(RevisionIndex tip) {
    const Slot slot = static_cast<Slot>(slots_.size());
    slots_.push_back({tip, last_, kNone});
    (last_ == kNone ? first_ : slots_[last_].next) = slot;
    last_ = slot;
    slot_of_[tip] = slot;
  }

  // Returns the slot to go on with.
  Slot Remove(Slot slot) {
    const auto [tip, previous, next] = slots_[slot];
    (previous == kNone ? first_ : slots_[previous].next) = next;
    (next == kNone ? last_ : slots_[next].previous) = previous;
    slots_[slot].tip = kNone;
    return previous == kNone ? first_ : previous;
  }

  // Emits the tip of `slot` and returns the slot to go on with.
  Slot Emit(Slot slot) {
    const RevisionIndex tip = slots_[slot].tip;
    output_.push_back(tip);
    pending_.erase(tip);
    slot_of_[tip] = kNone;
    bool inherited = false;
    for (const RevisionIndex below : graph_.steps_down(tip)) {
      --blockers_[below];
      if (!pending_.contains(below) || slot_of_[below] != kNone) continue;
      if (inherited) {
        Append(below);
        continue;
      }
      slots_[slot].tip = below;
      slot_of_[below] = slot;
      inherited = true;
    }
    return inherited ? slot : Remove(slot);
  }

  bool IsKnown(RevisionIndex index) const {
    const RevisionIndex tip = first_above_[index].tip;
    return tip >= 0 && pending_.contains(tip);
  }

  // The first slot whose tip stands above `blocked`. Looking at what is above finds it soon, but
  // not if a revision with many branches is blocked once for each of them, or one far below them.
  // Looking at the slots costs no more for one revision than there are slots; so it is done for
  // those that have cost as much already.
  Slot SlotToSwitchTo(RevisionIndex blocked) {
    Wait& wait = waits_[blocked];
    wait.found = wait.looks <= slots_.size() ? FirstSlotAbove(blocked, wait.looks)
                                             : NextSlotAbove(blocked, wait.found);
    return wait.found;
  }

  // The same by looking at what is above. A depth-first walk upwards over what is pending, with an
  // explicit stack; what it finds on the way is kept for the walks to come. Counts its `looks`.
  Slot FirstSlotAbove(RevisionIndex blocked, size_t& looks) {
    struct Frame {
      RevisionIndex index;
      size_t position;
      Slot best;
    };
    std::vector<Frame> stack = {{blocked, 0, kLast}};
    while (true) {
      ++looks;
      Frame& frame = stack.back();
      const std::vector<RevisionIndex>& above = graph_.needed_by(frame.index);
      if (frame.position < above.size()) {
        const RevisionIndex next = above[frame.position];
        if (pending_.contains(next) && !IsKnown(next)) {
          stack.push_back({next, 0, slot_of_[next] == kNone ? kLast : slot_of_[next]});
          continue;
        }
        if (pending_.contains(next)) frame.best = std::min(frame.best, first_above_[next].slot);
        ++frame.position;
        continue;
      }
      if (stack.size() == 1) return frame.best;
      first_above_[frame.index] = {frame.best, slots_[frame.best].tip};
      stack.pop_back();
    }
  }

  // The same by looking at the slots, from one before which it cannot be.
  Slot NextSlotAbove(RevisionIndex blocked, Slot slot) {
    if (!reachability_) reachability_.emplace(graph_, Follow::kDependenciesToo);
    while (slots_[slot].tip == kNone || !reachability_->IsAbove(slots_[slot].tip, blocked)) ++slot;
    return slot;
  }

  const RevisionGraph& graph_;
  RevisionSet pending_;
  // How many pending revisions have a revision in their steps_down.
  std::vector<int32_t> blockers_;
  std::vector<Slot> slot_of_;
  std::vector<FirstAbove> first_above_;
  std::vector<Wait> waits_;
  // Made when it is needed.
  absl::optional<Reachability> reachability_;
  std::vector<SlotState> slots_;
  Slot first_ = kNone;
  Slot last_ = kNone;
  std::vector<RevisionIndex> output_;
};

}  // namespace

std::vector<RevisionIndex> NewestFirst(const RevisionGraph& graph, RevisionSet revisions,
                                       std::vector<RevisionIndex> tips) {
  return Sorter(graph, std::move(revisions)).Run(std::move(tips));
}

}  // namespace migd
