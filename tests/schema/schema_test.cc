#include "service/schema/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "service/schema/canonical_sql.h"

namespace migd {
namespace {

using migration::v1::SchemaDifference;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const SchemaKey kTable = {"table", "public.t"};
const SchemaKey kColumn = {"column", "public.t.id"};

SchemaObject Table(const std::string& definition = "") {
  SchemaObject table;
  table.schema = "public";
  table.definition = definition;
  return table;
}

SchemaObject Column(const std::string& type) {
  SchemaObject column;
  column.schema = "public";
  column.owners = {kTable};
  column.attributes = {{"type", type}};
  column.definition = absl::StrCat("id ", type);
  return column;
}

TEST(CompareSchemas, FindsNothingInEqualOnes) {
  const Schema schema = {{kTable, Table()}, {kColumn, Column("integer")}};
  EXPECT_THAT(CompareSchemas(schema, schema), IsEmpty());
}

TEST(CompareSchemas, TellsBothDefinitionsAndWhatIsNotTheSame) {
  const Schema expected = {{kTable, Table()}, {kColumn, Column("integer")}};
  Schema actual = {{kTable, Table()}, {kColumn, Column("bigint")}};
  actual[kColumn].attributes["default"] = "1";
  const auto differences = CompareSchemas(expected, actual);
  ASSERT_THAT(differences, SizeIs(1));
  const SchemaDifference& difference = differences[0];
  EXPECT_EQ(difference.kind(), SchemaDifference::KIND_DIFFERENT);
  EXPECT_EQ(difference.object_kind(), "column");
  EXPECT_EQ(difference.object_name(), "public.t.id");
  EXPECT_EQ(difference.expected_definition(), "id integer");
  EXPECT_EQ(difference.actual_definition(), "id bigint");
  ASSERT_EQ(difference.attributes_size(), 2);
  EXPECT_EQ(difference.attributes(0).attribute(), "default");
  EXPECT_EQ(difference.attributes(0).expected(), "");
  EXPECT_EQ(difference.attributes(0).actual(), "1");
  EXPECT_EQ(difference.attributes(1).attribute(), "type");
  EXPECT_EQ(difference.attributes(1).expected(), "integer");
  EXPECT_EQ(difference.attributes(1).actual(), "bigint");
}

TEST(CompareSchemas, TellsATableThatIsMissingWithoutItsParts) {
  const Schema expected = {{kTable, Table("CREATE TABLE")}, {kColumn, Column("integer")}};
  const auto missing = CompareSchemas(expected, {});
  ASSERT_THAT(missing, SizeIs(1));
  EXPECT_EQ(missing[0].kind(), SchemaDifference::KIND_MISSING);
  EXPECT_EQ(missing[0].expected_definition(), "CREATE TABLE");
  const auto unexpected = CompareSchemas({}, expected);
  ASSERT_THAT(unexpected, SizeIs(1));
  EXPECT_EQ(unexpected[0].kind(), SchemaDifference::KIND_UNEXPECTED);
  EXPECT_EQ(unexpected[0].actual_definition(), "CREATE TABLE");
}

TEST(CompareSchemas, TellsAPartThatIsMissingInATableThatIsThere) {
  const Schema expected = {{kTable, Table()}, {kColumn, Column("integer")}};
  const auto differences = CompareSchemas(expected, {{kTable, Table()}});
  ASSERT_THAT(differences, SizeIs(1));
  EXPECT_EQ(differences[0].object_name(), "public.t.id");
}

TEST(CompareSchemas, AnOwnerIsOfItsKind) {
  const Schema expected = {{kTable, Table()}, {kColumn, Column("integer")}};
  const Schema actual = {{{"view", "public.t"}, Table()}};
  const auto differences = CompareSchemas(expected, actual);
  ASSERT_THAT(differences, SizeIs(2));
  EXPECT_EQ(differences[0].object_kind(), "table");
  EXPECT_EQ(differences[1].object_kind(), "view");
}

// A scan for each object would take minutes.
TEST(CompareSchemas, BearsAHundredThousandObjects) {
  Schema schema = {{kTable, Table()}};
  for (int i = 0; i < 100'000; ++i) {
    schema[{"column", absl::StrCat("public.t.c", i)}] = Column("integer");
  }
  EXPECT_THAT(CompareSchemas(schema, {{kTable, Table()}}), SizeIs(100'000));
}

TEST(KeepSchemas, LeavesWhatIsInThem) {
  Schema schema = {{kTable, Table()}, {{"extension", "citext"}, {}}};
  schema[{"table", "\"Other\".t"}].schema = "Other";
  KeepSchemas({"Other"}, schema);
  ASSERT_THAT(schema, SizeIs(1));
  EXPECT_EQ(schema.begin()->first.second, "\"Other\".t");
}

TEST(MatchesPattern, StarIsAnyTextAndQuestionMarkOneCharacter) {
  EXPECT_TRUE(MatchesPattern("public.t", "public.t"));
  EXPECT_FALSE(MatchesPattern("public.t", "public.t1"));
  EXPECT_TRUE(MatchesPattern("public.t?", "public.t1"));
  EXPECT_FALSE(MatchesPattern("public.t?", "public.t"));
  EXPECT_TRUE(MatchesPattern("*_tmp", "public.a_tmp_tmp"));
  EXPECT_TRUE(MatchesPattern("a*b*c", "a--b--b--c"));
  EXPECT_FALSE(MatchesPattern("a*b*c", "a--c--b"));
  EXPECT_TRUE(MatchesPattern("**", ""));
  EXPECT_FALSE(MatchesPattern("", "a"));
}

TEST(IsIgnored, ByNameByKindAndByWhatItGoesWith) {
  const SchemaObject column = Column("integer");
  EXPECT_TRUE(IsIgnored({"public.*"}, kColumn, &column));
  EXPECT_TRUE(IsIgnored({"other.*", "column:public.t.id"}, kColumn, &column));
  EXPECT_TRUE(IsIgnored({"table:public.t"}, kColumn, &column));
  EXPECT_TRUE(IsIgnored({"*:public.t"}, kColumn, &column));
  EXPECT_FALSE(IsIgnored({"index:public.t.id"}, kColumn, &column));
  EXPECT_FALSE(IsIgnored({}, kColumn, &column));
  // A colon in a quoted name separates nothing.
  EXPECT_TRUE(IsIgnored({"public.\"a:b\""}, {"table", "public.\"a:b\""}, nullptr));
}

TEST(CanonicalSql, CastsTheElementsOfAnArray) {
  EXPECT_EQ(CanonicalSql("CHECK (((a)::text = ANY ((ARRAY['x, ]'::character varying, "
                         "'it''s'::character varying])::text[])))"),
            "CHECK (((a)::text = ANY (ARRAY[('x, ]'::character varying)::text, "
            "('it''s'::character varying)::text])))");
}

TEST(CanonicalSql, LeavesAnythingElse) {
  for (const std::string sql :
       {"CHECK ((a = ANY (ARRAY[1, 2])))", "'(ARRAY[1])::text[]'", "(ARRAY[1", "(ARRAY[1])::f(x)",
        "\"(ARRAY[1])::text[]\"", "E'\\'(ARRAY[1])::text[]'", ""}) {
    EXPECT_EQ(CanonicalSql(sql), sql);
  }
}

TEST(UnknownKind, IsOneThatNoObjectHas) {
  EXPECT_EQ(UnknownKind("bogus:public.x"), "bogus");
  EXPECT_EQ(UnknownKind("tables:*"), "tables");
  for (const char* pattern :
       {"table:public.x", "*constraint:*", "public.x", "\"a:b\".c", "index:*"}) {
    EXPECT_EQ(UnknownKind(pattern), "") << pattern;
  }
}

}  // namespace
}  // namespace migd
