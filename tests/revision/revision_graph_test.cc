// What a graph is beside Alembic's rules, which are in alembic_rules_test.cc.
#include "service/revision/revision_graph.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/revision/lineage.h"
#include "tests/support/graph.h"

namespace migd {
namespace {

using migration::v1::ERROR_REASON_INVALID_MIGRATIONS;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::File;
using testing::Graph;
using testing::GraphOf;
using ::testing::HasSubstr;
using testing::IdsOf;
using ::testing::IsEmpty;
using testing::Revisions;
using ::testing::UnorderedElementsAreArray;

RevisionIndex At(const RevisionGraph& graph, const std::string& id) {
  return graph.Find(id).value();
}

// The message of the error that the files make, which must be InvalidMigrations.
std::string ProblemsOf(const std::vector<File>& files) {
  const absl::StatusOr<RevisionGraph> graph = RevisionGraph::Create(Revisions(files));
  EXPECT_EQ(errors::ReasonOf(graph.status()), ERROR_REASON_INVALID_MIGRATIONS) << graph.status();
  return std::string(graph.status().message());
}

TEST(RevisionGraph, AnEmptySetOfFilesIsAGraph) {
  const RevisionGraph graph = Graph({});
  EXPECT_EQ(graph.size(), 0);
  EXPECT_THAT(graph.heads(), IsEmpty());
  EXPECT_THAT(graph.newest_first(), IsEmpty());
}

TEST(RevisionGraph, FindsARevisionByItsFullIdOnly) {
  const RevisionGraph graph = Graph({{"abcd"}});
  EXPECT_TRUE(graph.Find("abcd"));
  EXPECT_FALSE(graph.Find("abc"));
}

TEST(RevisionGraph, FindsARevisionByItsLabel) {
  const RevisionGraph graph = Graph({{"b", "a", {}, "shop"}});
  EXPECT_EQ(graph.FindLabel("shop"), graph.Find("b"));
  EXPECT_FALSE(graph.FindLabel("a"));
}

TEST(RevisionGraph, ParentsKeepTheOrderOfTheHeader) {
  const RevisionGraph graph = Graph({{"d", {"c", "b"}}});
  EXPECT_THAT(IdsOf(graph, graph.parents(At(graph, "d"))), ElementsAre("c", "b"));
}

TEST(RevisionGraph, ChildrenAreInFileOrder) {
  const RevisionGraph graph = Graph({{"c", "a"}, {"b", "a"}});
  EXPECT_THAT(IdsOf(graph, graph.children(At(graph, "a"))), ElementsAre("b", "c"));
}

TEST(RevisionGraph, DependentsAreInFileOrder) {
  const RevisionGraph graph = Graph({{"a"}, {"c", {}, "a"}, {"b", {}, "a"}});
  EXPECT_THAT(IdsOf(graph, graph.dependents(At(graph, "a"))), ElementsAre("b", "c"));
}

TEST(RevisionGraphOrder, NewestFirstListsABranchToItsEndBeforeTheNext) {
  const RevisionGraph graph = Graph({{"b1", "a"}, {"c1", "a"}, {"b2", "b1"}, {"c2", "c1"}});
  EXPECT_THAT(IdsOf(graph, graph.newest_first()), ElementsAre("b2", "b1", "c2", "c1", "a"));
}

TEST(RevisionGraphOrder, NewestFirstListsADependentBeforeItsDependency) {
  const RevisionGraph graph = Graph({{"a"}, {"b", {}, "a"}});
  EXPECT_THAT(IdsOf(graph, graph.newest_first()), ElementsAre("b", "a"));
}

TEST(RevisionGraphProblems, ReportsEveryCycleOnce) {
  const std::string problems = ProblemsOf({{"a", "b"}, {"b", "a"}, {"x", "y"}, {"y", "x"}});
  EXPECT_THAT(problems, AllOf(HasSubstr("a (a.sql), b (b.sql)"), HasSubstr("x (x.sql), y (y.sql)"),
                              ::testing::Not(HasSubstr("dependency cycle"))));
}

TEST(RevisionGraphProblems, AnEmptyId) {
  EXPECT_THAT(ProblemsOf({{"", {}, {}, {}, "x.sql"}}),
              HasSubstr("x.sql: the revision id '' is empty"));
}

TEST(RevisionGraphProblems, AnIdLongerThanTheVersionTableHolds) {
  EXPECT_THAT(ProblemsOf({{std::string(33, 'a'), {}, {}, {}, "x.sql"}}),
              HasSubstr("has 33 characters; the version table holds 32"));
}

TEST(RevisionGraphProblems, TheLengthOfAnIdIsCountedInCharacters) {
  std::string id;
  for (int i = 0; i < 32; ++i) id += "\xC3\xA9";
  EXPECT_EQ(Graph({{id}}).size(), 1);
}

class ForbiddenInIds : public ::testing::TestWithParam<const char*> {};

TEST_P(ForbiddenInIds, IsAProblem) {
  EXPECT_THAT(ProblemsOf({{GetParam(), {}, {}, {}, "x.sql"}}), HasSubstr("x.sql: the revision id"));
}

INSTANTIATE_TEST_SUITE_P(RevisionGraphProblems, ForbiddenInIds,
                         ::testing::Values("a@b", "a-b", "a+b", "a:b", "a,b", "a b", "a\tb", "a\nb",
                                           "a\x01", "a\x7F", "a/b", ".a", "head", "heads", "base",
                                           "current"));

TEST(RevisionGraphProblems, ALabelMayHaveAHyphenButNoAtSign) {
  EXPECT_TRUE(Graph({{"a", {}, {}, "shop-eu"}}).FindLabel("shop-eu"));
  EXPECT_THAT(ProblemsOf({{"a", {}, {}, "shop@eu"}}),
              HasSubstr("a.sql: the branch label 'shop@eu'"));
}

TEST(RevisionGraphProblems, ReportsAllProblemsOfAllFilesAtOnce) {
  EXPECT_THAT(ProblemsOf({{"a b", {}, {}, {}, "1.sql"},
                          {"c", {}, "gone", {}, "2.sql"},
                          {"d", "d", {}, "c", "3.sql"}}),
              AllOf(HasSubstr("1.sql: "), HasSubstr("2.sql: depends on 'gone'"),
                    HasSubstr("3.sql: revision 'd' revises itself"),
                    HasSubstr("3.sql: the branch label 'c'")));
}

// Deep, wide and merging graphs: nothing recurses, and nothing is quadratic enough to be felt.
TEST(RevisionGraphSize, AChainOfAHundredThousandRevisions) {
  std::vector<File> files;
  for (int i = 0; i < 100000; ++i) {
    files.push_back({absl::StrCat("r", i),
                     i == 0 ? testing::Names() : testing::Names(absl::StrCat("r", i - 1))});
  }
  const RevisionGraph graph = GraphOf(files);
  EXPECT_EQ(graph.newest_first().size(), 100000u);
  EXPECT_EQ(graph.revision(graph.newest_first().back()).id, "r0");
}

TEST(RevisionGraphSize, ACycleOfTenThousandRevisions) {
  std::vector<File> files;
  for (int i = 0; i < 10000; ++i) {
    files.push_back({absl::StrCat("r", i), absl::StrCat("r", (i + 1) % 10000)});
  }
  EXPECT_THAT(ProblemsOf(files), HasSubstr("cycle"));
}

// --- Labels, by the rule rather than by the way the graph keeps them ---

bool IsBranchOrMergePoint(const RevisionGraph& graph, RevisionIndex index) {
  std::set<RevisionIndex> above(graph.children(index).begin(), graph.children(index).end());
  above.insert(graph.dependents(index).begin(), graph.dependents(index).end());
  return above.size() > 1 || graph.parents(index).size() > 1;
}

// What the label of `labelled` covers.
RevisionSet CoveredBy(const RevisionGraph& graph, RevisionIndex labelled) {
  RevisionSet covered = Descendants(graph, {labelled}, Follow::kDownRevisions);
  for (const RevisionIndex index : covered.ToVector()) {
    if (IsBranchOrMergePoint(graph, index)) return covered;
  }
  for (RevisionIndex index = labelled; !graph.parents(index).empty();) {
    index = graph.parents(index).front();
    if (IsBranchOrMergePoint(graph, index)) break;
    covered.insert(index);
  }
  return covered;
}

TEST(RevisionGraph, LabelsCoverWhatTheirRuleSaysOnRandomGraphs) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    std::vector<File> files;
    for (uint32_t i = 0; i < 30; ++i) {
      std::set<std::string> revises;
      for (uint32_t n = random() % 6; n > 2 && i > 0; --n) {
        revises.insert(absl::StrCat("r", i - 1 - random() % std::min(i, 4U)));
      }
      File file{absl::StrCat("r", i), std::vector<std::string>(revises.begin(), revises.end())};
      if (random() % 4 == 0) file.labels = absl::StrCat("label", i);
      files.push_back(file);
    }
    const RevisionGraph graph = GraphOf(files);

    std::map<RevisionIndex, std::set<std::string>> expected;
    for (RevisionIndex i = 0; i < graph.size(); ++i) {
      for (const std::string& label : graph.revision(i).branch_labels) {
        for (const RevisionIndex index : CoveredBy(graph, i).ToVector()) {
          expected[index].insert(label);
        }
      }
    }
    for (RevisionIndex i = 0; i < graph.size(); ++i) {
      ASSERT_THAT(graph.labels(i), UnorderedElementsAreArray(expected[i]))
          << "seed " << seed << ", revision " << graph.revision(i).id;
    }
  }
}

}  // namespace
}  // namespace migd
