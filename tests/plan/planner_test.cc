#include "service/plan/planner.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "tests/support/graph.h"

namespace migd {
namespace {

using migration::v1::ERROR_REASON_AMBIGUOUS_REVISION;
using migration::v1::ERROR_REASON_DATABASE_AHEAD;
using migration::v1::ERROR_REASON_INVALID_REQUEST;
using migration::v1::ERROR_REASON_INVALID_SYMBOL;
using migration::v1::ERROR_REASON_INVALID_TARGET;
using migration::v1::ERROR_REASON_MULTIPLE_HEADS;
using migration::v1::ERROR_REASON_OVERLAPPING_REVISIONS;
using migration::v1::ERROR_REASON_UNKNOWN_REVISION;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::File;
using testing::Graph;
using testing::GraphOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Describe(const VersionWrite& write) {
  switch (write.kind) {
    case VersionWrite::Kind::kInsert:
      return absl::StrCat("+", write.to);
    case VersionWrite::Kind::kDelete:
      return absl::StrCat("-", write.from);
    case VersionWrite::Kind::kUpdate:
      return absl::StrCat(write.from, "=", write.to);
  }
  return "";
}

// Each step as `revision: writes`, such as "d: -b c=d".
std::vector<std::string> Steps(const absl::StatusOr<Plan>& plan) {
  EXPECT_TRUE(plan.ok()) << plan.status();
  std::vector<std::string> steps;
  if (!plan.ok()) return steps;
  VersionRows rows = plan->starting_rows;
  for (const Step& step : plan->steps) {
    steps.push_back(absl::StrCat(
        step.revision, ":", step.writes.empty() ? "" : " ",
        absl::StrJoin(step.writes, " ", [](std::string* out, const VersionWrite& write) {
          out->append(Describe(write));
        })));
    ApplyWrites(step.writes, rows);
  }
  EXPECT_EQ(rows, plan->resulting_rows);
  return steps;
}

// The revisions of the steps, in one line.
std::string Order(const absl::StatusOr<Plan>& plan) {
  EXPECT_TRUE(plan.ok()) << plan.status();
  if (!plan.ok()) return "";
  return absl::StrJoin(plan->steps, " ",
                       [](std::string* out, const Step& step) { out->append(step.revision); });
}

migration::v1::ErrorReason Refusal(const absl::StatusOr<Plan>& plan) {
  return errors::ReasonOf(plan.status());
}

std::string Message(const absl::StatusOr<Plan>& plan) {
  return std::string(plan.status().message());
}

RevisionGraph Chain() { return Graph({{"b", "a"}, {"c", "b"}}); }

// a, then b and c side by side, then d, which merges them.
RevisionGraph Diamond() { return Graph({{"b", "a"}, {"c", "a"}, {"d", {"b", "c"}}}); }

// Two bases, each with one revision above it.
RevisionGraph TwoBranches() {
  return Graph({{"a1", {}, {}, "alpha"}, {"a2", "a1"}, {"b1", {}, {}, "beta"}, {"b2", "b1"}});
}

// --- Upgrade ---

TEST(PlanUpgrade, InsertsTheBaseAndUpdatesItsRowFromThenOn) {
  EXPECT_THAT(Steps(PlanUpgrade(Chain(), {}, "head")), ElementsAre("a: +a", "b: a=b", "c: b=c"));
}

TEST(PlanUpgrade, GoesOnFromTheRow) {
  const Plan plan = PlanUpgrade(Chain(), {"b"}, "head").value();
  EXPECT_THAT(Steps(plan), ElementsAre("c: b=c"));
  EXPECT_THAT(plan.starting_rows, ElementsAre("b"));
  EXPECT_THAT(plan.resulting_rows, ElementsAre("c"));
}

TEST(PlanUpgrade, StepsAreUpgrades) {
  EXPECT_EQ(PlanUpgrade(Chain(), {}, "a").value().steps[0].direction, Step::Direction::kUpgrade);
}

TEST(PlanUpgrade, HasNothingToDoAtTheTarget) {
  EXPECT_THAT(Steps(PlanUpgrade(Chain(), {"c"}, "head")), IsEmpty());
}

TEST(PlanUpgrade, HasNothingToDoAboveTheTarget) {
  EXPECT_THAT(Steps(PlanUpgrade(Chain(), {"c"}, "a")), IsEmpty());
}

TEST(PlanUpgrade, HasNothingToDoForBase) {
  EXPECT_THAT(Steps(PlanUpgrade(Chain(), {}, "base")), IsEmpty());
}

TEST(PlanUpgrade, HasNothingToDoWithoutFiles) {
  EXPECT_THAT(Steps(PlanUpgrade(Graph({}), {}, "head")), IsEmpty());
}

TEST(PlanUpgrade, ABranchInsertsARowOfItsOwn) {
  EXPECT_THAT(Steps(PlanUpgrade(Diamond(), {"b"}, "c")), ElementsAre("c: +c"));
}

TEST(PlanUpgrade, AppliesBothParentsBeforeAMerge) {
  EXPECT_THAT(Steps(PlanUpgrade(Diamond(), {}, "head")),
              ElementsAre("a: +a", "c: a=c", "b: +b", "d: -b c=d"));
}

TEST(PlanUpgrade, AMergeUpdatesTheOnlyRowIfTheOtherParentIsImplied) {
  const RevisionGraph graph = Graph({{"b", "a"}, {"c", "a"}, {"d", {"b", "c"}}, {"x", "c"}});
  EXPECT_THAT(Steps(PlanUpgrade(graph, {"b", "x"}, "d")), ElementsAre("d: b=d"));
}

TEST(PlanUpgrade, AMergeOfWhatIsAllImpliedInserts) {
  const RevisionGraph graph =
      Graph({{"b", "a"}, {"c", "a"}, {"d", {"b", "c"}}, {"x", "c"}, {"y", "b"}});
  EXPECT_THAT(Steps(PlanUpgrade(graph, {"x", "y"}, "d")), ElementsAre("d: +d"));
}

TEST(PlanUpgrade, FinishesOneBranchBeforeTheNext) {
  EXPECT_EQ(Order(PlanUpgrade(TwoBranches(), {}, "heads")), "b1 b2 a1 a2");
}

TEST(PlanUpgrade, TakesABranchOnly) {
  EXPECT_THAT(Steps(PlanUpgrade(TwoBranches(), {"a2"}, "beta@head")),
              ElementsAre("b1: +b1", "b2: b1=b2"));
}

TEST(PlanUpgrade, AppliesADependencyFirstAndReplacesItsRow) {
  const RevisionGraph graph = Graph({{"x"}, {"b", "a", "x"}});
  EXPECT_THAT(Steps(PlanUpgrade(graph, {}, "b")), ElementsAre("x: +x", "a: +a", "b: -a x=b"));
}

TEST(PlanUpgrade, APlannedDependencyStaysARowIfSomethingElseStandsAboveIt) {
  const RevisionGraph graph = Graph({{"x1"}, {"x2", "x1"}, {"b", "a", "x1"}});
  EXPECT_THAT(PlanUpgrade(graph, {"a", "x2"}, "b").value().resulting_rows, ElementsAre("b", "x2"));
}

// Alembic fails with a KeyError on these two.
TEST(PlanUpgrade, DependenciesThatContainEachOther) {
  const RevisionGraph graph = Graph({{"x2", "x1"}, {"b", {}, {"x1", "x2"}}});
  EXPECT_THAT(Steps(PlanUpgrade(graph, {}, "heads")),
              ElementsAre("x1: +x1", "x2: x1=x2", "b: x2=b"));
}

TEST(PlanUpgrade, AMergeWithAParentThatTheOtherParentContains) {
  const RevisionGraph graph = Graph({{"b", "a"}, {"c", {"a", "b"}}});
  EXPECT_THAT(Steps(PlanUpgrade(graph, {}, "heads")), ElementsAre("a: +a", "b: a=b", "c: b=c"));
}

TEST(PlanUpgrade, CountsFromTheRow) { EXPECT_EQ(Order(PlanUpgrade(Chain(), {"a"}, "+2")), "b c"); }

TEST(PlanUpgrade, CountsOnABranch) {
  EXPECT_EQ(Order(PlanUpgrade(TwoBranches(), {"a1", "b1"}, "beta@+1")), "b2");
}

TEST(PlanUpgrade, CountsFromARevision) {
  EXPECT_EQ(Order(PlanUpgrade(Chain(), {}, "a+1")), "a b");
  EXPECT_EQ(Order(PlanUpgrade(Chain(), {}, "head-1")), "a b");
}

TEST(PlanUpgrade, RefusesHeadOfSeveral) {
  EXPECT_EQ(Refusal(PlanUpgrade(TwoBranches(), {}, "head")), ERROR_REASON_MULTIPLE_HEADS);
}

TEST(PlanUpgrade, RefusesToCountDownFromTheRow) {
  EXPECT_EQ(Refusal(PlanUpgrade(Chain(), {"b"}, "-1")), ERROR_REASON_INVALID_TARGET);
}

TEST(PlanUpgrade, RefusesToCountPastTheHead) {
  EXPECT_EQ(Refusal(PlanUpgrade(Chain(), {"b"}, "+2")), ERROR_REASON_INVALID_TARGET);
  EXPECT_EQ(Refusal(PlanUpgrade(Chain(), {}, "b+2")), ERROR_REASON_INVALID_TARGET);
}

TEST(PlanUpgrade, RefusesToCountFromSeveralRows) {
  EXPECT_EQ(Refusal(PlanUpgrade(TwoBranches(), {"a1", "b1"}, "+1")),
            ERROR_REASON_AMBIGUOUS_REVISION);
}

TEST(PlanUpgrade, RefusesAnUnknownTarget) {
  EXPECT_EQ(Refusal(PlanUpgrade(Chain(), {}, "zz")), ERROR_REASON_UNKNOWN_REVISION);
}

TEST(PlanUpgrade, RefusesWhatIsNoSymbol) {
  for (const char* target : {"", "a:b", "a+1x", "base-1"}) {
    EXPECT_EQ(Refusal(PlanUpgrade(Chain(), {}, target)), ERROR_REASON_INVALID_SYMBOL) << target;
  }
}

TEST(PlanUpgrade, RefusesRowsThatTheFilesLackAndNamesThem) {
  const auto plan = PlanUpgrade(Chain(), {"b", "gone"}, "head");
  EXPECT_EQ(Refusal(plan), ERROR_REASON_DATABASE_AHEAD);
  EXPECT_THAT(Message(plan), HasSubstr("gone"));
}

TEST(PlanUpgrade, RefusesRowsThatContainOneAnother) {
  const auto plan = PlanUpgrade(Chain(), {"a", "b"}, "head");
  EXPECT_EQ(Refusal(plan), ERROR_REASON_OVERLAPPING_REVISIONS);
  EXPECT_THAT(Message(plan), HasSubstr("revision b overlaps with a"));
}

TEST(PlanUpgrade, RefusesTargetsThatContainOneAnother) {
  const RevisionGraph graph = Graph({{"b", "a", {}, "shop"}, {"c", "b"}, {"d", "b", "c"}});
  EXPECT_EQ(Refusal(PlanUpgrade(graph, {}, "shop@heads")), ERROR_REASON_OVERLAPPING_REVISIONS);
}

// --- Downgrade ---

TEST(PlanDowngrade, UpdatesTheRowAndDeletesTheBase) {
  EXPECT_THAT(Steps(PlanDowngrade(Chain(), {"c"}, "base")),
              ElementsAre("c: c=b", "b: b=a", "a: -a"));
}

TEST(PlanDowngrade, LeavesTheTargetApplied) {
  const Plan plan = PlanDowngrade(Chain(), {"c"}, "b").value();
  EXPECT_THAT(Steps(plan), ElementsAre("c: c=b"));
  EXPECT_EQ(plan.steps[0].direction, Step::Direction::kDowngrade);
}

TEST(PlanDowngrade, HasNothingToDoAtTheTarget) {
  EXPECT_THAT(Steps(PlanDowngrade(Chain(), {"c"}, "c")), IsEmpty());
}

TEST(PlanDowngrade, HasNothingToDoForBaseOnAnEmptyTable) {
  EXPECT_THAT(Steps(PlanDowngrade(Chain(), {}, "base")), IsEmpty());
}

TEST(PlanDowngrade, AMergeInsertsTheOtherParentsAndUpdatesToTheLast) {
  EXPECT_THAT(Steps(PlanDowngrade(Diamond(), {"d"}, "a")),
              ElementsAre("d: +b d=c", "b: -b", "c: c=a"));
}

TEST(PlanDowngrade, ABranchDeletesItsRowIfTheOtherImpliesWhatIsBelow) {
  EXPECT_THAT(Steps(PlanDowngrade(Diamond(), {"b", "c"}, "a")), ElementsAre("b: -b", "c: c=a"));
}

TEST(PlanDowngrade, TakesDownDependentsToo) {
  const RevisionGraph graph = Graph({{"a1"}, {"a2", "a1"}, {"b1"}, {"b2", "b1", "a2"}});
  EXPECT_THAT(Steps(PlanDowngrade(graph, {"b2"}, "a1")), ElementsAre("b2: +b1 b2=a2", "a2: a2=a1"));
}

TEST(PlanDowngrade, ADependencyComesToLightAsARow) {
  const RevisionGraph graph = Graph({{"a1"}, {"b1"}, {"b2", "b1", "a1"}});
  EXPECT_THAT(PlanDowngrade(graph, {"b2"}, "b1").value().resulting_rows, ElementsAre("a1", "b1"));
}

// After this, Alembic has the rows a1 and a2, of which one contains the other.
TEST(PlanDowngrade, RowsNeverContainOneAnother) {
  const RevisionGraph graph = Graph({{"a2", "a1"}, {"a3", "a2", "a1"}});
  EXPECT_THAT(Steps(PlanDowngrade(graph, {"a3"}, "a2")), ElementsAre("a3: a3=a2"));
}

TEST(PlanDowngrade, ABranchChoosesWhatToTakeDown) {
  EXPECT_THAT(Steps(PlanDowngrade(TwoBranches(), {"a2", "b2"}, "beta@base")),
              ElementsAre("b2: b2=b1", "b1: -b1"));
}

TEST(PlanDowngrade, ABranchOfTheOnlyBaseTakesDownTheWholeTree) {
  const RevisionGraph graph = Graph({{"b", "a", {}, "shop"}, {"c", "a"}});
  EXPECT_EQ(Order(PlanDowngrade(graph, {"b", "c"}, "shop@base")), "b c a");
}

TEST(PlanDowngrade, ABranchChoosesBetweenTheChildrenOfTheTarget) {
  const RevisionGraph graph = Graph({{"b", "a", {}, "shop"}, {"c", "a"}});
  EXPECT_THAT(Steps(PlanDowngrade(graph, {"b", "c"}, "shop@a")), ElementsAre("b: -b"));
}

TEST(PlanDowngrade, CountsFromTheRow) {
  EXPECT_EQ(Order(PlanDowngrade(Chain(), {"c"}, "-2")), "c b");
}

TEST(PlanDowngrade, CountsDownToBase) {
  EXPECT_EQ(Order(PlanDowngrade(Chain(), {"b"}, "-2")), "b a");
}

TEST(PlanDowngrade, CountsOnABranch) {
  EXPECT_EQ(Order(PlanDowngrade(TwoBranches(), {"a2", "b2"}, "beta@-1")), "b2");
}

TEST(PlanDowngrade, CountsFromARevision) {
  EXPECT_EQ(Order(PlanDowngrade(Chain(), {"c"}, "c-2")), "c b");
  EXPECT_EQ(Order(PlanDowngrade(Chain(), {"c"}, "a+1")), "c");
}

// Rows that Alembic left behind this way can be taken down; what is left is whole.
TEST(PlanDowngrade, MendsRowsThatContainOneAnother) {
  EXPECT_THAT(Steps(PlanDowngrade(Chain(), {"b", "c"}, "b")), ElementsAre("c: -c"));
}

TEST(PlanDowngrade, RefusesATargetThatIsNotApplied) {
  EXPECT_EQ(Refusal(PlanDowngrade(Chain(), {"b"}, "c")), ERROR_REASON_INVALID_TARGET);
}

TEST(PlanDowngrade, RefusesATargetThatNothingAppliedRevises) {
  const RevisionGraph graph = Graph({{"a"}, {"b", {}, "a"}});
  EXPECT_EQ(Refusal(PlanDowngrade(graph, {"b"}, "a")), ERROR_REASON_INVALID_TARGET);
}

TEST(PlanDowngrade, RefusesABranchThatDoesNotBeginAboveTheTarget) {
  const RevisionGraph graph = Graph({{"a", {}, {}, "shop"}, {"b", "a"}, {"c", "a"}});
  EXPECT_EQ(Refusal(PlanDowngrade(graph, {"b", "c"}, "shop@a")), ERROR_REASON_INVALID_TARGET);
}

TEST(PlanDowngrade, RefusesToCountUpFromTheRow) {
  EXPECT_EQ(Refusal(PlanDowngrade(Chain(), {"a"}, "+1")), ERROR_REASON_INVALID_TARGET);
}

TEST(PlanDowngrade, RefusesToCountPastBase) {
  EXPECT_EQ(Refusal(PlanDowngrade(Chain(), {"b"}, "-3")), ERROR_REASON_INVALID_TARGET);
}

TEST(PlanDowngrade, RefusesToCountFromAnEmptyTable) {
  EXPECT_EQ(Refusal(PlanDowngrade(Chain(), {}, "-1")), ERROR_REASON_INVALID_TARGET);
}

TEST(PlanDowngrade, RefusesToCountFromSeveralRowsAndNamesThem) {
  const auto plan = PlanDowngrade(TwoBranches(), {"a2", "b2"}, "-1");
  EXPECT_EQ(Refusal(plan), ERROR_REASON_AMBIGUOUS_REVISION);
  EXPECT_THAT(Message(plan), AllOf(HasSubstr("a2"), HasSubstr("b2")));
}

TEST(PlanDowngrade, RefusesToChooseBetweenTheParentsOfAMerge) {
  EXPECT_EQ(Refusal(PlanDowngrade(Diamond(), {"d"}, "-1")), ERROR_REASON_AMBIGUOUS_REVISION);
}

// Alembic would drop everything.
TEST(PlanDowngrade, RefusesAnUnknownBranchOfBase) {
  EXPECT_EQ(Refusal(PlanDowngrade(Chain(), {"c"}, "typo@base")), ERROR_REASON_UNKNOWN_REVISION);
}

TEST(PlanDowngrade, RefusesRowsThatTheFilesLack) {
  EXPECT_EQ(Refusal(PlanDowngrade(Chain(), {"gone"}, "base")), ERROR_REASON_DATABASE_AHEAD);
}

// --- Stamp ---

TEST(PlanStamp, InsertsIntoAnEmptyTable) {
  const Plan plan = PlanStamp(Chain(), {}, {"b"}, false).value();
  EXPECT_THAT(Steps(plan), ElementsAre("b: +b"));
  EXPECT_EQ(plan.steps[0].direction, Step::Direction::kStamp);
}

TEST(PlanStamp, MovesTheRowUpOrDown) {
  EXPECT_THAT(Steps(PlanStamp(Chain(), {"a"}, {"head"}, false)), ElementsAre("c: a=c"));
  EXPECT_THAT(Steps(PlanStamp(Chain(), {"c"}, {"a"}, false)), ElementsAre("a: c=a"));
}

TEST(PlanStamp, HasNothingToDoForARow) {
  EXPECT_THAT(Steps(PlanStamp(Chain(), {"b"}, {"b"}, false)), IsEmpty());
}

TEST(PlanStamp, CollapsesTheRowsBelowAMerge) {
  EXPECT_THAT(Steps(PlanStamp(Diamond(), {"b", "c"}, {"d"}, false)), ElementsAre("d: -b c=d"));
}

TEST(PlanStamp, KeepsOnlyTheTargetBelowAMerge) {
  EXPECT_THAT(Steps(PlanStamp(Diamond(), {"d"}, {"b"}, false)), ElementsAre("b: d=b"));
}

TEST(PlanStamp, LeavesUnrelatedRowsAlone) {
  EXPECT_THAT(PlanStamp(TwoBranches(), {"a1", "b1"}, {"a2"}, false).value().resulting_rows,
              ElementsAre("a2", "b1"));
}

TEST(PlanStamp, RowsAreRelatedByDependenciesToo) {
  const RevisionGraph graph = Graph({{"a"}, {"b", {}, "a"}});
  EXPECT_THAT(Steps(PlanStamp(graph, {"b"}, {"a"}, false)), ElementsAre("a: b=a"));
}

TEST(PlanStamp, TakesTargetsInTheirOrder) {
  EXPECT_THAT(Steps(PlanStamp(TwoBranches(), {}, {"b2", "a1"}, false)),
              ElementsAre("b2: +b2", "a1: +a1"));
}

TEST(PlanStamp, ReachesAllTargetsBelowAMerge) {
  EXPECT_THAT(Steps(PlanStamp(Diamond(), {"d"}, {"c", "b"}, false)),
              ElementsAre("c: d=c", "b: +b"));
}

TEST(PlanStamp, ATargetThatAnotherContainsIsReachedWithIt) {
  EXPECT_THAT(Steps(PlanStamp(Chain(), {}, {"a", "c", "b"}, false)), ElementsAre("c: +c"));
}

TEST(PlanStamp, ATargetNamedTwiceIsStampedOnce) {
  EXPECT_THAT(Steps(PlanStamp(Chain(), {}, {"b", "b"}, false)), ElementsAre("b: +b"));
}

// Alembic has every head replace all rows, and loses some.
TEST(PlanStamp, HeadsKeepTheRowsThatAreHeadsAlready) {
  EXPECT_THAT(Steps(PlanStamp(TwoBranches(), {"a2", "b1"}, {"heads"}, false)),
              ElementsAre("b2: b1=b2"));
}

TEST(PlanStamp, BaseEmptiesTheTableInOneStep) {
  EXPECT_THAT(Steps(PlanStamp(TwoBranches(), {"a2", "b2"}, {"base"}, false)),
              ElementsAre(": -a2 -b2"));
}

TEST(PlanStamp, BaseOfABranchDeletesItsRows) {
  EXPECT_THAT(Steps(PlanStamp(TwoBranches(), {"a2", "b2"}, {"beta@base"}, false)),
              ElementsAre(": -b2"));
}

TEST(PlanStamp, BaseOfAnEmptyTableIsNothing) {
  EXPECT_THAT(Steps(PlanStamp(Chain(), {}, {"base"}, false)), IsEmpty());
}

TEST(PlanStamp, CountsFromTheRow) {
  EXPECT_THAT(Steps(PlanStamp(Chain(), {"a"}, {"+1"}, false)), ElementsAre("b: a=b"));
}

TEST(PlanStamp, MendsRowsThatContainOneAnother) {
  EXPECT_THAT(Steps(PlanStamp(Chain(), {"a", "b"}, {"b"}, false)), ElementsAre("b: -a"));
}

TEST(PlanStamp, PurgeDeletesRowsThatTheFilesLack) {
  EXPECT_THAT(Steps(PlanStamp(Chain(), {"gone", "a"}, {"b"}, true)),
              ElementsAre(": -a -gone", "b: +b"));
}

TEST(PlanStamp, PurgeOfAnEmptyTableIsNoStep) {
  EXPECT_THAT(Steps(PlanStamp(Chain(), {}, {"b"}, true)), ElementsAre("b: +b"));
}

TEST(PlanStamp, RefusesRowsThatTheFilesLack) {
  EXPECT_EQ(Refusal(PlanStamp(Chain(), {"gone"}, {"b"}, false)), ERROR_REASON_DATABASE_AHEAD);
}

TEST(PlanStamp, RefusesToCountFromThePurgedTable) {
  EXPECT_EQ(Refusal(PlanStamp(Chain(), {"b"}, {"-1"}, true)), ERROR_REASON_INVALID_TARGET);
}

TEST(PlanStamp, RefusesToCountDownToBase) {
  EXPECT_EQ(Refusal(PlanStamp(Chain(), {"a"}, {"-1"}, false)), ERROR_REASON_INVALID_TARGET);
}

TEST(PlanStamp, RefusesAnUnknownBranchOfBase) {
  EXPECT_EQ(Refusal(PlanStamp(Chain(), {"a"}, {"typo@base"}, false)),
            ERROR_REASON_UNKNOWN_REVISION);
}

TEST(PlanStamp, RefusesNoTargets) {
  EXPECT_EQ(Refusal(PlanStamp(Chain(), {}, {}, false)), ERROR_REASON_INVALID_REQUEST);
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
