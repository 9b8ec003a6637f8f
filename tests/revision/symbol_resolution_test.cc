// What symbols are beside Alembic's rules, which are in alembic_rules_test.cc.
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
using ::testing::ElementsAre;
using testing::Graph;
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

// a1 - a2 - a3, with the label `alpha`, and b1 - b2, with the label `beta`.
RevisionGraph TwoBranches() {
  return Graph({{"a1aa", {}, {}, "alpha"},
                {"a2aa", "a1aa"},
                {"a3aa", "a2aa"},
                {"b1bb", {}, {}, "beta"},
                {"b2bb", "b1bb"}});
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
