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

TEST(RevisionGraph, IndicesFollowThePathsAndNotTheIds) {
  const RevisionGraph graph =
      Graph({{"a1", {}, {}, {}, "a1_x.sql"}, {"a10", {}, {}, {}, "a10_x.sql"}});
  EXPECT_EQ(At(graph, "a10"), 0);
  EXPECT_EQ(At(graph, "a1"), 1);
}

TEST(RevisionGraph, PathsAreOrderedByCodePoint) {
  const RevisionGraph graph =
      Graph({{"e", {}, {}, {}, "\xC3\xA9.sql"}, {"z", {}, {}, {}, "z.sql"}});
  EXPECT_EQ(At(graph, "z"), 0);
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

TEST(RevisionGraph, ADependencyMayBeNamedByItsLabel) {
  const RevisionGraph graph = Graph({{"a", {}, {}, "shop"}, {"b", {}, "shop"}});
  EXPECT_THAT(IdsOf(graph, graph.dependencies(At(graph, "b"))), ElementsAre("a"));
  EXPECT_THAT(IdsOf(graph, graph.dependents(At(graph, "a"))), ElementsAre("b"));
}

TEST(RevisionGraph, ADependencyThatAnAncestorDeclaresIsNotKept) {
  const RevisionGraph graph = Graph({{"x"}, {"b", "a", "x"}, {"c", "b", "x"}});
  EXPECT_THAT(IdsOf(graph, graph.kept_dependencies(At(graph, "b"))), ElementsAre("x"));
  EXPECT_THAT(graph.kept_dependencies(At(graph, "c")), IsEmpty());
  EXPECT_THAT(IdsOf(graph, graph.dependencies(At(graph, "c"))), ElementsAre("x"));
}

TEST(RevisionGraph, ADependencyThatASiblingDeclaresIsKept) {
  const RevisionGraph graph = Graph({{"x"}, {"b", "a", "x"}, {"c", "a", "x"}});
  EXPECT_THAT(IdsOf(graph, graph.kept_dependencies(At(graph, "c"))), ElementsAre("x"));
}

TEST(RevisionGraph, ADependencyThatIsAParentIsOneStepDown) {
  const RevisionGraph graph = Graph({{"b", "a", "a"}});
  EXPECT_THAT(IdsOf(graph, graph.steps_down(At(graph, "b"))), ElementsAre("a"));
}

TEST(RevisionGraph, AHeadMayHaveDependentsButAnEffectiveHeadHasNone) {
  const RevisionGraph graph = Graph({{"b", "a"}, {"y", "x", "b"}});
  EXPECT_THAT(IdsOf(graph, graph.heads()), ElementsAre("b", "y"));
  EXPECT_THAT(IdsOf(graph, graph.effective_heads()), ElementsAre("y"));
}

TEST(RevisionGraph, ABaseMayHaveDependencies) {
  const RevisionGraph graph = Graph({{"a"}, {"b", {}, "a"}});
  EXPECT_THAT(IdsOf(graph, graph.bases()), ElementsAre("a", "b"));
}

TEST(RevisionGraphLabels, CoverAllDescendants) {
  const RevisionGraph graph = Graph({{"b", "a", {}, "shop"}, {"c", "b"}, {"d", "a"}, {"e", "c"}});
  EXPECT_THAT(graph.labels(At(graph, "b")), ElementsAre("shop"));
  EXPECT_THAT(graph.labels(At(graph, "e")), ElementsAre("shop"));
  EXPECT_THAT(graph.labels(At(graph, "d")), IsEmpty());
}

TEST(RevisionGraphLabels, CoverAncestorsUpToTheFirstBranchPoint) {
  const RevisionGraph graph = Graph({{"b", "a"}, {"x", "a"}, {"c", "b"}, {"d", "c", {}, "shop"}});
  EXPECT_THAT(graph.labels(At(graph, "c")), ElementsAre("shop"));
  EXPECT_THAT(graph.labels(At(graph, "b")), ElementsAre("shop"));
  EXPECT_THAT(graph.labels(At(graph, "a")), IsEmpty());
}

TEST(RevisionGraphLabels, CoverNoAncestorsIfADescendantIsABranchPoint) {
  const RevisionGraph graph = Graph({{"b", "a", {}, "shop"}, {"c", "b"}, {"d", "b"}});
  EXPECT_THAT(graph.labels(At(graph, "a")), IsEmpty());
}

TEST(RevisionGraphLabels, ADependentMakesABranchPoint) {
  const RevisionGraph graph = Graph({{"b", "a", {}, "shop"}, {"x", {}, "a"}});
  EXPECT_THAT(graph.labels(At(graph, "a")), IsEmpty());
}

TEST(RevisionGraphLabels, CoverAMergeAndWhatFollowsIt) {
  const RevisionGraph graph = Graph(
      {{"b", "a", {}, "shop"}, {"c", "a", {}, "blog"}, {"d", {"b", "c"}}, {"e", "d", {}, "zoo"}});
  EXPECT_THAT(graph.labels(At(graph, "e")), ElementsAre("zoo", "blog", "shop"));
  EXPECT_THAT(graph.labels(At(graph, "b")), ElementsAre("shop"));
}

TEST(RevisionGraphLabels, OwnLabelsComeFirstAsTheHeaderHasThem) {
  const RevisionGraph graph = Graph({{"a", {}, {}, "first"}, {"b", "a", {}, {"zebra", "ape"}}});
  EXPECT_THAT(graph.labels(At(graph, "b")), ElementsAre("zebra", "ape", "first"));
}

TEST(RevisionGraphOrder, NewestFirstListsABranchToItsEndBeforeTheNext) {
  const RevisionGraph graph = Graph({{"b1", "a"}, {"c1", "a"}, {"b2", "b1"}, {"c2", "c1"}});
  EXPECT_THAT(IdsOf(graph, graph.newest_first()), ElementsAre("b2", "b1", "c2", "c1", "a"));
}

TEST(RevisionGraphOrder, NewestFirstListsADependentBeforeItsDependency) {
  const RevisionGraph graph = Graph({{"a"}, {"b", {}, "a"}});
  EXPECT_THAT(IdsOf(graph, graph.newest_first()), ElementsAre("b", "a"));
}

TEST(RevisionGraphProblems, NamesBothFilesOfADuplicateId) {
  EXPECT_THAT(ProblemsOf({{"a", {}, {}, {}, "1.sql"}, {"a", {}, {}, {}, "2.sql"}}),
              HasSubstr("2.sql: the revision id 'a' is also that of 1.sql"));
}

TEST(RevisionGraphProblems, NamesBothFilesOfADuplicateLabel) {
  EXPECT_THAT(ProblemsOf({{"a", {}, {}, "shop"}, {"b", "a", {}, "shop"}}),
              HasSubstr("b.sql: the branch label 'shop' is given twice, here and in a.sql"));
}

TEST(RevisionGraphProblems, ALabelGivenTwiceInOneFile) {
  EXPECT_THAT(ProblemsOf({{"a", {}, {}, {"shop", "shop"}}}),
              HasSubstr("a.sql: the branch label 'shop' is given twice"));
}

TEST(RevisionGraphProblems, ALabelEqualToAnId) {
  EXPECT_THAT(ProblemsOf({{"a"}, {"b", {}, {}, "a"}}),
              HasSubstr("b.sql: the branch label 'a' is the revision id of a.sql"));
}

TEST(RevisionGraphProblems, AMissingParent) {
  std::vector<Revision> revisions = Revisions({{"a"}});
  revisions[0].down_revisions = {"gone"};
  const absl::Status status = RevisionGraph::Create(revisions).status();
  EXPECT_EQ(errors::ReasonOf(status), ERROR_REASON_INVALID_MIGRATIONS);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("a.sql: revises 'gone', which is the id of no file"));
}

TEST(RevisionGraphProblems, AParentNamedByItsLabel) {
  std::vector<Revision> revisions = Revisions({{"a", {}, {}, "shop"}, {"b"}});
  revisions[1].down_revisions = {"shop"};
  EXPECT_THAT(std::string(RevisionGraph::Create(revisions).status().message()),
              HasSubstr("it is a branch label, and Revises takes ids only"));
}

TEST(RevisionGraphProblems, AParentNamedTwice) {
  EXPECT_THAT(ProblemsOf({{"b", {"a", "a"}}}), HasSubstr("b.sql: revises 'a' twice"));
}

TEST(RevisionGraphProblems, AMissingDependency) {
  EXPECT_THAT(
      ProblemsOf({{"a", {}, "gone"}}),
      HasSubstr(
          "a.sql: depends on 'gone', which is neither the id nor a branch label of any file"));
}

TEST(RevisionGraphProblems, ARevisionThatRevisesItself) {
  EXPECT_THAT(ProblemsOf({{"a", "a"}}), HasSubstr("a.sql: revision 'a' revises itself"));
}

TEST(RevisionGraphProblems, ARevisionThatDependsOnItself) {
  EXPECT_THAT(ProblemsOf({{"a", {}, "a"}}), HasSubstr("a.sql: revision 'a' depends on itself"));
}

TEST(RevisionGraphProblems, ARevisionThatDependsOnItselfByItsLabel) {
  EXPECT_THAT(ProblemsOf({{"a", {}, "shop", "shop"}}),
              HasSubstr("a.sql: revision 'a' depends on itself, as 'shop'"));
}

TEST(RevisionGraphProblems, NamesTheMembersOfACycle) {
  EXPECT_THAT(ProblemsOf({{"a", "c"}, {"b", "a"}, {"c", "b"}}),
              HasSubstr("a.sql: cycle of revisions that revise one another: a (a.sql), b (b.sql), "
                        "c (c.sql)"));
}

// Alembic misses such a cycle, and an upgrade never ends.
TEST(RevisionGraphProblems, ACycleThatABaseAndAHeadReach) {
  EXPECT_THAT(ProblemsOf({{"a"}, {"b", {"a", "c"}}, {"c", "b"}, {"d", "c"}}),
              HasSubstr("cycle of revisions that revise one another: b (b.sql), c (c.sql)"));
}

TEST(RevisionGraphProblems, NamesTheMembersOfADependencyCycle) {
  EXPECT_THAT(ProblemsOf({{"a"}, {"b", "a", "y"}, {"x"}, {"y", "x", "b"}}),
              HasSubstr("dependency cycle of revisions that revise or depend on one another: "
                        "b (b.sql), y (y.sql)"));
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
                                           "a\x01", "a\x7F", "head", "heads", "base", "current"));

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
