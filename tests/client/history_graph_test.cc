#include "client/history_graph.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace migctl {
namespace {

// The drawing with each node's id beside its line.
std::string Draw(const std::vector<GraphNode>& nodes) {
  std::string drawing = "\n";
  const std::vector<GraphRow> rows = DrawGraph(nodes);
  for (size_t i = 0; i < rows.size(); ++i) {
    drawing += rows[i].node_line + " " + nodes[i].id + "\n";
    for (const std::string& line : rows[i].link_lines) drawing += line + "\n";
  }
  return drawing;
}

TEST(DrawGraph, DrawsALineAsNodesBelowEachOther) {
  EXPECT_EQ(Draw({{"c", {"b"}, "◇"}, {"b", {"a"}, "●"}, {"a", {}, "●"}}), R"(
◇ c
● b
● a
)");
}

TEST(DrawGraph, DrawsNothingForNoNodes) { EXPECT_TRUE(DrawGraph({}).empty()); }

TEST(DrawGraph, PartsABaseFromWhatComesBelowIt) {
  EXPECT_EQ(Draw({{"f", {"a"}, "◇"},
                  {"e", {}, "●"},
                  {"d", {}, "●"},
                  {"c", {"b"}, "●"},
                  {"b", {}, "●"},
                  {"a", {}, "●"}}),
            R"(
◇ f
│ ● e
│
│ ● d
│
│ ● c
│ ● b
● a
)");
}

TEST(DrawGraph, OpensALaneForTheSecondParentOfAMergeAndClosesItAtTheirParent) {
  EXPECT_EQ(Draw({{"a91f", {"7c20", "4b11"}, "◇"},
                  {"7c20", {"55de"}, "◇"},
                  {"55de", {"0f3a"}, "●"},
                  {"4b11", {"0f3a"}, "●"},
                  {"0f3a", {}, "●"}}),
            R"(
◇ a91f
├─╮
◇ │ 7c20
● │ 55de
│ ● 4b11
├─╯
● 0f3a
)");
}

TEST(DrawGraph, DrawsTwoHeadsOfABranchPoint) {
  EXPECT_EQ(Draw({{"c", {"a"}, "◇"}, {"b", {"a"}, "◇"}, {"a", {}, "●"}}), R"(
◇ c
│ ◇ b
├─╯
● a
)");
}

TEST(DrawGraph, DrawsAMergeOfThree) {
  EXPECT_EQ(Draw({{"m", {"x", "y", "z"}, "◇"},
                  {"z", {"a"}, "◇"},
                  {"y", {"a"}, "◇"},
                  {"x", {"a"}, "◇"},
                  {"a", {}, "●"}}),
            R"(
◇ m
├─┬─╮
│ │ ◇ z
│ ◇ │ y
│ ├─╯
◇ │ x
├─╯
● a
)");
}

TEST(DrawGraph, CrossesALaneThatItDoesNotJoin) {
  EXPECT_EQ(Draw({{"m", {"x", "y", "z"}, "◇"},
                  {"z", {"x"}, "◇"},
                  {"y", {"a"}, "◇"},
                  {"x", {"a"}, "◇"},
                  {"a", {}, "●"}}),
            R"(
◇ m
├─┬─╮
│ │ ◇ z
├───╯
│ ◇ y
◇ │ x
├─╯
● a
)");
}

TEST(DrawGraph, DrawsACrissCross) {
  EXPECT_EQ(Draw({{"e", {"c", "d"}, "◇"},
                  {"d", {"a", "b"}, "◇"},
                  {"c", {"a", "b"}, "◇"},
                  {"b", {"base"}, "◇"},
                  {"a", {"base"}, "◇"},
                  {"base", {}, "●"}}),
            R"(
◇ e
├─╮
│ ◇ d
│ ├─╮
◇ │ │ c
╰─┼─┤
  │ ◇ b
  ◇ │ a
  ├─╯
  ● base
)");
}

TEST(DrawGraph, KeepsSeparateBasesApart) {
  EXPECT_EQ(Draw({{"b2", {"b1"}, "◇"}, {"a2", {"a1"}, "◇"}, {"b1", {}, "●"}, {"a1", {}, "●"}}), R"(
◇ b2
│ ◇ a2
● │ b1
  ● a1
)");
}

TEST(DrawGraph, ReusesTheLaneOfABaseThatEnded) {
  EXPECT_EQ(Draw({{"b", {}, "◇"}, {"a2", {"a1"}, "◇"}, {"a1", {}, "◇"}}), R"(
◇ b

◇ a2
◇ a1
)");
}

TEST(DrawGraph, MarksAParentThatIsNotListed) {
  EXPECT_EQ(Draw({{"c", {"b"}, "◇"}, {"b", {"elsewhere"}, "◇"}}), R"(
◇ c
◇ b
~
)");
}

TEST(DrawGraph, MarksItBesideOtherLanes) {
  EXPECT_EQ(Draw({{"m", {"x", "y"}, "◇"}, {"x", {"elsewhere"}, "◇"}, {"y", {}, "◇"}}), R"(
◇ m
├─╮
◇ │ x
~ │
  ◇ y
)");
}

TEST(DrawGraph, IgnoresAParentThatCameBefore) {
  EXPECT_EQ(Draw({{"a", {}, "◇"}, {"b", {"a"}, "◇"}}), R"(
◇ a

◇ b
~
)");
}

TEST(DrawGraph, IgnoresAParentThatIsNamedTwice) {
  EXPECT_EQ(Draw({{"b", {"a", "a"}, "◇"}, {"a", {}, "◇"}}), R"(
◇ b
◇ a
)");
}

TEST(DrawGraph, DrawsThirtyLanes) {
  std::vector<GraphNode> nodes = {{"m", {}, "◇"}};
  for (int i = 0; i < 30; ++i) nodes[0].parents.push_back("p" + std::to_string(i));
  for (int i = 0; i < 30; ++i) nodes.push_back({nodes[0].parents[i], {"base"}, "◇"});
  nodes.push_back({"base", {}, "●"});

  const std::vector<GraphRow> rows = DrawGraph(nodes);

  std::string fork = "├";
  for (int i = 1; i < 29; ++i) fork += "─┬";
  EXPECT_EQ(rows[0].link_lines, std::vector<std::string>{fork + "─╮"});
  EXPECT_EQ(rows[31].node_line, "●");
}

}  // namespace
}  // namespace migctl
