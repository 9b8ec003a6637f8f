#include "client/schema_report.h"

#include <gtest/gtest.h>

namespace migctl {
namespace {

using migration::v1::SchemaDifference;

migration::v1::VerifyResponse Response() {
  migration::v1::VerifyResponse response;
  response.add_revisions("aa10");
  response.set_object_count(42);
  return response;
}

TEST(VerifyText, SaysThatAllIsWell) {
  migration::v1::VerifyResponse response = Response();
  EXPECT_EQ(VerifyText(response, {}), "42 objects, all as the files make them at aa10\n");
  response.set_ignored_count(2);
  response.clear_revisions();
  EXPECT_EQ(VerifyText(response, {}),
            "42 objects, all as the files make them at base; 2 differences ignored\n");
}

TEST(VerifyText, ShowsBothDefinitionsLineByLine) {
  migration::v1::VerifyResponse response = Response();
  SchemaDifference& view = *response.add_differences();
  view.set_kind(SchemaDifference::KIND_DIFFERENT);
  view.set_object_kind("view");
  view.set_object_name("public.v");
  auto& attribute = *view.add_attributes();
  attribute.set_attribute("definition");
  attribute.set_expected("SELECT a,\n  b\nFROM t");
  attribute.set_actual("SELECT a,\n  c\nFROM t\x1b");
  SchemaDifference& table = *response.add_differences();
  table.set_kind(SchemaDifference::KIND_UNEXPECTED);
  table.set_object_kind("table");
  table.set_object_name("public.t");
  table.set_actual_definition("CREATE TABLE public.t ()");
  EXPECT_EQ(VerifyText(response, {}),
            "different  view public.v\n"
            "             definition\n"
            "               SELECT a,\n"
            "             -   b\n"
            "             - FROM t\n"
            "             +   c\n"
            "             + FROM t\\x1b\n"
            "unexpected table public.t\n"
            "             + CREATE TABLE public.t ()\n"
            "\n"
            "2 differences between the database and the 42 objects that its files make at aa10\n"
            "(- as the files make it, + as the database has it)\n");
}

TEST(ComparisonText, SaysHowManyAreLeftOut) {
  migration::v1::SchemaCompared compared;
  EXPECT_EQ(ComparisonText(compared, Style(false)), "");
  SchemaDifference& missing = *compared.add_differences();
  missing.set_kind(SchemaDifference::KIND_MISSING);
  missing.set_object_kind("index");
  missing.set_object_name("public.i");
  compared.set_omitted_count(7);
  EXPECT_EQ(ComparisonText(compared, Style(false)),
            "missing    index public.i\n"
            "and 7 more differences; `migctl verify` lists all\n"
            "(- as the files make it, + as the database has it)\n");
}

TEST(LineDifference, KeepsCommonLinesBetweenThoseThatDiffer) {
  EXPECT_EQ(LineDifference("a\nb\nc\nd", "a\nc\nx\nd", "", Style(false)),
            "  a\n- b\n  c\n+ x\n  d\n");
  EXPECT_EQ(LineDifference("", "a", "", Style(false)), "+ a\n");
  EXPECT_EQ(LineDifference("a", "", "", Style(false)), "- a\n");
}

}  // namespace
}  // namespace migctl
