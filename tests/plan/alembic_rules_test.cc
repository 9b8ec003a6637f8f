// Alembic's rules of upgrades, downgrades and stamps, one test each. Those of graphs and symbols
// are in tests/revision/; alembic_difference_test.cc asks the real Alembic.
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "service/plan/planner.h"
#include "tests/support/rules.h"

namespace migd {
namespace {

using testing::Answer;
using testing::Rule;

// `+b` inserts, `-b` deletes, `a=b` updates a to b.
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

// What the writes of all steps lead to, which must be what the plan says.
std::vector<std::string> RowsAfter(const Plan& plan) {
  VersionRows rows = plan.starting_rows;
  for (const Step& step : plan.steps) ApplyWrites(step.writes, rows);
  EXPECT_EQ(rows, plan.resulting_rows);
  return {rows.begin(), rows.end()};
}

std::vector<std::string> RevisionsOf(const Plan& plan) {
  std::vector<std::string> revisions;
  for (const Step& step : plan.steps) revisions.push_back(step.revision);
  return revisions;
}

// Each step as `revision>writes`, such as "d>-b,c=d"; a stamp to base has no revision.
std::vector<std::string> WritesOf(const Plan& plan) {
  std::vector<std::string> steps;
  for (const Step& step : plan.steps) {
    const auto append = [](std::string* out, const VersionWrite& write) {
      out->append(Describe(write));
    };
    steps.push_back(absl::StrCat(step.revision, ">", absl::StrJoin(step.writes, ",", append)));
  }
  return steps;
}

absl::StatusOr<Plan> PlanFor(const RevisionGraph& graph, const VersionRows& rows,
                             absl::string_view command) {
  std::vector<std::string> words = absl::StrSplit(command, ' ');
  const std::string verb = words.front();
  words.erase(words.begin());
  if (verb == "upgrade") return PlanUpgrade(graph, rows, words.at(0));
  if (verb == "downgrade") return PlanDowngrade(graph, rows, words.at(0));
  const bool purge = words.at(0) == "--purge";
  if (purge) words.erase(words.begin());
  return PlanStamp(graph, rows, words, purge);
}

// The question is a command, whose answer is the revisions of its steps in their order; or "writes
// of", or "rows after", a command.
std::string AskPlan(const RevisionGraph& graph, const VersionRows& rows, absl::string_view text) {
  const bool writes = absl::ConsumePrefix(&text, "writes of ");
  const bool rows_after = absl::ConsumePrefix(&text, "rows after ");
  return Answer(PlanFor(graph, rows, text), [&](const Plan& plan) {
    const std::vector<std::string> rows_then = RowsAfter(plan);
    if (rows_after) return Answer(rows_then);
    return Answer(writes ? WritesOf(plan) : RevisionsOf(plan));
  });
}

void Expect(std::initializer_list<Rule> table) { testing::Expect(AskPlan, table); }

// --- Upgrade ---

TEST(AlembicUpgradeRules, TheStepsAreWhatTheTargetsNeedAndTheRowsDoNot) {
  Expect({
      {"a b:a c:b", "", "upgrade head", "a b c"},
      {"a b:a c:b", "", "upgrade b", "a b"},
      {"a b:a c:b", "a", "upgrade head", "b c"},
      {"a b:a c:a d:b,c", "b", "upgrade d", "c d"},
      {"a b:a c:a d:b,c", "b", "upgrade c", "c"},
      {"x a b:a~x", "", "upgrade b", "x a b"},
      {"x a b:a~x", "a", "upgrade b", "x b"},
      {"x y:x a b:a~x", "y", "upgrade b", "a b"},  // y implies x
      {"x a~x b:a y:x", "b", "upgrade heads", "y"},
  });
}

TEST(AlembicUpgradeRules, NothingIsDoneForTargetsAtOrBelowTheRows) {
  Expect({
      {"a b:a c:b", "c", "upgrade head", "nothing"},
      {"a b:a c:b", "c", "upgrade a", "nothing"},
      {"a b:a c:b", "", "upgrade base", "nothing"},
      {"a b:a c:b", "c", "upgrade base", "nothing"},
      {"x a~x", "a", "upgrade x", "nothing"},
      {"", "", "upgrade head", "nothing"},
  });
}

TEST(AlembicUpgradeRules, TargetsOrRowsThatContainOneAnotherAreRefused) {
  Expect({
      {"a b#shop:a c:b d:b~c", "", "upgrade shop@heads",
       "OVERLAPPING_REVISIONS: d overlaps with c"},
      {"a b:a c:b", "a,b", "upgrade head", "OVERLAPPING_REVISIONS: b overlaps with a"},
      {"x a~x", "a,x", "upgrade heads", "OVERLAPPING_REVISIONS: a overlaps with x"},
  });
}

TEST(AlembicUpgradeRules, PlusNCountsFromTheSingleRow) {
  Expect({
      {"a b:a c:b", "a", "upgrade +2", "b c"},
      {"a b:a c:b", "", "upgrade +1", "a"},
      {"a b:a c:b", "b", "upgrade +2", "INVALID_TARGET: after 1 of 2 steps"},
      {"a b:a x y:x", "a,x", "upgrade +1", "AMBIGUOUS_REVISION: a, x"},
      {"a b:a c:a", "a", "upgrade +1", "AMBIGUOUS_REVISION: b, c"},
  });
}

TEST(AlembicUpgradeRules, PlusNOnABranchCountsFromItsRowElseItsAppliedTipsElseBase) {
  Expect({
      {"a#left b:a c#right d:c", "a,c", "upgrade right@+1", "d"},
      {"a#left b:a c:b x~b", "x", "upgrade left@+1", "c"},  // x implies b
      {"a#left b:a c:b x~b", "x", "upgrade left@+2", "INVALID_TARGET: after 1 of 2 steps"},
      {"a#left b:a c#right d:c", "b", "upgrade right@+1", "c"},
      {"a#left b:a c#right d:c", "", "upgrade right@+2", "c d"},
      {"a#left b:a c:a", "b,c", "upgrade left@+1", "AMBIGUOUS_REVISION: b, c"},
  });
}

TEST(AlembicUpgradeRules, AnOffsetBehindARevisionCountsFromThatWhateverTheRows) {
  Expect({
      {"a b:a c:b d:c", "", "upgrade a+1", "a b"},
      {"a b:a c:b d:c", "a", "upgrade b+1", "b c"},
      {"a b:a c:b d:c", "c", "upgrade a+1", "nothing"},
      {"a b:a c:b d:c", "", "upgrade head-1", "a b c"},
      {"a b#shop:a c:a", "", "upgrade shop@a+1", "a b"},
  });
}

TEST(AlembicUpgradeRules, MinusNAloneIsRefused) {
  Expect({
      {"a b:a", "b", "upgrade -1", "INVALID_TARGET: an upgrade leads upwards"},
      {"a#shop b:a", "b", "upgrade shop@-1", "INVALID_TARGET: an upgrade leads upwards"},
  });
}

// --- Downgrade ---

TEST(AlembicDowngradeRules, WhatStandsAboveTheChildrenOfTheTargetOrTheBasesGoesDown) {
  Expect({
      {"a b:a c:b", "c", "downgrade b", "c"},
      {"a b:a c:b", "c", "downgrade base", "c b a"},
      {"a b:a c:a", "b,c", "downgrade a", "b c"},
      {"a b:a x y:x", "b,y", "downgrade base", "b a y x"},
      {"a b:a x y:x", "b,y", "downgrade a", "b"},
      {"a b:a c:b", "b", "downgrade a", "b"},
  });
}

TEST(AlembicDowngradeRules, DependentsGoDownToo) {
  Expect({
      {"a b:a x y:x~b", "y", "downgrade a", "y b"},
      {"a b:a x y:x~b", "y", "rows after downgrade a", "a x"},
      {"a b:a x~b y:x", "y", "downgrade a", "y x b"},
      {"a x~a", "x", "downgrade base", "x a"},
  });
}

TEST(AlembicDowngradeRules, ABranchChoosesBetweenTheRootsOnlyIfThereAreSeveral) {
  Expect({
      {"a b#shop:a c:a", "b,c", "downgrade shop@a", "b"},
      {"a#left b:a c#right d:c", "b,d", "downgrade right@base", "d c"},
      {"a b#shop:a c:a", "b,c", "downgrade shop@base", "b c a"},  // the whole tree
      {"a#shop b:a c:a", "b,c", "downgrade shop@a", "INVALID_TARGET: branch does not begin"},
      {"a#shop b:a", "b", "downgrade shop@a", "b"},
  });
}

TEST(AlembicDowngradeRules, NothingToTakeDownIsAnErrorUnlessTheTargetIsARow) {
  Expect({
      {"a b:a c:b", "c", "downgrade c", "nothing"},
      {"a b:a c:b", "", "downgrade base", "nothing"},
      {"a b:a c:b", "b", "downgrade c", "INVALID_TARGET: it is not applied"},
      {"a b:a x", "x", "downgrade a", "INVALID_TARGET: it is not applied"},
      {"a b~a", "b", "downgrade a", "INVALID_TARGET: nothing that revises it is applied"},
  });
}

TEST(AlembicDowngradeRules, MinusNCountsFromTheRowAndStaysOnItsLineage) {
  Expect({
      {"a b:a c:b", "c", "downgrade -2", "c b"},
      {"a b:a c:b", "b", "downgrade -2", "b a"},
      {"a b:a c:b x y:x~c", "y", "downgrade -1", "y"},
      {"a b:a c:b x y:x~c", "y", "downgrade -2", "y x"},  // and not the other base, a
      {"a b:a c:b", "b", "downgrade -3", "INVALID_TARGET: after 2 of 3 steps"},
      {"a b:a c:b", "", "downgrade -1", "INVALID_TARGET: no current revision"},
      {"a b:a c:b", "a", "downgrade +1", "INVALID_TARGET: a downgrade leads downwards"},
      {"a b:a c:a d:b,c", "d", "downgrade -1", "AMBIGUOUS_REVISION: b, c"},
  });
}

TEST(AlembicDowngradeRules, MinusNOnABranchCountsFromItsRowElseFromAnImpliedOne) {
  Expect({
      {"a#left b:a c#right d:c", "b,d", "downgrade right@-1", "d"},
      {"a#left b:a c#right d:c", "b,d", "downgrade right@-2", "d c"},
      {"a#left b:a c:b x~b", "x", "downgrade left@-1", "x b"},
      {"a#left b:a c:b x~b", "x", "rows after downgrade left@-1", "a"},
  });
}

TEST(AlembicDowngradeRules, AnOffsetBehindARevisionCountsFromThat) {
  Expect({
      {"a b:a c:b", "c", "downgrade c-2", "c b"},
      {"a b:a c:b", "c", "downgrade a+1", "c"},
      {"a b:a c:b", "c", "downgrade a-1", "c b a"},
  });
}

// --- Order of steps ---

TEST(AlembicOrderRules, ABranchIsWalkedToItsEndAndTheTipsFollowFileOrder) {
  Expect({
      {"a b:a c d:c", "b,d", "downgrade base", "b a d c"},
      {"c d10_x:c a d1_x:a", "d1,d10", "downgrade base", "d10 c d1 a"},
      {"a b:a c d:c", "", "upgrade heads", "c d a b"},  // the reverse
  });
}

TEST(AlembicOrderRules, AnotherTipThatStandsAboveTheCurrentOneGoesFirst) {
  Expect({
      {"a b:a z~b y", "y,z", "downgrade base", "y z b a"},
      {"p a:p b:p c:p", "a,b,c", "downgrade base", "a b c p"},  // the first of several
      {"a b:a c:b d:a~c", "d", "downgrade base", "d c b a"},
      {"x b:x a#shop:x c~a", "b,c", "downgrade base", "b c a x"},
      {"a#left p:a q:p~z z:a", "q", "downgrade base", "q p z a"},
      {"a b:a c:a d:b,c e:b", "d,e", "downgrade base", "d e b c a"},
  });
}

TEST(AlembicOrderRules, ParentsTakeThePlaceOfAMergeInTheOrderOfItsHeader) {
  Expect({
      {"a b:a c:a d:b,c", "d", "downgrade base", "d b c a"},
      {"a b:a c:a d:c,b", "d", "downgrade base", "d c b a"},
      {"a b:a c:a d:b,c", "", "upgrade head", "a c b d"},
      {"a b:a c:b d:a e:c,d", "e", "downgrade base", "e c b d a"},
  });
}

TEST(AlembicOrderRules, BehindABranchThatIsUsedUpThePreviousTipComesNext) {
  Expect({
      {"p a:p c:p b", "a,b,c", "downgrade base", "a c b p"},
      {"p a:p c:p", "a,c", "downgrade base", "a c p"},
  });
}

TEST(AlembicOrderRules, ADependencyComesBehindAllOtherTips) {
  Expect({
      {"x a b:a~x", "b", "downgrade base", "b a x"},
      {"x a b:a~x c", "b,c", "downgrade base", "b a c x"},
      {"x y b~x,y c", "b,c", "downgrade base", "b x c y"},
  });
}

// --- Rows after each step ---

TEST(AlembicRowRules, RowsAreTheAppliedRevisionsThatNothingAppliedNeeds) {
  Expect({
      {"a b:a c:a d:b,c", "", "rows after upgrade d", "d"},
      {"a b:a c:a", "", "rows after upgrade heads", "b c"},
      {"x a b:a~x", "", "rows after upgrade b", "b"},  // x is implied
      {"x y:x a b:a~x", "a,y", "rows after upgrade b", "b y"},
      {"x a b:a~x", "b", "rows after downgrade a", "a x"},  // and comes to light
      {"a b:a c:a d:b,c", "d", "rows after downgrade b", "b c"},
  });
}

TEST(AlembicRowRules, WritesAreInsertsUpdatesMergesUnmergesAndDeletes) {
  Expect({
      {"a b:a c:b", "", "writes of upgrade head", "a>+a b>a=b c>b=c"},
      {"a b:a c:b", "c", "writes of downgrade base", "c>c=b b>b=a a>-a"},
      {"a b:a c:a", "b", "writes of upgrade c", "c>+c"},  // no parent is a row
      {"a b:a c:a d:b,c", "b,c", "writes of upgrade d", "d>-b,c=d"},
      {"a b:a c:a d:b,c", "d", "writes of downgrade a", "d>+b,d=c b>-b c>c=a"},
      {"a b:a c:a d:b,c x:c", "b,x", "writes of upgrade d", "d>b=d"},
      {"a b:a c:a d:b,c x:c y:b", "x,y", "writes of upgrade d", "d>+d"},
      {"a b:a c:a", "b,c", "writes of downgrade a", "b>-b c>c=a"},
      {"x a b:a~x", "", "writes of upgrade b", "x>+x a>+a b>-a,x=b"},
      {"a b:a x y:x~b", "y", "writes of downgrade a", "y>+x,y=b b>b=a"},
  });
}

// --- Stamp ---

TEST(AlembicStampRules, TargetsAreTakenInTheirOrder) {
  Expect({
      {"a b:a x y:x", "", "writes of stamp y a", "y>+y a>+a"},
      {"a b:a x y:x", "", "writes of stamp a y", "a>+a y>+y"},
      {"a b:a x y:x", "a,x", "writes of stamp y b", "y>x=y b>a=b"},
  });
}

TEST(AlembicStampRules, RowsRelatedToATargetCollapseIntoItAndOthersStay) {
  Expect({
      {"a b:a c:b", "", "writes of stamp b", "b>+b"},
      {"a b:a c:b", "a", "writes of stamp head", "c>a=c"},
      {"a b:a c:b", "c", "writes of stamp a", "a>c=a"},
      {"a b:a c:b", "a", "writes of stamp +1", "b>a=b"},
      {"a b:a c:a d:b,c", "b,c", "writes of stamp d", "d>-b,c=d"},
      {"a b:a c:a", "b", "writes of stamp c", "c>+c"},  // siblings are not related
      {"a b:a x y:x", "a,x", "rows after stamp b", "b x"},
      {"a b~a", "b", "writes of stamp a", "a>b=a"},  // by dependencies they are
      {"a b~a", "a", "writes of stamp b", "b>a=b"},
  });
}

TEST(AlembicStampRules, ATargetThatIsARowIsPassedOver) {
  Expect({
      {"a b:a c:b", "b", "stamp b", "nothing"},
      {"a b:a x", "b", "writes of stamp b x", "x>+x"},
      {"a b:a c:b", "", "writes of stamp b b", "b>+b"},
  });
}

TEST(AlembicStampRules, BaseDeletesAllRowsOrTheSelectedOnes) {
  Expect({
      {"a b:a x y:x", "b,y", "writes of stamp base", ">-b,-y"},
      {"a#left b:a x#right y:x", "b,y", "writes of stamp right@base", ">-y"},
      {"a#left b:a c:a x~b", "c,x", "rows after stamp left@base", "nothing"},
      {"a b:a", "", "stamp base", "nothing"},
      {"a b:a", "a", "stamp typo@base", "UNKNOWN_REVISION"},
  });
}

TEST(AlembicStampRules, StampingDownAcrossAMergeKeepsOnlyTheTarget) {
  Expect({
      {"a b:a c:a d:b,c", "d", "writes of stamp b", "b>d=b"},
      {"a b:a c:a d:b,c", "d", "rows after stamp b", "b"},
  });
}

TEST(AlembicStampRules, PurgeEmptiesTheTableFirst) {
  Expect({
      {"a b:a x", "b,x", "writes of stamp --purge a", ">-b,-x a>+a"},
      {"a b:a", "a,gone", "writes of stamp --purge b", ">-a,-gone b>+b"},
      {"a b:a", "", "writes of stamp --purge b", "b>+b"},
      {"a b:a", "b", "stamp --purge -1", "INVALID_TARGET: no current revision"},
  });
}

// --- What Alembic refuses ---

TEST(AlembicPlanRules, WhatAlembicRefusesIsRefused) {
  Expect({
      {"a b:a c:a", "", "upgrade head", "MULTIPLE_HEADS: b, c"},
      {"a b:a c:a", "b,c", "downgrade heads", "MULTIPLE_HEADS: b, c"},
      {"a b~a", "", "upgrade head", "MULTIPLE_HEADS: a, b"},  // one effective head
      {"a b:a", "", "upgrade zz", "UNKNOWN_REVISION: zz"},
      {"ab1 ab2:ab1", "", "upgrade ab", "AMBIGUOUS_REVISION: ab1, ab2"},
      {"a#left x#right", "", "upgrade left@x",
       "UNKNOWN_REVISION: x is not a member of branch left"},
      {"a b:a", "", "upgrade a:b", "INVALID_SYMBOL: a range is not taken here"},
      {"a b:a", "gone", "upgrade head", "DATABASE_AHEAD: gone"},
      {"a b:a", "gone", "downgrade base", "DATABASE_AHEAD: gone"},
      {"a b:a", "gone", "stamp b", "DATABASE_AHEAD: gone"},
      {"a b:a", "a", "stamp -1", "INVALID_TARGET: it leads down to base"},
  });
}

// --- Where Alembic is wrong, and we are not ---

// 2. `upgrade heads` crashes with a KeyError.
TEST(AlembicPlanRules, DependenciesOrParentsThatContainOneAnotherAreAppliedInOrder) {
  Expect({
      {"a1 a2:a1 b~a1,a2", "", "writes of upgrade heads", "a1>+a1 a2>a1=a2 b>a2=b"},
      {"a b:a c:a,b", "", "writes of upgrade heads", "a>+a b>a=b c>b=c"},
  });
}

// 3. It leaves a1 and a2, and the next upgrade fails.
TEST(AlembicPlanRules, RowsAreTheMaximalAppliedSetAfterADowngradeToo) {
  Expect({
      {"a1 a2:a1 a3:a2~a1", "a3", "writes of downgrade a2", "a3>a3=a2"},
      {"a b:a c:a,b", "c", "rows after downgrade b", "b"},
      {"a b:a c:b", "b,c", "writes of downgrade b", "c>-c"},  // rows that it left behind
      {"a b:a c:b", "a,b", "writes of stamp b", "b>-a"},
  });
}

// 4. Each target replaces all selected rows, so that some are lost.
TEST(AlembicPlanRules, AStampTouchesOnlyTheRowsRelatedToEachTarget) {
  Expect({
      {"a b:a x y:x", "b,x", "writes of stamp heads", "y>x=y"},
      {"a b:a x y:x", "b,x", "rows after stamp heads", "b y"},
  });
}

// 5. It crashes with a KeyError.
TEST(AlembicPlanRules, SeveralTargetsCanBeStampedDownwards) {
  Expect({
      {"a b:a c:a d:b,c", "d", "writes of stamp c b", "c>d=c b>+b"},
      {"a b:a c:b", "", "writes of stamp a c b", "c>+c"},  // c implies the others
  });
}

// 6. With one base it drops everything.
TEST(AlembicPlanRules, AnUnknownBranchIsAnErrorAlsoAtBase) {
  Expect({
      {"a b:a", "b", "downgrade typo@base", "UNKNOWN_REVISION: typo"},
  });
}

// 9. Its assertions fail.
TEST(AlembicPlanRules, OffsetsThatLeadNowhereAndEmptyTargetsAreRefusedWithTheReason) {
  Expect({
      {"a b:a", "", "upgrade b+2", "INVALID_TARGET: there is nothing above b"},
      {"a#shop b:a x", "x", "downgrade shop@-1", "INVALID_TARGET: nothing of branch shop"},
      {"a#shop b:a c:a", "b,c", "downgrade shop@-1", "AMBIGUOUS_REVISION: b, c"},
      {"a b:a", "", "upgrade ", "INVALID_SYMBOL: name a revision"},
      {"a b:a", "b", "downgrade ", "INVALID_SYMBOL: name a revision"},
      {"a b:a", "b", "stamp ", "INVALID_SYMBOL: name a revision"},
  });
}

// 10. It goes to head, ignores garbage, and takes an arbitrary row.
TEST(AlembicPlanRules, SlipsAreRefused) {
  Expect({
      {"a b:a", "", "upgrade base-1", "INVALID_SYMBOL: there is nothing below base"},
      {"a b:a", "", "upgrade a+1x", "INVALID_SYMBOL: nothing may follow an offset"},
      {"abc1 b:abc1", "", "upgrade a", "UNKNOWN_REVISION: write more of abc1"},
      {"a b:a x y:x", "b,y", "downgrade -1", "AMBIGUOUS_REVISION: b, y"},
  });
}

}  // namespace
}  // namespace migd
