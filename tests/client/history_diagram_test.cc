#include "client/history_diagram.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/text_format.h"

namespace migctl {
namespace {

using migration::v1::HistoryResponse;

HistoryResponse Parse(const std::string& text) {
  HistoryResponse history;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &history));
  return history;
}

// A merge, a dependency, labels, and a database in the middle of them.
HistoryResponse SmallHistory() {
  return Parse(R"(
    revisions { revision: "1.1" down_revisions: "b1" message: "invoices" is_head: true
                depends_on: "core" dependencies: "a4" branch_labels: "billing" }
    revisions { revision: "a4" down_revisions: "a2" down_revisions: "a3" message: "merge"
                branch_labels: "core" inherited_branch_labels: "core" is_head: true
                dependents: "1.1" is_merge_point: true is_current: true is_applied: true }
    revisions { revision: "a3" down_revisions: "a1" is_applied: true })");
}

// A revision alone, which has `message`.
HistoryResponse Saying(const std::string& message) {
  HistoryResponse history;
  history.add_revisions()->set_revision("a");
  history.mutable_revisions(0)->set_message(message);
  return history;
}

// What `text` has between `before` and the first `after` behind it.
std::string Between(absl::string_view text, absl::string_view before, absl::string_view after) {
  const size_t begin = text.find(before);
  if (begin == absl::string_view::npos) return "nothing";
  text.remove_prefix(begin + before.size());
  return std::string(text.substr(0, text.find(after)));
}

std::string DotMessage(const std::string& message) {
  return Between(HistoryDot(Saying(message), DiagramMarks::kNone), "[label=\"a\\n", "\"]\n");
}

std::string MermaidMessage(const std::string& message) {
  return Between(HistoryMermaid(Saying(message), DiagramMarks::kNone), "r_a[\"a<br/>", "\"]:::");
}

TEST(HistoryDot, DrawsTheListingAndWhereItLeads) {
  EXPECT_EQ("\n" + HistoryDot(SmallHistory(), DiagramMarks::kApplied), R"x(
digraph history {
  rankdir=BT
  node [shape=box, style="rounded,filled", fillcolor="#ffffff", fontname="sans-serif"]
  "1.1" [label="1.1\n[billing] invoices\npending (head)"]
  "a4" [label="a4\nmerge\napplied (current) (effective head)", fillcolor="#d5f0d5", penwidth=2.5]
  "a3" [label="a3\napplied", fillcolor="#d5f0d5"]
  "b1" [label="b1", style="rounded,dashed"]
  "a2" [label="a2", style="rounded,dashed"]
  "a1" [label="a1", style="rounded,dashed"]
  "b1" -> "1.1"
  "a4" -> "1.1" [style=dashed]
  "a2" -> "a4"
  "a3" -> "a4"
  "a1" -> "a3"
}
)x");
}

TEST(HistoryMermaid, DrawsTheListingAndWhereItLeads) {
  EXPECT_EQ("\n" + HistoryMermaid(SmallHistory(), DiagramMarks::kApplied), R"x(
flowchart BT
  r_1_2e1["1#46;1<br/>#91;billing#93; invoices<br/>pending (head)"]:::listed
  r_a4["a4<br/>merge<br/>applied (current) (effective head)"]:::current
  r_a3["a3<br/>applied"]:::applied
  r_b1["b1"]:::outside
  r_a2["a2"]:::outside
  r_a1["a1"]:::outside
  r_b1 --> r_1_2e1
  r_a4 -.-> r_1_2e1
  r_a2 --> r_a4
  r_a3 --> r_a4
  r_a1 --> r_a3
  classDef listed fill:#ffffff,stroke:#555555,color:#000000
  classDef applied fill:#d5f0d5,stroke:#555555,color:#000000
  classDef current fill:#d5f0d5,stroke:#000000,stroke-width:3px,color:#000000
  classDef outside fill:none,stroke:#555555,stroke-dasharray:4
)x");
}

TEST(HistoryDiagram, SaysNothingOfTheDatabaseUnlessItIsToMarkWhatIsApplied) {
  const std::string dot = HistoryDot(SmallHistory(), DiagramMarks::kNone);
  EXPECT_NE(dot.find("\"a4\" [label=\"a4\\nmerge\\n(effective head)\"]\n"), std::string::npos)
      << dot;
  EXPECT_NE(dot.find("\"a3\" [label=\"a3\"]\n"), std::string::npos) << dot;
  const std::string mermaid = HistoryMermaid(SmallHistory(), DiagramMarks::kNone);
  EXPECT_NE(mermaid.find("r_a3[\"a3\"]:::listed\n"), std::string::npos) << mermaid;
}

TEST(HistoryDiagram, DrawsARevisionThatIsParentAndDependencyOnce) {
  const HistoryResponse history = Parse(R"(
    revisions { revision: "b" down_revisions: "a" depends_on: "a" dependencies: "a" }
    revisions { revision: "a" })");
  EXPECT_EQ(HistoryDot(history, DiagramMarks::kNone).find("dashed"), std::string::npos);
  EXPECT_NE(HistoryDot(history, DiagramMarks::kNone).find("  \"a\" -> \"b\"\n}"),
            std::string::npos);
  EXPECT_EQ(HistoryMermaid(history, DiagramMarks::kNone).find("-.->"), std::string::npos);
}

TEST(HistoryDiagram, HasNoNodesForNoRevisions) {
  EXPECT_EQ(HistoryDot({}, DiagramMarks::kNone).find("->"), std::string::npos);
  EXPECT_EQ(HistoryMermaid({}, DiagramMarks::kNone).find("[\""), std::string::npos);
}

TEST(HistoryDot, KeepsMessagesInsideTheirNode) {
  EXPECT_EQ(DotMessage(R"(say "hi")"), R"(say \"hi\")");
  EXPECT_EQ(DotMessage(R"(C:\new\)"), R"(C:\\new\\)");
  EXPECT_EQ(DotMessage("two\nlines"), R"(two\\nlines)");
  EXPECT_EQ(DotMessage("&lt; <b>"), "&amp;lt; <b>");
  EXPECT_EQ(DotMessage("état 日本"), "état 日本");
  EXPECT_EQ(DotMessage("\x1b[2J\xff"), R"(\\x1b[2J\\xff)");
}

TEST(HistoryMermaid, KeepsMessagesInsideTheirNode) {
  EXPECT_EQ(MermaidMessage("say \"hi\""), "say #34;hi#34;");
  EXPECT_EQ(MermaidMessage("<b> & #1 [x](y) {z}"), "#60;b#62; #38; #35;1 #91;x#93;(y) #123;z#125;");
  EXPECT_EQ(MermaidMessage("*a* _b_ `c` ~d~"), "#42;a#42; #95;b#95; #96;c#96; #126;d#126;");
  EXPECT_EQ(MermaidMessage("état 日本"), "état 日本");
  EXPECT_EQ(MermaidMessage("orders: style:x;"), "orders: style#58;x#59;");
}

TEST(HistoryMermaid, KeepsMessagesFromBecomingLists) {
  EXPECT_EQ(MermaidMessage("1. create users"), "1#46; create users");
  EXPECT_EQ(MermaidMessage("- create users"), "#45; create users");
  EXPECT_EQ(MermaidMessage("create users - 1. part"), "create users - 1. part");
  EXPECT_EQ(MermaidMessage("2025"), "2025");
}

TEST(HistoryMermaid, KeepsABackslashFromBreakingTheLineAndDollarsFromBecomingAFormula) {
  EXPECT_EQ(MermaidMessage(R"(C:\new)"), "C#58;#92;#8203;new");
  EXPECT_EQ(MermaidMessage("a\nb"), "a#92;#8203;nb");
  EXPECT_EQ(MermaidMessage("DO $$ x"), "DO $#8203;$ x");
}

TEST(HistoryMermaid, NamesNodesSoThatNoTwoIdsAreTheSameNode) {
  HistoryResponse history;
  for (const char* id : {"a.b", "a_2eb", "a_b", "end"}) history.add_revisions()->set_revision(id);
  const std::string text = HistoryMermaid(history, DiagramMarks::kNone);
  for (const char* name : {"  r_a_2eb[", "  r_a_5f2eb[", "  r_a_5fb[", "  r_end["}) {
    EXPECT_NE(text.find(name), std::string::npos) << name << "\n" << text;
  }
}

}  // namespace
}  // namespace migctl
