#include "tests/support/large_graph.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace migd {
namespace {

// Twelve hex digits that look like random ones and differ for different numbers: multiplying by an
// odd number is one-to-one, and so is mixing the upper half into the lower one.
std::string IdOf(int number) {
  constexpr uint64_t kDigits = (uint64_t{1} << 48) - 1;
  constexpr uint64_t kOdd = 0x9E3779B97F4B;
  uint64_t mixed = (static_cast<uint64_t>(number) + 1) * kOdd & kDigits;
  mixed ^= mixed >> 24;
  mixed = mixed * kOdd & kDigits;
  return absl::StrCat(absl::Hex(mixed, absl::kZeroPad12));
}

// Makes revisions, and refers to them by the order in which it made them.
class Maker {
 public:
  explicit Maker(int count) : count_(count) { revisions_.reserve(static_cast<size_t>(count)); }

  // How many there are, and whether those that were asked for are.
  int size() const { return static_cast<int>(revisions_.size()); }
  bool is_done() const { return size() >= count_; }

  // Returns the number of the new revision.
  int Add(const std::vector<int>& revises, const std::vector<int>& depends_on = {}) {
    Revision revision;
    revision.id = IdOf(size());
    for (const int number : revises) revision.down_revisions.push_back(IdOf(number));
    for (const int number : depends_on) revision.depends_on.push_back(IdOf(number));
    revision.message = absl::StrCat("step ", size());
    revision.path = absl::StrCat(revision.id, "_step.sql");
    revisions_.push_back(std::move(revision));
    return size() - 1;
  }

  void Label(int number, std::string label) {
    revisions_[static_cast<size_t>(number)].branch_labels = {std::move(label)};
  }

  std::vector<Revision> Finish() { return std::move(revisions_); }

 private:
  const int count_;
  std::vector<Revision> revisions_;
};

std::vector<Revision> MakeBranches(int count, bool labelled) {
  Maker maker(count);
  const int base = maker.Add({});
  while (!maker.is_done()) {
    const int first = maker.Add({base});
    if (labelled) maker.Label(first, absl::StrCat("branch", first));
    maker.Add({first});
  }
  return maker.Finish();
}

}  // namespace

std::vector<Revision> Chain(int count) {
  Maker maker(count);
  int last = maker.Add({});
  while (!maker.is_done()) last = maker.Add({last});
  return maker.Finish();
}

std::vector<Revision> Branches(int count) { return MakeBranches(count, false); }

std::vector<Revision> LabelledBranches(int count) { return MakeBranches(count, true); }

std::vector<Revision> Diamonds(int count) {
  Maker maker(count);
  int last = maker.Add({});
  while (!maker.is_done()) {
    const int left = maker.Add({last});
    const int right = maker.Add({last});
    last = maker.Add({left, right});
  }
  return maker.Finish();
}

std::vector<Revision> MergeTree(int count) {
  Maker maker(count);
  const int base = maker.Add({});
  for (int i = 0; i < count / 2; ++i) maker.Add({base});
  const int end = maker.size();
  for (int next = base + 1; next + 1 < maker.size() && maker.size() < end + count / 2; next += 2) {
    maker.Add({next, next + 1});
  }
  return maker.Finish();
}

std::vector<Revision> WideMerge(int count) {
  Maker maker(count);
  const int base = maker.Add({});
  std::vector<int> heads;
  while (maker.size() < count - 1) heads.push_back(maker.Add({base}));
  maker.Add(heads);
  return maker.Finish();
}

std::vector<Revision> FollowedBranch(int count) {
  Maker maker(count);
  int followed = maker.Add({});
  maker.Label(followed, "followed");
  int last = maker.Add({});
  maker.Label(last, "main");
  while (!maker.is_done()) {
    followed = maker.Add({followed});
    last = maker.Add({last, followed});
  }
  return maker.Finish();
}

std::vector<Revision> WideDependency(int count) {
  Maker maker(count);
  const int needed = maker.Add({});
  std::vector<int> bases;
  while (maker.size() < count - 1) {
    bases.push_back(maker.size() % 2 == 0 ? maker.Add({}, {needed}) : maker.Add({}));
  }
  maker.Add({}, bases);
  return maker.Finish();
}

std::vector<Revision> Modules(int count) {
  constexpr int kModules = 10;
  Maker maker(count);
  std::vector<int> last;
  for (int module = 0; module < kModules; ++module) {
    last.push_back(maker.Add({}));
    maker.Label(last.back(), absl::StrCat("module", module));
  }
  while (!maker.is_done()) {
    last[0] = maker.Add({last[0]});
    for (int module = 1; module < kModules; ++module) {
      last[module] = maker.Add({last[module]}, {last[0]});
    }
  }
  return maker.Finish();
}

std::vector<Revision> DependentChain(int count) {
  Maker maker(count);
  int needed = maker.Add({});
  int last = maker.Add({}, {needed});
  while (!maker.is_done()) {
    needed = maker.Add({needed});
    last = maker.Add({last}, {needed});
  }
  return maker.Finish();
}

std::vector<Revision> Comb(int count) {
  Maker maker(count);
  int last = maker.Add({});
  while (!maker.is_done()) {
    maker.Add({last});
    maker.Add({last});
    last = maker.Add({last});
  }
  return maker.Finish();
}

std::vector<Revision> RandomTree(int count) {
  Maker maker(count);
  std::mt19937 random(1);
  maker.Add({});
  while (!maker.is_done()) maker.Add({static_cast<int>(random() % maker.size())});
  return maker.Finish();
}

std::vector<Revision> RandomGraph(int count) {
  constexpr int kReach = 100;
  Maker maker(count);
  std::mt19937 random(1);
  const auto recent = [&] {
    return maker.size() - 1 - static_cast<int>(random() % std::min(kReach, maker.size()));
  };
  maker.Add({});
  while (!maker.is_done()) {
    std::vector<int> revises = {recent()};
    if (random() % 10 == 0) revises.push_back(recent());
    if (revises.size() == 2 && revises[0] == revises[1]) revises.pop_back();
    std::vector<int> depends_on;
    if (random() % 10 == 0) depends_on.push_back(recent());
    maker.Add(revises, depends_on);
  }
  return maker.Finish();
}

std::string FileOf(const Revision& revision) {
  const std::string& id = revision.id;
  return absl::StrCat(
      "-- ", revision.message, "\n--\n-- Revision ID: ", id,
      "\n-- Revises: ", absl::StrJoin(revision.down_revisions, ", "),
      "\n-- Branch Labels: ", absl::StrJoin(revision.branch_labels, ", "),
      "\n-- Depends On: ", absl::StrJoin(revision.depends_on, ", "),
      "\n-- Create Date: 2025-01-16 00:00:00\n\n-- migrate:up\nCREATE TABLE orders_", id,
      " (\n    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n    customer text NOT NULL,\n"
      "    total numeric(12, 2) NOT NULL DEFAULT 0 CHECK (total >= 0),\n"
      "    created_at timestamptz NOT NULL DEFAULT now()\n);\nCREATE INDEX orders_",
      id, "_customer ON orders_", id, " (customer);\nCOMMENT ON TABLE orders_", id,
      " IS 'What customers have asked for; see also the invoices.';\n\n-- migrate:down\n"
      "DROP TABLE orders_",
      id, ";\n");
}

}  // namespace migd
