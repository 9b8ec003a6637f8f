// The index over a graph answers what a walk through it finds.
#include "service/revision/reachability.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/graph.h"

namespace migd {
namespace {

using ::testing::ElementsAre;
using testing::File;
using testing::Graph;
using testing::GraphOf;
using testing::IdsOf;
using ::testing::IsEmpty;

bool IsAbove(const RevisionGraph& graph, const std::string& upper, const std::string& lower) {
  return Reachability(graph, Follow::kDownRevisions)
      .IsAbove(*graph.Find(upper), *graph.Find(lower));
}

std::vector<std::string> Lowest(const RevisionGraph& graph, const std::vector<std::string>& among) {
  std::vector<RevisionIndex> indices;
  for (const std::string& id : among) indices.push_back(*graph.Find(id));
  return IdsOf(graph, Reachability(graph, Follow::kDownRevisions).Lowest(indices));
}

// Bases, branches, merges of two and three, dependencies: whatever the dice say.
RevisionGraph RandomGraph(int seed) {
  std::mt19937 random(static_cast<uint32_t>(seed));
  const int count = 2 + static_cast<int>(random() % 30);
  const auto pick = [&](int below, int most) {
    std::vector<std::string> names;
    for (int i = static_cast<int>(random() % (most + 1)); i > 0 && below > 0; --i) {
      const std::string name = absl::StrCat("r", random() % below);
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    return names;
  };
  std::vector<File> files;
  for (int i = 0; i < count; ++i) {
    // The order of the files says nothing of the order of the revisions.
    files.push_back({absl::StrCat("r", i),
                     pick(i, 3),
                     pick(i, 1),
                     {},
                     absl::StrCat(random() % 1000, "_r", i, ".sql")});
  }
  return GraphOf(files);
}

TEST(Reachability, SeesThroughBranchesAndMerges) {
  const RevisionGraph graph = Graph({{"b", "a"}, {"c", "a"}, {"d", {"b", "c"}}, {"e", "d"}});
  EXPECT_TRUE(IsAbove(graph, "e", "a"));
  EXPECT_TRUE(IsAbove(graph, "d", "b"));
  EXPECT_TRUE(IsAbove(graph, "e", "c"));
  EXPECT_FALSE(IsAbove(graph, "b", "c"));
  EXPECT_FALSE(IsAbove(graph, "a", "e"));
  EXPECT_FALSE(IsAbove(graph, "d", "d"));
}

TEST(Reachability, FindsTheLowestOfSeveral) {
  const RevisionGraph graph = Graph({{"b", "a"}, {"c", "a"}, {"d", {"b", "c"}}, {"x", {}}});
  EXPECT_THAT(Lowest(graph, {"d", "c", "b"}), ElementsAre("c", "b"));
  EXPECT_THAT(Lowest(graph, {"d", "x", "a"}), ElementsAre("x", "a"));
  EXPECT_THAT(Lowest(graph, {"d"}), ElementsAre("d"));
  EXPECT_THAT(Lowest(graph, {}), IsEmpty());
}

TEST(Reachability, AgreesWithAWalkOnRandomGraphs) {
  for (int seed = 0; seed < 300; ++seed) {
    const RevisionGraph graph = RandomGraph(seed);
    for (const Follow follow : {Follow::kDownRevisions, Follow::kDependenciesToo}) {
      const Reachability reachability(graph, follow);
      std::vector<RevisionIndex> some;
      for (RevisionIndex lower = 0; lower < graph.size(); ++lower) {
        if ((lower + seed) % 3 == 0) some.push_back(lower);
        const RevisionSet above = Descendants(graph, {lower}, follow);
        for (RevisionIndex upper = 0; upper < graph.size(); ++upper) {
          ASSERT_EQ(reachability.IsAbove(upper, lower), upper != lower && above.contains(upper))
              << "seed " << seed << ", " << upper << " above " << lower;
        }
      }
      std::vector<RevisionIndex> lowest;
      for (const RevisionIndex index : some) {
        const RevisionSet below = Ancestors(graph, {index}, follow);
        const auto is_below = [&](RevisionIndex i) { return i != index && below.contains(i); };
        if (std::none_of(some.begin(), some.end(), is_below)) lowest.push_back(index);
      }
      ASSERT_EQ(reachability.Lowest(some), lowest) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace migd
