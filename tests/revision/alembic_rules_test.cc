// Alembic's rules of revision graphs and of the symbols that name revisions, one test each. Those
// of plans are in tests/plan/.
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"
#include "service/revision/symbol_resolution.h"
#include "tests/support/rules.h"

namespace migd {
namespace {

using testing::Answer;
using testing::Rule;

// The revision that a question like "labels of a" is about.
bool IsAbout(const RevisionGraph& graph, absl::string_view question, absl::string_view property,
             RevisionIndex& revision) {
  if (!absl::ConsumePrefix(&question, absl::StrCat(property, " of "))) return false;
  revision = graph.Find(question).value();
  return true;
}

std::string AskGraph(const RevisionGraph& graph, const std::string& question) {
  RevisionIndex it = 0;
  if (question == "files") {
    std::vector<RevisionIndex> all;
    for (RevisionIndex i = 0; i < graph.size(); ++i) all.push_back(i);
    return Answer(graph, all);
  }
  if (question == "heads") return Answer(graph, graph.heads());
  if (question == "effective heads") return Answer(graph, graph.effective_heads());
  if (question == "bases") return Answer(graph, graph.bases());
  if (IsAbout(graph, question, "labels", it)) return Answer(graph.labels(it));
  if (IsAbout(graph, question, "dependencies", it)) return Answer(graph, graph.dependencies(it));
  if (IsAbout(graph, question, "kept dependencies", it)) {
    return Answer(graph, graph.kept_dependencies(it));
  }
  if (IsAbout(graph, question, "steps down", it)) return Answer(graph, graph.steps_down(it));
  return "no such question";
}

// A property of the graph.
void ExpectGraph(std::initializer_list<Rule> table) {
  testing::Expect([](const RevisionGraph& graph, const std::set<std::string>&,
                     const std::string& question) { return AskGraph(graph, question); },
                  table);
}

// The question is a symbol, or a range, which is the history from one end to the other.
void ExpectSymbols(std::initializer_list<Rule> table) {
  testing::Expect(
      [](const RevisionGraph& graph, const std::set<std::string>& rows, const std::string& text) {
        const bool is_range = text.find(':') != text.npos;
        return Answer(
            is_range ? SelectHistory(graph, rows, text) : ResolveSymbols(graph, rows, text),
            [&](const std::vector<RevisionIndex>& named) { return Answer(graph, named); });
      },
      table);
}

// --- The graph ---

TEST(AlembicGraphRules, FilesAreInTheOrderOfTheirNamesByCodePointNotOfTheirIds) {
  ExpectGraph({
      {"a1_x a10_x", "", "files", "a10 a1"},
      {"a1_x a10_x", "", "heads", "a10 a1"},
      {"b a B é z", "", "files", "B a b z é"},
  });
}

TEST(AlembicGraphRules, ParentsAreNamedByFullIdsAndDependenciesByFullIdsOrLabels) {
  ExpectGraph({
      {"ab#shop c:ab", "", "steps down of c", "ab"},
      {"ab#shop c~ab", "", "dependencies of c", "ab"},
      {"ab#shop c~shop", "", "dependencies of c", "ab"},
      {"ab#shop c:shop", "", "files", "INVALID_MIGRATIONS: is a branch label"},
      {"ab c:a", "", "files", "INVALID_MIGRATIONS: revises 'a', which is the id of no file"},
      {"ab#shop c~a", "", "files", "INVALID_MIGRATIONS: depends on 'a'"},
      {"ab#shop c~sho", "", "files", "INVALID_MIGRATIONS: depends on 'sho'"},
  });
}

// What no id may hold is in revision_graph_test.cc, since it cannot be written here.
TEST(AlembicGraphRules, IdsAndLabelsAreGivenOnceAmongThemAll) {
  ExpectGraph({
      {"a_1 a_2", "", "files", "INVALID_MIGRATIONS: a_2.sql: the revision id 'a' is also that of"},
      {"a#shop b#shop:a", "", "files",
       "INVALID_MIGRATIONS: b.sql: the branch label 'shop' is given twice, here and in a.sql"},
      {"a#shop,shop", "", "files",
       "INVALID_MIGRATIONS: a.sql: the branch label 'shop' is given twice"},
      {"a b#a", "", "files",
       "INVALID_MIGRATIONS: b.sql: the branch label 'a' is the revision id of a.sql"},
  });
}

TEST(AlembicGraphRules, NothingRevisesAHeadAndNothingDependsOnAnEffectiveHeadEither) {
  ExpectGraph({
      {"a b:a c:a", "", "heads", "b c"},
      {"a b:a c:a", "", "effective heads", "b c"},
      {"a b:a x y:x~b", "", "heads", "b y"},
      {"a b:a x y:x~b", "", "effective heads", "y"},
      {"a b:a x~a", "", "effective heads", "b x"},
      {"a b~a", "", "bases", "a b"},
  });
}

TEST(AlembicGraphRules, ADependencyIsKeptUnlessAnAncestorByDownRevisionDeclaresItToo) {
  ExpectGraph({
      {"x a b:a~x c:b~x", "", "kept dependencies of b", "x"},
      {"x a b:a~x c:b~x", "", "kept dependencies of c", "nothing"},
      {"x a b:a~x c:b~x", "", "dependencies of c", "x"},
      {"x a b:a~x c:a~x", "", "kept dependencies of c", "x"},  // a sibling is no ancestor
      {"x y:x a~x b:a~y", "", "kept dependencies of b", "y"},  // that y needs x is not asked
      {"x a~x b~a,x", "", "kept dependencies of b", "a x"},  // nor that a does, which is no parent
  });
}

TEST(AlembicGraphRules, AStepDownLeadsToTheParentsAndTheKeptDependencies) {
  ExpectGraph({
      {"a x b:a~x", "", "steps down of b", "a x"},
      {"a x b:x~a", "", "steps down of b", "x a"},
      {"b c d:c,b", "", "steps down of d", "c b"},
      {"x a b:a~x c:b~x", "", "steps down of c", "b"},
      {"a b:a~a", "", "steps down of b", "a"},
  });
}

TEST(AlembicGraphRules, ALabelCoversItsRevisionAndAllDescendants) {
  ExpectGraph({
      {"a b#shop:a c:b d:a e:c", "", "labels of b", "shop"},
      {"a b#shop:a c:b d:a e:c", "", "labels of e", "shop"},
      {"a b#shop:a c:b d:a e:c", "", "labels of d", "nothing"},
      {"a b#shop:a c#blog:a d:b,c e#zoo:d", "", "labels of e", "zoo blog shop"},
      {"a b#shop:a c#blog:a d:b,c e#zoo:d", "", "labels of b", "shop"},
      {"a#first b#zebra,ape:a", "", "labels of b", "zebra ape first"},
  });
}

TEST(AlembicGraphRules, ALabelCoversTheAncestorsUpToABranchPointOrMergeIfNeitherIsAbove) {
  ExpectGraph({
      {"a b:a c#shop:b", "", "labels of a", "shop"},
      {"a b:a x:a c:b d#shop:c", "", "labels of b", "shop"},
      {"a b:a x:a c:b d#shop:c", "", "labels of a", "nothing"},
      {"a b c:a,b d#shop:c", "", "labels of c", "nothing"},
      {"a b#shop:a c:b d:b", "", "labels of a", "nothing"},      // b is a branch point
      {"a b#shop:a c:b d:c e:c", "", "labels of a", "nothing"},  // c, above b, is one
      {"a b#shop:a x c:b,x", "", "labels of a", "nothing"},      // c is a merge
      {"a b#shop:a x~a", "", "labels of a", "nothing"},          // dependents count
  });
}

// --- Symbols ---

TEST(AlembicSymbolRules, ABranchIsALabelOrAnIdFullOrPartial) {
  ExpectSymbols({
      {"aa#shop bb:aa cc#blog:aa", "", "blog@head", "cc"},
      {"aa#shop bb:aa cc#blog:aa", "", "blo@head", "cc"},
      {"a1a a2a:a1a b1b b2b:b1b", "", "a1a@head", "a2a"},
      {"a1a a2a:a1a b1b b2b:b1b", "", "b2@head", "b2b"},
      {"a1a a2a:a1a b1b b2b:b1b", "", "@b2b", "b2b"},
      {"a b:a", "", "@head", "b"},
      {"a b:a", "", "typo@head", "UNKNOWN_REVISION: no branch has this label"},
      {"a b:a", "", "a@b@head", "INVALID_SYMBOL: more than one @"},
  });
}

TEST(AlembicSymbolRules, HeadsAreTheEffectiveOnesHeadAndHeadsOfABranchTheVersionedOnes) {
  ExpectSymbols({
      {"a b:a", "", "head", "b"},
      {"", "", "head", "nothing"},
      {"a b:a c:a", "", "heads", "b c"},
      {"a b:a c:a", "", "head", "MULTIPLE_HEADS: b, c"},
      {"a b~a", "", "heads", "b"},
      {"a b~a", "", "head", "MULTIPLE_HEADS: a, b"},  // though b implies a
      {"a#shop b~a", "", "shop@heads", "a"},
      {"a#shop b~a", "", "shop@head", "a"},
      {"a#shop b:a c:a", "", "shop@head", "MULTIPLE_HEADS: b, c"},
  });
}

TEST(AlembicSymbolRules, ARevisionOnABranchStandsAboveBelowOrAtIt) {
  ExpectSymbols({
      {"a b#shop:a c:b x", "", "shop@c", "c"},
      {"a b#shop:a c:b x", "", "shop@b", "b"},
      {"a b#shop:a c:b x", "", "shop@a", "a"},
      {"a b#shop:a c:b x", "", "shop@x", "UNKNOWN_REVISION: x is not a member of branch shop"},
      {"a b#shop:a c:a", "", "shop@c", "UNKNOWN_REVISION: c is not a member of branch shop"},
      {"a b#shop~a", "", "shop@a", "UNKNOWN_REVISION: a is not a member of branch shop"},
  });
}

TEST(AlembicSymbolRules, AKeywordGoesBeforeAnExactNameAndThatBeforeAUniquePrefix) {
  ExpectSymbols({
      {"ab abc:ab", "", "ab", "ab"},
      {"abc#shop sho:abc", "", "sho", "sho"},
      {"abc#shop de:abc", "", "shop", "abc"},
      {"headless#headline b:headless", "", "head", "b"},
      {"bases b:bases", "", "base", "nothing"},
      {"abc1 abc2:abc1", "", "abc", "AMBIGUOUS_REVISION: abc1, abc2"},
      {"abc1 abc2:abc1", "", "zz", "UNKNOWN_REVISION"},
  });
}

TEST(AlembicSymbolRules, APrefixIsLookedForInIdsAndLongLabelsOnTheBranch) {
  ExpectSymbols({
      {"abc1 de", "", "ab", "abc1"},
      {"x1#shop y1", "", "sh", "x1"},
      {"x1#web y1", "", "we", "UNKNOWN_REVISION"},  // of three characters
      {"x1#web y1", "", "web", "x1"},
      {"ab1#alpha ab2#beta", "", "ab", "AMBIGUOUS_REVISION: ab1, ab2"},
      {"ab1#alpha ab2#beta", "", "beta@ab", "ab2"},
  });
}

TEST(AlembicSymbolRules, OffsetsWalkAlongDownRevisionAlone) {
  ExpectSymbols({
      {"a b:a c:b", "", "a+2", "c"},
      {"a b:a c:b", "", "c-1", "b"},
      {"a b:a c:b", "", "c-3", "nothing"},
      {"a b:a c:b", "", "head-1", "b"},
      {"a b:a c:b", "", "base+2", "b"},
      {"a#shop b:a x y:x", "", "shop@head-1", "a"},
      {"a#shop b:a x y:x", "", "shop@base+2", "b"},
      {"a b:a x y:x~b", "", "y-1", "x"},
      {"a b:a x~b", "", "x-1", "nothing"},
      {"a x~a", "", "a+1", "INVALID_TARGET: there is nothing above a"},
  });
}

TEST(AlembicSymbolRules, AWalkMustNotHaveToChoose) {
  ExpectSymbols({
      {"a b:a c:a", "", "a+1", "AMBIGUOUS_REVISION: b, c"},
      {"a b:a c:a d:b,c", "", "d-1", "AMBIGUOUS_REVISION: b, c"},
      {"a b", "", "base+1", "AMBIGUOUS_REVISION: a, b"},
      {"a b#shop:a c:a", "", "shop@a+1", "b"},  // a branch chooses
      {"a#shop b", "", "shop@base+1", "a"},
      {"a b:a x c:b,x", "", "c-1", "AMBIGUOUS_REVISION: b, x"},
  });
}

TEST(AlembicSymbolRules, AnOffsetAloneCountsFromTheRowOrOnABranchFromWhatTheRowsImply) {
  ExpectSymbols({
      {"a b:a c:b", "b", "+1", "c"},
      {"a b:a c:b", "b", "-1", "a"},
      {"a b:a c:b", "", "+1", "a"},
      {"a b:a c:b", "", "-1", "INVALID_TARGET: no current revision"},
      {"a#left b:a x#right y:x", "b,y", "right@-1", "x"},
      {"a#left b:a x#right y:x", "b", "right@+1", "x"},
      {"a#left b:a c:b x~b", "x", "left@+1", "c"},
      {"a#left b:a c:b x~b", "x", "left@-1", "a"},
  });
}

// --- What Alembic refuses ---

TEST(AlembicGraphRules, CyclesAndMissingRevisionsAreRefused) {
  ExpectGraph({
      {"a:a", "", "files", "INVALID_MIGRATIONS: a.sql: revision 'a' revises itself"},
      {"a~a", "", "files", "INVALID_MIGRATIONS: a.sql: revision 'a' depends on itself"},
      {"a#shop~shop", "", "files",
       "INVALID_MIGRATIONS: a.sql: revision 'a' depends on itself, as 'shop'"},
      {"a:c b:a c:b", "", "files",
       "INVALID_MIGRATIONS: a.sql: cycle of revisions that revise one another: a (a.sql), b "
       "(b.sql), c (c.sql)"},
      {"a b:a~y x y:x~b", "", "files",
       "INVALID_MIGRATIONS: dependency cycle of revisions that "
       "revise or depend on one another: b (b.sql), y (y.sql)"},
      {"a:gone", "", "files",
       "INVALID_MIGRATIONS: a.sql: revises 'gone', which is the id of no file"},
      {"a~gone", "", "files",
       "INVALID_MIGRATIONS: a.sql: depends on 'gone', which is neither the id nor a branch label"},
      {"a b:a,a", "", "files", "INVALID_MIGRATIONS: b.sql: revises 'a' twice"},
  });
}

TEST(AlembicSymbolRules, WalksPastTheEndAndRangesOfUnrelatedRevisionsAreRefused) {
  ExpectSymbols({
      {"a b:a c:b", "", "a+3", "INVALID_TARGET: after 2 of 3 steps there is nothing above c"},
      {"a b:a c:b", "", "b-3", "INVALID_TARGET: after 2 of 3 steps there is nothing below base"},
      {"a b:a c:b", "", "c:a", "INVALID_TARGET: c does not stand below a"},
      {"a b:a x", "", "x:b", "INVALID_TARGET: x does not stand below b"},
  });
}

// --- Where Alembic is wrong, and we are not ---

// 1. It misses such a cycle, and its upgrade never ends.
TEST(AlembicGraphRules, ACycleBetweenABaseAndAHeadIsFound) {
  ExpectGraph({
      {"a b:a,c c:b d:c", "", "files",
       "INVALID_MIGRATIONS: cycle of revisions that revise one another: b (b.sql), c (c.sql)"},
  });
}

// 7. It counts from the heads, and lists everything.
TEST(AlembicSymbolRules, ARangeUpToTheRowsCountsFromThemAndIsEmptyWithoutAny) {
  ExpectSymbols({
      {"a b:a c:b d:c", "c", "-1:current", "c b"},
      {"a b:a c:b d:c", "c", "-3:current", "c b a"},
      {"a b:a c:b d:c", "", ":current", "nothing"},
  });
}

// 9. Its assertions fail: past an end, and with no row or several on a branch.
TEST(AlembicSymbolRules, AnOffsetThatLeadsNowhereIsRefusedWithTheReason) {
  ExpectSymbols({
      {"a b:a", "", "b+1", "INVALID_TARGET: after 0 of 1 steps there is nothing above b"},
      {"a#shop b:a x", "x", "shop@-1", "INVALID_TARGET: nothing of branch shop is applied"},
      {"a#shop b:a c:a", "b,c", "shop@-1", "AMBIGUOUS_REVISION: b, c"},
      {"a b:a", "", "", "INVALID_SYMBOL: name a revision"},
  });
}

// 10. It takes `base-1` for head, ignores what follows an offset, and takes the first of several.
TEST(AlembicSymbolRules, SlipsAreRefusedWithTheCandidatesNamed) {
  ExpectSymbols({
      {"a b:a", "", "base-1", "INVALID_SYMBOL: there is nothing below base"},
      {"a b:a", "", "a+1x", "INVALID_SYMBOL: nothing may follow an offset"},
      {"abc1 b:abc1", "", "a", "UNKNOWN_REVISION: write more of abc1"},
      {"a b:a", "", "a", "a"},  // the whole id
      {"a x", "a,x", "-1", "AMBIGUOUS_REVISION: a, x"},
      {"a x", "a,x", "+1", "AMBIGUOUS_REVISION: a, x"},
  });
}

}  // namespace
}  // namespace migd
