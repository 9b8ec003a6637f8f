#include "service/revision/symbol_resolution.h"

#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "tests/support/graph.h"

namespace migd {
namespace {

using migration::v1::ERROR_REASON_AMBIGUOUS_REVISION;
using migration::v1::ERROR_REASON_DATABASE_AHEAD;
using migration::v1::ERROR_REASON_INVALID_SYMBOL;
using migration::v1::ERROR_REASON_INVALID_TARGET;
using migration::v1::ERROR_REASON_MULTIPLE_HEADS;
using migration::v1::ERROR_REASON_UNKNOWN_REVISION;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::Graph;
using ::testing::HasSubstr;
using testing::IdsOf;
using ::testing::IsEmpty;

using Rows = std::set<std::string>;
using Ids = std::vector<std::string>;

Ids Resolve(const RevisionGraph& graph, const Rows& rows, const std::string& symbol) {
  const auto revisions = ResolveSymbols(graph, rows, symbol);
  EXPECT_TRUE(revisions.ok()) << revisions.status();
  return revisions.ok() ? IdsOf(graph, *revisions) : Ids();
}

migration::v1::ErrorReason Refusal(const RevisionGraph& graph, const Rows& rows,
                                   const std::string& symbol) {
  return errors::ReasonOf(ResolveSymbols(graph, rows, symbol).status());
}

std::string Message(const RevisionGraph& graph, const Rows& rows, const std::string& symbol) {
  return std::string(ResolveSymbols(graph, rows, symbol).status().message());
}

// a1 - a2 - a3, with the label `alpha`, and b1 - b2, with the label `beta`.
RevisionGraph TwoBranches() {
  return Graph({{"a1aa", {}, {}, "alpha"},
                {"a2aa", "a1aa"},
                {"a3aa", "a2aa"},
                {"b1bb", {}, {}, "beta"},
                {"b2bb", "b1bb"}});
}

TEST(ResolveSymbols, AnId) { EXPECT_THAT(Resolve(TwoBranches(), {}, "a2aa"), ElementsAre("a2aa")); }

TEST(ResolveSymbols, TheBeginningOfAnId) {
  EXPECT_THAT(Resolve(TwoBranches(), {}, "a2"), ElementsAre("a2aa"));
}

TEST(ResolveSymbols, ALabelNamesTheRevisionThatGivesIt) {
  EXPECT_THAT(Resolve(TwoBranches(), {}, "beta"), ElementsAre("b1bb"));
}

TEST(ResolveSymbols, TheBeginningOfALongLabel) {
  EXPECT_THAT(Resolve(TwoBranches(), {}, "bet"), ElementsAre("b1bb"));
}

TEST(ResolveSymbols, AShortLabelMustBeWrittenOut) {
  const RevisionGraph graph = Graph({{"x1", {}, {}, "web"}});
  EXPECT_EQ(Refusal(graph, {}, "we"), ERROR_REASON_UNKNOWN_REVISION);
  EXPECT_THAT(Resolve(graph, {}, "web"), ElementsAre("x1"));
}

TEST(ResolveSymbols, AnExactIdGoesBeforeALongerOne) {
  EXPECT_THAT(Resolve(Graph({{"ab"}, {"abc", "ab"}}), {}, "ab"), ElementsAre("ab"));
}

TEST(ResolveSymbols, RefusesAnUnknownId) {
  EXPECT_EQ(Refusal(TwoBranches(), {}, "zz"), ERROR_REASON_UNKNOWN_REVISION);
}

TEST(ResolveSymbols, RefusesAnAmbiguousBeginningAndNamesTheCandidates) {
  const RevisionGraph graph = Graph({{"abc1"}, {"abc2", "abc1"}});
  EXPECT_EQ(Refusal(graph, {}, "abc"), ERROR_REASON_AMBIGUOUS_REVISION);
  EXPECT_THAT(Message(graph, {}, "abc"), AllOf(HasSubstr("abc1"), HasSubstr("abc2")));
}

TEST(ResolveSymbols, RefusesOneCharacterAndNamesTheCandidate) {
  const RevisionGraph graph = Graph({{"abc1"}});
  EXPECT_EQ(Refusal(graph, {}, "a"), ERROR_REASON_UNKNOWN_REVISION);
  EXPECT_THAT(Message(graph, {}, "a"), HasSubstr("abc1"));
}

TEST(ResolveSymbols, TakesAnIdOfOneCharacter) {
  EXPECT_THAT(Resolve(Graph({{"a"}}), {}, "a"), ElementsAre("a"));
}

TEST(ResolveSymbols, ABranchMakesABeginningUnambiguous) {
  const RevisionGraph graph = Graph({{"ab1", {}, {}, "alpha"}, {"ab2", {}, {}, "beta"}});
  EXPECT_THAT(Resolve(graph, {}, "beta@ab"), ElementsAre("ab2"));
}

TEST(ResolveSymbols, AMemberOfABranchMayStandBelowItsLabel) {
  const RevisionGraph graph = Graph({{"b", "a"}, {"c", "b", {}, "shop"}});
  EXPECT_THAT(Resolve(graph, {}, "shop@a"), ElementsAre("a"));
}

TEST(ResolveSymbols, RefusesARevisionOfAnotherBranch) {
  EXPECT_EQ(Refusal(TwoBranches(), {}, "alpha@b2bb"), ERROR_REASON_UNKNOWN_REVISION);
  EXPECT_THAT(Message(TwoBranches(), {}, "alpha@b2bb"), HasSubstr("not a member of branch alpha"));
}

TEST(ResolveSymbols, RefusesAnUnknownBranch) {
  EXPECT_EQ(Refusal(TwoBranches(), {}, "typo@head"), ERROR_REASON_UNKNOWN_REVISION);
}

TEST(ResolveSymbols, AnIdServesAsABranch) {
  EXPECT_THAT(Resolve(TwoBranches(), {}, "a1@head"), ElementsAre("a3aa"));
}

TEST(ResolveSymbols, BaseIsNoRevision) {
  EXPECT_THAT(Resolve(TwoBranches(), {}, "base"), IsEmpty());
}

TEST(ResolveSymbols, HeadOfOneHead) {
  EXPECT_THAT(Resolve(Graph({{"b", "a"}}), {}, "head"), ElementsAre("b"));
}

TEST(ResolveSymbols, HeadOfNoFilesIsNoRevision) {
  EXPECT_THAT(Resolve(Graph({}), {}, "head"), IsEmpty());
}

TEST(ResolveSymbols, RefusesHeadOfSeveralAndNamesThem) {
  EXPECT_EQ(Refusal(TwoBranches(), {}, "head"), ERROR_REASON_MULTIPLE_HEADS);
  EXPECT_THAT(Message(TwoBranches(), {}, "head"), AllOf(HasSubstr("a3aa"), HasSubstr("b2bb")));
}

TEST(ResolveSymbols, HeadOfABranch) {
  EXPECT_THAT(Resolve(TwoBranches(), {}, "beta@head"), ElementsAre("b2bb"));
}

TEST(ResolveSymbols, HeadsAreTheEffectiveOnes) {
  EXPECT_THAT(Resolve(Graph({{"a"}, {"b", {}, "a"}}), {}, "heads"), ElementsAre("b"));
}

// As in Alembic: `head` counts versioned heads, even if another of them implies one.
TEST(ResolveSymbols, HeadCountsTheVersionedOnes) {
  EXPECT_EQ(Refusal(Graph({{"a"}, {"b", {}, "a"}}), {}, "head"), ERROR_REASON_MULTIPLE_HEADS);
}

TEST(ResolveSymbols, HeadsOfABranchAreTheVersionedOnes) {
  const RevisionGraph graph = Graph({{"a", {}, {}, "shop"}, {"b", {}, "a"}});
  EXPECT_THAT(Resolve(graph, {}, "shop@heads"), ElementsAre("a"));
}

TEST(ResolveSymbols, CurrentIsTheRows) {
  EXPECT_THAT(Resolve(TwoBranches(), {"a2aa", "b1bb"}, "current"), ElementsAre("a2aa", "b1bb"));
}

TEST(ResolveSymbols, CurrentOfABranch) {
  EXPECT_THAT(Resolve(TwoBranches(), {"a2aa", "b1bb"}, "beta@current"), ElementsAre("b1bb"));
}

TEST(ResolveSymbols, RefusesCurrentIfTheFilesLackARow) {
  EXPECT_EQ(Refusal(TwoBranches(), {"gone"}, "current"), ERROR_REASON_DATABASE_AHEAD);
}

TEST(ResolveSymbols, RowsThatTheFilesLackDoNotMatterToAnId) {
  EXPECT_THAT(Resolve(TwoBranches(), {"gone"}, "a2aa"), ElementsAre("a2aa"));
}

TEST(ResolveSymbols, CountsUpAndDownFromARevision) {
  EXPECT_THAT(Resolve(TwoBranches(), {}, "a1aa+2"), ElementsAre("a3aa"));
  EXPECT_THAT(Resolve(TwoBranches(), {}, "a3aa-1"), ElementsAre("a2aa"));
}

TEST(ResolveSymbols, CountsDownFromAHead) {
  EXPECT_THAT(Resolve(TwoBranches(), {}, "alpha@head-1"), ElementsAre("a2aa"));
}

TEST(ResolveSymbols, CountsUpFromBase) {
  EXPECT_THAT(Resolve(TwoBranches(), {}, "beta@base+2"), ElementsAre("b2bb"));
}

TEST(ResolveSymbols, CountsDownToBase) {
  EXPECT_THAT(Resolve(TwoBranches(), {}, "a2aa-2"), IsEmpty());
}

TEST(ResolveSymbols, RefusesToCountPastTheHead) {
  EXPECT_EQ(Refusal(TwoBranches(), {}, "a1aa+3"), ERROR_REASON_INVALID_TARGET);
  EXPECT_THAT(Message(TwoBranches(), {}, "a1aa+3"),
              HasSubstr("after 2 of 3 steps there is nothing above a3aa"));
}

TEST(ResolveSymbols, RefusesToCountPastBase) {
  EXPECT_EQ(Refusal(TwoBranches(), {}, "a2aa-3"), ERROR_REASON_INVALID_TARGET);
}

TEST(ResolveSymbols, RefusesToChooseBetweenChildren) {
  const RevisionGraph graph = Graph({{"b", "a"}, {"c", "a"}});
  EXPECT_EQ(Refusal(graph, {}, "a+1"), ERROR_REASON_AMBIGUOUS_REVISION);
  EXPECT_THAT(Message(graph, {}, "a+1"), AllOf(HasSubstr("b"), HasSubstr("c")));
}

TEST(ResolveSymbols, RefusesToChooseBetweenParents) {
  const RevisionGraph graph = Graph({{"b", "a"}, {"c", "a"}, {"d", {"b", "c"}}});
  EXPECT_EQ(Refusal(graph, {}, "d-1"), ERROR_REASON_AMBIGUOUS_REVISION);
}

TEST(ResolveSymbols, ABranchChoosesBetweenChildren) {
  const RevisionGraph graph = Graph({{"b", "a", {}, "shop"}, {"c", "a"}});
  EXPECT_THAT(Resolve(graph, {}, "shop@a+1"), ElementsAre("b"));
}

TEST(ResolveSymbols, AnOffsetAloneCountsFromTheRow) {
  EXPECT_THAT(Resolve(TwoBranches(), {"a2aa"}, "+1"), ElementsAre("a3aa"));
  EXPECT_THAT(Resolve(TwoBranches(), {"a2aa"}, "-1"), ElementsAre("a1aa"));
}

TEST(ResolveSymbols, AnOffsetAloneCountsUpFromBaseIfThereIsNoRow) {
  EXPECT_THAT(Resolve(Graph({{"b", "a"}}), {}, "+1"), ElementsAre("a"));
}

TEST(ResolveSymbols, RefusesToCountDownIfThereIsNoRow) {
  EXPECT_EQ(Refusal(TwoBranches(), {}, "-1"), ERROR_REASON_INVALID_TARGET);
}

TEST(ResolveSymbols, RefusesToCountFromSeveralRowsAndNamesThem) {
  const Rows rows = {"a2aa", "b2bb"};
  for (const char* symbol : {"+1", "-1"}) {
    EXPECT_EQ(Refusal(TwoBranches(), rows, symbol), ERROR_REASON_AMBIGUOUS_REVISION);
    EXPECT_THAT(Message(TwoBranches(), rows, symbol), AllOf(HasSubstr("a2aa"), HasSubstr("b2bb")));
  }
}

TEST(ResolveSymbols, ABranchChoosesTheRowToCountFrom) {
  EXPECT_THAT(Resolve(TwoBranches(), {"a2aa", "b2bb"}, "beta@-1"), ElementsAre("b1bb"));
}

TEST(ResolveSymbols, CountsFromWhatTheRowsImplyOnABranch) {
  const RevisionGraph graph =
      Graph({{"a1", {}, {}, "alpha"}, {"a2", "a1"}, {"a3", "a2"}, {"b1", {}, "a2"}});
  EXPECT_THAT(Resolve(graph, {"b1"}, "alpha@+1"), ElementsAre("a3"));
  EXPECT_THAT(Resolve(graph, {"b1"}, "alpha@-1"), ElementsAre("a1"));
}

TEST(ResolveSymbols, CountsUpFromBaseOnABranchThatIsNotApplied) {
  EXPECT_THAT(Resolve(TwoBranches(), {"a3aa"}, "beta@+1"), ElementsAre("b1bb"));
}

TEST(ResolveSymbols, RefusesToCountDownOnABranchThatIsNotApplied) {
  EXPECT_EQ(Refusal(TwoBranches(), {"a3aa"}, "beta@-1"), ERROR_REASON_INVALID_TARGET);
}

TEST(ResolveSymbols, RefusesWhatIsNoSymbol) {
  EXPECT_EQ(Refusal(TwoBranches(), {}, "a1aa+1x"), ERROR_REASON_INVALID_SYMBOL);
}

TEST(ResolveDowngradeTarget, KeepsTheBranch) {
  const RevisionGraph graph = TwoBranches();
  const DowngradeTarget target = ResolveDowngradeTarget(graph, {}, "alpha@base").value();
  EXPECT_FALSE(target.revision);
  EXPECT_EQ(target.branch, graph.Find("a1aa"));
}

TEST(ResolveDowngradeTarget, AnOffsetAloneStaysOnTheLineageOfTheRow) {
  const RevisionGraph graph = TwoBranches();
  const DowngradeTarget target = ResolveDowngradeTarget(graph, {"a3aa"}, "-1").value();
  EXPECT_EQ(target.revision, graph.Find("a2aa"));
  EXPECT_EQ(target.branch, graph.Find("a3aa"));
}

TEST(ResolveDowngradeTarget, RefusesToCountUp) {
  EXPECT_EQ(errors::ReasonOf(ResolveDowngradeTarget(TwoBranches(), {"a1aa"}, "+1").status()),
            ERROR_REASON_INVALID_TARGET);
}

TEST(ResolveDowngradeTarget, RefusesSeveralRevisions) {
  EXPECT_EQ(errors::ReasonOf(ResolveDowngradeTarget(TwoBranches(), {}, "heads").status()),
            ERROR_REASON_MULTIPLE_HEADS);
  EXPECT_EQ(
      errors::ReasonOf(ResolveDowngradeTarget(TwoBranches(), {"a1aa", "b1bb"}, "current").status()),
      ERROR_REASON_AMBIGUOUS_REVISION);
}

// --- Histories ---

Ids History(const RevisionGraph& graph, const Rows& rows, const std::string& range) {
  const auto revisions = SelectHistory(graph, rows, range);
  EXPECT_TRUE(revisions.ok()) << revisions.status();
  return revisions.ok() ? IdsOf(graph, *revisions) : Ids();
}

migration::v1::ErrorReason HistoryRefusal(const RevisionGraph& graph, const Rows& rows,
                                          const std::string& range) {
  return errors::ReasonOf(SelectHistory(graph, rows, range).status());
}

TEST(SelectHistory, AnEmptyRangeIsEverythingWhateverTheRows) {
  EXPECT_THAT(History(Graph({{"b", "a"}, {"c", "b"}}), {"gone"}, ""), ElementsAre("c", "b", "a"));
}

TEST(SelectHistory, BothEndsAreIncluded) {
  EXPECT_THAT(History(Graph({{"b", "a"}, {"c", "b"}, {"d", "c"}}), {}, "b:c"),
              ElementsAre("c", "b"));
}

TEST(SelectHistory, WithoutALowerEndGoesDownToTheBeginning) {
  EXPECT_THAT(History(Graph({{"b", "a"}, {"c", "b"}}), {}, ":b"), ElementsAre("b", "a"));
}

TEST(SelectHistory, WithoutAnUpperEndComesFromTheHeads) {
  EXPECT_THAT(History(Graph({{"b", "a"}, {"c", "b"}, {"d", "b"}}), {}, "b:"),
              ElementsAre("c", "d", "b"));
}

TEST(SelectHistory, DependenciesAreIncludedBelowTheUpperEnd) {
  EXPECT_THAT(History(Graph({{"a"}, {"b", {}, "a"}}), {}, ":b"), ElementsAre("b", "a"));
}

TEST(SelectHistory, DependenciesAreLeftOutAboveALowerEnd) {
  const RevisionGraph graph = Graph({{"a"}, {"b", {}, "a"}, {"c", "b", "x"}, {"x"}});
  EXPECT_THAT(History(graph, {}, "b:c"), ElementsAre("c", "b"));
}

TEST(SelectHistory, CurrentStandsForTheRows) {
  const RevisionGraph graph = Graph({{"b", "a"}, {"c", "b"}});
  EXPECT_THAT(History(graph, {"b"}, ":current"), ElementsAre("b", "a"));
  EXPECT_THAT(History(graph, {"b"}, "current:"), ElementsAre("c", "b"));
}

TEST(SelectHistory, UpToCurrentOfAnEmptyTableIsNothing) {
  EXPECT_THAT(History(Graph({{"b", "a"}}), {}, ":current"), IsEmpty());
}

TEST(SelectHistory, FromCurrentOfAnEmptyTableIsEverything) {
  EXPECT_THAT(History(Graph({{"b", "a"}}), {}, "current:"), ElementsAre("b", "a"));
}

TEST(SelectHistory, ALowerOffsetCountsDownFromTheUpperEnd) {
  const RevisionGraph graph = Graph({{"b", "a"}, {"c", "b"}, {"d", "c"}, {"e", "d"}});
  EXPECT_THAT(History(graph, {"d"}, "-2:current"), ElementsAre("d", "c", "b"));
  EXPECT_THAT(History(graph, {"d"}, "-1:"), ElementsAre("e", "d"));
}

TEST(SelectHistory, AnUpperOffsetCountsUpFromTheLowerEnd) {
  const RevisionGraph graph = Graph({{"b", "a"}, {"c", "b"}, {"d", "c"}, {"e", "d"}});
  EXPECT_THAT(History(graph, {"b"}, "current:+1"), ElementsAre("c", "b"));
  EXPECT_THAT(History(graph, {}, ":+2"), ElementsAre("b", "a"));
}

TEST(SelectHistory, AnOffsetStopsAtTheLastRevisionThereIs) {
  const RevisionGraph graph = Graph({{"b", "a"}, {"c", "b"}});
  EXPECT_THAT(History(graph, {}, "-9:head"), ElementsAre("c", "b", "a"));
  EXPECT_THAT(History(graph, {}, "b:+9"), ElementsAre("c", "b"));
}

TEST(SelectHistory, ALabelOfTheLowerEndRestrictsTheHeads) {
  EXPECT_THAT(History(TwoBranches(), {}, "alpha@a2aa:"), ElementsAre("a3aa", "a2aa"));
}

TEST(SelectHistory, RefusesALowerEndThatIsNotBelowTheUpperOne) {
  EXPECT_EQ(HistoryRefusal(TwoBranches(), {}, "a3aa:a1aa"), ERROR_REASON_INVALID_TARGET);
  EXPECT_EQ(HistoryRefusal(TwoBranches(), {}, "a1aa:b2bb"), ERROR_REASON_INVALID_TARGET);
}

TEST(SelectHistory, RefusesOffsetsThatLeadAwayFromTheOtherEnd) {
  EXPECT_EQ(HistoryRefusal(TwoBranches(), {}, "+1:a3aa"), ERROR_REASON_INVALID_TARGET);
  EXPECT_EQ(HistoryRefusal(TwoBranches(), {}, "a1aa:-1"), ERROR_REASON_INVALID_TARGET);
}

TEST(SelectHistory, RefusesTwoOffsets) {
  EXPECT_EQ(HistoryRefusal(TwoBranches(), {}, "-2:+1"), ERROR_REASON_INVALID_SYMBOL);
}

TEST(SelectHistory, RefusesCurrentIfTheFilesLackARow) {
  EXPECT_EQ(HistoryRefusal(TwoBranches(), {"gone"}, "current:"), ERROR_REASON_DATABASE_AHEAD);
}

TEST(SelectHistory, RefusesHeadOfSeveral) {
  EXPECT_EQ(HistoryRefusal(TwoBranches(), {}, ":head"), ERROR_REASON_MULTIPLE_HEADS);
}

}  // namespace
}  // namespace migd
