// Graphs of the size that must be borne, on a stack that no recursion as deep as they are fits.

#include "tests/support/large_graph.h"

#include <pthread.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/plan/planner.h"
#include "service/revision/symbol_resolution.h"

namespace migd {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

// A hundred thousand nested calls would need several megabytes, however little each keeps.
constexpr size_t kStackBytes = size_t{256} << 10;

void* Call(void* function) {
  (*static_cast<std::function<void()>*>(function))();
  return nullptr;
}

void RunOnSmallStack(std::function<void()> function) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, kStackBytes), 0);
  pthread_t thread;
  ASSERT_EQ(pthread_create(&thread, &attributes, &Call, &function), 0);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
  pthread_attr_destroy(&attributes);
}

// Makes the graph, lists it, takes it up from nothing to its heads and down again.
void GoThrough(std::vector<Revision> revisions) {
  const size_t count = revisions.size();
  const absl::StatusOr<RevisionGraph> graph = RevisionGraph::Create(std::move(revisions));
  ASSERT_TRUE(graph.ok()) << graph.status();
  const absl::StatusOr<Plan> up = PlanUpgrade(*graph, {}, "heads");
  ASSERT_TRUE(up.ok()) << up.status();
  EXPECT_THAT(up->steps, SizeIs(count));
  EXPECT_EQ(up->steps.back().revision, graph->revision(graph->newest_first().front()).id);
  EXPECT_THAT(up->resulting_rows, SizeIs(graph->effective_heads().size()));

  const auto history = SelectHistory(*graph, up->resulting_rows, "base:");
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_EQ(*history, graph->newest_first());

  const absl::StatusOr<Plan> down = PlanDowngrade(*graph, up->resulting_rows, "base");
  ASSERT_TRUE(down.ok()) << down.status();
  EXPECT_THAT(down->steps, SizeIs(count));
  EXPECT_THAT(down->resulting_rows, IsEmpty());
}

TEST(LargeGraph, AChainOfAHundredThousandRevisions) {
  RunOnSmallStack([] { GoThrough(Chain(100000)); });
}

TEST(LargeGraph, FiveThousandBranches) {
  RunOnSmallStack([] { GoThrough(LabelledBranches(10001)); });
}

TEST(LargeGraph, TenThousandMerges) {
  RunOnSmallStack([] { GoThrough(Diamonds(30001)); });
}

TEST(LargeGraph, DependenciesAllTheWayUp) {
  RunOnSmallStack([] { GoThrough(DependentChain(100000)); });
}

TEST(LargeGraph, TenModulesThatFollowOneAnother) {
  RunOnSmallStack([] { GoThrough(Modules(30000)); });
}

TEST(LargeGraph, ACycleOfAHundredThousandRevisionsIsFound) {
  RunOnSmallStack([] {
    std::vector<Revision> revisions = Chain(100000);
    revisions.front().down_revisions = {revisions.back().id};
    const absl::StatusOr<RevisionGraph> graph = RevisionGraph::Create(std::move(revisions));
    EXPECT_EQ(errors::ReasonOf(graph.status()), migration::v1::ERROR_REASON_INVALID_MIGRATIONS);
  });
}

}  // namespace
}  // namespace migd
