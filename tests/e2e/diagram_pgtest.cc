// What `history --format=dot` prints is what Graphviz understands. Needs Debian's package graphviz.
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class DiagramTest : public ServiceTest {
 protected:
  void AddSaying(const std::string& id, const std::string& revises, const std::string& message,
                 const std::string& depends_on = "") {
    AddFile(absl::StrCat(id, "_x.sql"),
            absl::StrCat("-- ", message, "\n-- Revision ID: ", id, "\n-- Revises: ", revises,
                         "\n-- Depends On: ", depends_on, "\n-- migrate:up\nSELECT 1;\n"));
  }

  // The picture of the history as SVG, which is text.
  std::string Svg(const Arguments& options = {}) {
    Arguments arguments = {"history", "--format", "dot"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Finished svg = RunCommand({{"dot", "-Tsvg"}, {}, Text(arguments)});
    EXPECT_EQ(svg.exit_code, 0) << svg.err;
    EXPECT_EQ(svg.err, "");
    return svg.out;
  }
};

TEST_F(DiagramTest, GraphvizDrawsEachRevisionAndWhatItRevisesAndNeeds) {
  AddSaying("1.1", "", "create users");
  AddSaying("1.2", "1.1", "add orders");
  AddSaying("bb10", "", "invoices", "1.1");
  Migctl({"upgrade", "1.2"});
  const std::string svg = Svg({"-i"});
  for (const char* text :
       {">create users<", ">add orders<", ">invoices<", ">applied<", ">applied (current) (head)<",
        ">pending (head)<", "<title>1.1&#45;&gt;1.2</title>", "stroke-dasharray"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
}

TEST_F(DiagramTest, WithoutTheFlagForMarksItIsTheSameWhateverIsApplied) {
  AddSaying("aa10", "", "create users");
  const std::string before = Text({"history", "--format", "mermaid"});
  Migctl({"upgrade", "head"});
  EXPECT_EQ(Text({"history", "--format", "mermaid"}), before);
  EXPECT_NE(Text({"history", "--format", "mermaid", "-i"}), before);
}

TEST_F(DiagramTest, GraphvizDrawsMessagesAsTheyAre) {
  // What stands in a message, and how it stands in SVG.
  const std::map<std::string, std::string> messages = {
      {R"(a "quoted" word)", ">a &quot;quoted&quot; word<"},
      {R"(C:\new\table\)", R"(>C:\new\table\<)"},
      {R"(\N \G \l "])", R"(>\N \G \l &quot;]<)"},
      {"<b>bold</b> &lt; &amp; #1", ">&lt;b&gt;bold&lt;/b&gt; &amp;lt; &amp;amp; #1<"},
      {"état 日本 {a|b}", ">état 日本 {a|b}<"}};
  int count = 0;
  for (const auto& [message, drawn] : messages) AddSaying(absl::StrCat("a", ++count), "", message);
  const std::string svg = Svg();
  for (const auto& [message, drawn] : messages) EXPECT_THAT(svg, HasSubstr(drawn));
}

TEST_F(DiagramTest, ARangeShowsWhereItLeadsWithoutSayingMore) {
  AddSaying("aa10", "", "create users");
  AddSaying("aa20", "aa10", "add orders");
  AddSaying("aa30", "aa20", "add invoices");
  const std::string svg = Svg({"-r", "aa20:"});
  EXPECT_THAT(svg, HasSubstr("<title>aa10&#45;&gt;aa20</title>"));
  EXPECT_THAT(svg, HasSubstr(">aa10<"));
  EXPECT_THAT(svg, Not(HasSubstr("create users")));
}

}  // namespace
}  // namespace migd
