#include "service/execute/replay.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/execute/schema_check.h"
#include "tests/support/graph.h"

namespace migd {
namespace {

using ::testing::ElementsAre;
using testing::Graph;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::vector<std::string> RevisionsOf(const Plan& plan) {
  std::vector<std::string> revisions;
  for (const Step& step : plan.steps) revisions.push_back(step.revision);
  return revisions;
}

TEST(PlanReplay, TakesEveryRevisionBelowTheRowsOnce) {
  const RevisionGraph graph =
      Graph({{"a"}, {"b", {"a"}}, {"c", {"a"}}, {"d", {"b", "c"}}, {"e", {"b"}}});
  const auto plan = PlanReplay(graph, {"d", "e"});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(RevisionsOf(*plan), UnorderedElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(plan->resulting_rows, ElementsAre("d", "e"));
}

TEST(PlanReplay, RowsMayDependOnOneAnother) {
  const RevisionGraph graph = Graph({{"a"}, {.id = "b", .depends_on = {"a"}}});
  for (const VersionRows& rows : {VersionRows{"a", "b"}, VersionRows{"b"}}) {
    const auto plan = PlanReplay(graph, rows);
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_THAT(RevisionsOf(*plan), ElementsAre("a", "b"));
  }
}

TEST(PlanReplay, NoRowsAreAnEmptyDatabase) {
  const auto plan = PlanReplay(Graph({{"a"}}), {});
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(plan->steps, IsEmpty());
}

TEST(PlanReplay, ARowWithoutAFileIsAhead) {
  const auto plan = PlanReplay(Graph({{"a"}}), {"a", "z"});
  EXPECT_EQ(errors::ReasonOf(plan.status()), migration::v1::ERROR_REASON_DATABASE_AHEAD);
}

SkippedObjects Skipped(const std::string& kind, const std::string& name) {
  migration::v1::OperationEvent event;
  event.mutable_object_skipped()->set_object_kind(kind);
  event.mutable_object_skipped()->set_object_name(name);
  event.mutable_object_skipped()->set_reason(migration::v1::SKIP_REASON_EXISTS);
  SkippedObjects skipped;
  skipped.Note(event);
  return skipped;
}

TEST(SkippedObjects, CoverWhatHasTheirNameAndWhatGoesWithIt) {
  const SkippedObjects skipped = Skipped("table", "\"Us.ers\"");
  EXPECT_TRUE(skipped.Cover({"table", "public.\"Us.ers\""}, {}));
  // A relation of another kind is in the way, too.
  EXPECT_TRUE(skipped.Cover({"view", "shop.\"Us.ers\""}, {}));
  EXPECT_FALSE(skipped.Cover({"table", "public.other"}, {}));
  EXPECT_FALSE(skipped.Cover({"type", "public.\"Us.ers\""}, {}));
  SchemaObject column;
  column.owners = {{"table", "public.\"Us.ers\""}};
  EXPECT_TRUE(skipped.Cover({"column", "public.\"Us.ers\".id"}, column));
}

TEST(SkippedObjects, KnowTheSchemaThatTheStatementNames) {
  const SkippedObjects skipped = Skipped("table", "shop.users");
  EXPECT_TRUE(skipped.Cover({"table", "shop.users"}, {}));
  EXPECT_FALSE(skipped.Cover({"table", "public.users"}, {}));
  EXPECT_TRUE(Skipped("column", "users.age").Cover({"column", "public.users.age"}, {}));
  EXPECT_TRUE(Skipped("column", "shop.users.age").Cover({"column", "shop.users.age"}, {}));
}

TEST(SkippedObjects, AreNotThoseThatWereMissing) {
  migration::v1::OperationEvent event;
  event.mutable_object_skipped()->set_reason(migration::v1::SKIP_REASON_MISSING);
  SkippedObjects skipped;
  skipped.Note(event);
  EXPECT_TRUE(skipped.empty());
}

}  // namespace
}  // namespace migd
