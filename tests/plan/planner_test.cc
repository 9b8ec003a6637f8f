// What planning is beside Alembic's rules, which are in alembic_rules_test.cc.
#include "service/plan/planner.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "tests/support/graph.h"

namespace migd {
namespace {

using ::testing::ElementsAre;
using testing::File;
using testing::Graph;
using testing::GraphOf;
using ::testing::IsEmpty;

TEST(Plan, KnowsTheRowsBeforeAndAfter) {
  const Plan plan = PlanUpgrade(Graph({{"b", "a"}, {"c", "b"}}), {"b"}, "head").value();
  EXPECT_THAT(plan.starting_rows, ElementsAre("b"));
  EXPECT_THAT(plan.resulting_rows, ElementsAre("c"));
}

TEST(Plan, StepsKnowTheirDirection) {
  const RevisionGraph graph = Graph({{"a"}});
  EXPECT_EQ(PlanUpgrade(graph, {}, "a").value().steps[0].direction, Step::Direction::kUpgrade);
  EXPECT_EQ(PlanDowngrade(graph, {"a"}, "base").value().steps[0].direction,
            Step::Direction::kDowngrade);
  EXPECT_EQ(PlanStamp(graph, {}, {"a"}, false).value().steps[0].direction, Step::Direction::kStamp);
}

TEST(Plan, AStampNeedsATarget) {
  EXPECT_EQ(errors::ReasonOf(PlanStamp(Graph({{"a"}}), {}, {}, false).status()),
            migration::v1::ERROR_REASON_INVALID_REQUEST);
}

// --- Writes ---

TEST(ApplyWrites, MakesThemInOrder) {
  VersionRows rows = {"a", "b"};
  ApplyWrites({{VersionWrite::Kind::kDelete, "a", ""},
               {VersionWrite::Kind::kUpdate, "b", "c"},
               {VersionWrite::Kind::kInsert, "", "d"}},
              rows);
  EXPECT_THAT(rows, ElementsAre("c", "d"));
}

TEST(ApplyWrites, PassesOverWritesThatDoNotFit) {
  VersionRows rows = {"a"};
  ApplyWrites({{VersionWrite::Kind::kDelete, "x", ""}, {VersionWrite::Kind::kUpdate, "x", "y"}},
              rows);
  EXPECT_THAT(rows, ElementsAre("a"));
}

// --- Size: deep, wide and tangled graphs go up and down in full ---

void ExpectUpAndDown(const std::vector<File>& files) {
  const RevisionGraph graph = GraphOf(files);
  const absl::StatusOr<Plan> up = PlanUpgrade(graph, {}, "heads");
  ASSERT_TRUE(up.ok()) << up.status();
  EXPECT_EQ(up->steps.size(), files.size());
  const absl::StatusOr<Plan> down = PlanDowngrade(graph, up->resulting_rows, "base");
  ASSERT_TRUE(down.ok()) << down.status();
  EXPECT_EQ(down->steps.size(), files.size());
  EXPECT_THAT(down->resulting_rows, IsEmpty());
  const absl::StatusOr<Plan> stamp = PlanStamp(graph, {}, {"heads"}, false);
  ASSERT_TRUE(stamp.ok()) << stamp.status();
  EXPECT_EQ(stamp->resulting_rows, up->resulting_rows);
}

std::string Id(const char* prefix, int number) { return absl::StrCat(prefix, 100000 + number); }

TEST(PlanSize, AChain) {
  std::vector<File> files = {{Id("r", 0)}};
  for (int i = 1; i < 10000; ++i) files.push_back({Id("r", i), Id("r", i - 1)});
  ExpectUpAndDown(files);
}

TEST(PlanSize, ManyBranches) {
  std::vector<File> files = {{"root"}};
  for (int i = 0; i < 5000; ++i) {
    files.push_back({Id("a", i), "root"});
    files.push_back({Id("b", i), Id("a", i)});
  }
  ExpectUpAndDown(files);
}

TEST(PlanSize, ManyBranchesThatOneRevisionMerges) {
  std::vector<File> files = {{"root"}};
  std::vector<std::string> branches;
  for (int i = 0; i < 5000; ++i) {
    branches.push_back(Id("a", i));
    files.push_back({branches.back(), "root"});
  }
  files.push_back({"merge", branches});
  ExpectUpAndDown(files);
}

TEST(PlanSize, BranchesThatAreMergedOneByOne) {
  std::vector<File> files = {{"root"}, {Id("m", 0), "root"}};
  for (int i = 1; i <= 5000; ++i) {
    files.push_back({Id("a", i), "root"});
    files.push_back({Id("m", i), {Id("m", i - 1), Id("a", i)}});
  }
  ExpectUpAndDown(files);
}

TEST(PlanSize, AChainOfDiamonds) {
  std::vector<File> files = {{Id("m", 0)}};
  for (int i = 1; i <= 10000; ++i) {
    files.push_back({Id("a", i), Id("m", i - 1)});
    files.push_back({Id("b", i), Id("m", i - 1)});
    files.push_back({Id("m", i), {Id("a", i), Id("b", i)}});
  }
  ExpectUpAndDown(files);
}

TEST(PlanSize, TwoChainsWithDependenciesAllAlong) {
  std::vector<File> files = {{Id("a", 0)}, {Id("b", 0), {}, Id("a", 0)}};
  for (int i = 1; i < 5000; ++i) {
    files.push_back({Id("a", i), Id("a", i - 1)});
    files.push_back({Id("b", i), Id("b", i - 1), {Id("a", i), Id("a", i - 1)}});
  }
  ExpectUpAndDown(files);
}

}  // namespace
}  // namespace migd
