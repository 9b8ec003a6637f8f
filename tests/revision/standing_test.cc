#include "service/revision/standing.h"

#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "tests/support/graph.h"

namespace migd {
namespace {

using ::testing::ElementsAre;
using testing::Graph;
using ::testing::HasSubstr;
using testing::IdsOf;
using ::testing::IsEmpty;
using Rows = std::set<std::string>;

// How `rows` stand to what `symbol` names.
Standing StandingOf(const RevisionGraph& graph, const Rows& rows, const std::string& symbol) {
  const auto targets = ResolveAwaited(graph, *RevisionSymbol::Parse(symbol));
  EXPECT_TRUE(targets.ok()) << targets.status();
  return AppliedRevisions(graph, rows).CompareWith(*targets);
}

// a1 <- b1 <- c1 and a1 <- b2; d1, a base, depends on b2.
RevisionGraph Example() {
  return Graph({{"b1", "a1", {}, "core"}, {"c1", "b1"}, {"b2", "a1"}, {"d1", {}, "b2"}});
}

TEST(Standing, IsBelowWhatIsNotApplied) {
  EXPECT_EQ(StandingOf(Example(), {}, "a1"), Standing::kBelow);
  EXPECT_EQ(StandingOf(Example(), {"a1"}, "b1"), Standing::kBelow);
  EXPECT_EQ(StandingOf(Example(), {"b2"}, "b1"), Standing::kBelow);
}

TEST(Standing, IsAtARevisionThatHasARowWhateverElseHas) {
  EXPECT_EQ(StandingOf(Example(), {"b1"}, "b1"), Standing::kAt);
  EXPECT_EQ(StandingOf(Example(), {"b1", "d1"}, "b1"), Standing::kAt);
  EXPECT_EQ(StandingOf(Example(), {"b1", "zz"}, "b1"), Standing::kAt);
}

TEST(Standing, IsAheadOfWhatStandsBelowARow) {
  EXPECT_EQ(StandingOf(Example(), {"c1"}, "a1"), Standing::kAhead);
  EXPECT_EQ(StandingOf(Example(), {"d1"}, "b2"), Standing::kAhead) << "by depends_on";
  EXPECT_EQ(StandingOf(Example(), {"d1"}, "a1"), Standing::kAhead);
  EXPECT_EQ(StandingOf(Example(), {"c1", "zz"}, "a1"), Standing::kAhead);
}

TEST(Standing, NeedsAllHeads) {
  EXPECT_EQ(StandingOf(Example(), {"c1"}, "heads"), Standing::kBelow);
  EXPECT_EQ(StandingOf(Example(), {"d1"}, "heads"), Standing::kBelow);
  EXPECT_EQ(StandingOf(Example(), {"c1", "d1"}, "heads"), Standing::kAt);
  EXPECT_EQ(StandingOf(Example(), {"c1"}, "core@head"), Standing::kAt);
}

TEST(Standing, IsAheadAsFarAsAnyoneKnowsWithARowThatNoFileHas) {
  EXPECT_EQ(StandingOf(Example(), {"zz"}, "c1"), Standing::kAheadUnknown);
  EXPECT_EQ(StandingOf(Example(), {"b1", "zz"}, "c1"), Standing::kAheadUnknown);
  const RevisionGraph graph = Example();
  EXPECT_THAT(AppliedRevisions(graph, {"zz", "b1", "yy"}).unknown_rows(), ElementsAre("yy", "zz"));
}

TEST(Standing, IsAtBaseOnlyWithoutRows) {
  EXPECT_EQ(StandingOf(Example(), {}, "base"), Standing::kAt);
  EXPECT_EQ(StandingOf(Example(), {"a1"}, "base"), Standing::kAhead);
  EXPECT_EQ(StandingOf(Example(), {"a1", "zz"}, "base"), Standing::kAhead);
  EXPECT_EQ(StandingOf(Example(), {"zz"}, "base"), Standing::kAheadUnknown);
  EXPECT_EQ(StandingOf(Graph({}), {}, "heads"), Standing::kAt);
}

TEST(ResolveAwaited, TakesWhatDoesNotDependOnTheRows) {
  const RevisionGraph graph = Example();
  const auto resolve = [&graph](const char* symbol) {
    return IdsOf(graph, *ResolveAwaited(graph, *RevisionSymbol::Parse(symbol)));
  };
  EXPECT_THAT(resolve("c1-1"), ElementsAre("b1"));
  EXPECT_THAT(resolve("core@head"), ElementsAre("c1"));
  EXPECT_THAT(resolve("core"), ElementsAre("b1"));
  EXPECT_THAT(resolve("base"), IsEmpty());
}

TEST(ResolveAwaited, RefusesWhatCountsFromTheRows) {
  const RevisionGraph graph = Example();
  for (const char* symbol : {"current", "+1", "-1", "current-1", "core@+1"}) {
    const auto resolved = ResolveAwaited(graph, *RevisionSymbol::Parse(symbol));
    ASSERT_FALSE(resolved.ok()) << symbol;
    EXPECT_EQ(errors::ReasonOf(resolved.status()), migration::v1::ERROR_REASON_INVALID_SYMBOL);
    EXPECT_THAT(std::string(resolved.status().message()), HasSubstr("name a revision"));
  }
}

}  // namespace
}  // namespace migd
