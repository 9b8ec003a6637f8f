// PostgreSQL's grammar, and what it must survive.

#include "service/sql/parse_tree.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/sql/tree_handover.h"

namespace migd {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What is kept of a tree.
struct Result {
  bool was_read = false;
  PgQuery__Node__NodeCase kind = PG_QUERY__NODE__NODE__NOT_SET;
  std::string problem;
};

Result Read(const std::string& statement) {
  Result result;
  RunOnDeepStack([&] {
    const ParseTree tree = ParseTree::Read(statement);
    result.was_read = tree.root() != nullptr;
    if (result.was_read) result.kind = tree.root()->node_case;
    result.problem = tree.problem();
  });
  return result;
}

TEST(ParseTree, ReadsAStatement) {
  const Result result = Read("ALTER TABLE a ADD COLUMN b int");
  ASSERT_TRUE(result.was_read);
  EXPECT_EQ(result.kind, PG_QUERY__NODE__NODE_ALTER_TABLE_STMT);
  EXPECT_THAT(result.problem, IsEmpty());
}

TEST(ParseTree, SaysWhyItCannotReadOne) {
  const Result result = Read("ALTER TABLE");
  EXPECT_FALSE(result.was_read);
  EXPECT_THAT(result.problem, HasSubstr("syntax error"));
}

TEST(ParseTree, TwoStatementsAreNotOne) {
  EXPECT_FALSE(Read("SELECT 1; SELECT 2").was_read);
  EXPECT_FALSE(Read("").was_read);
}

std::string Packed(const ProtobufCMessage& message) {
  std::string packed(protobuf_c_message_get_packed_size(&message), '\0');
  protobuf_c_message_pack(&message, reinterpret_cast<uint8_t*>(packed.data()));
  return packed;
}

TEST(TreeHandover, TakesWhatTheLibraryWouldPack) {
  for (const char* const sql :
       {"SELECT 1, 1.5, 'a', B'1', true, NULL, $1, ARRAY[1, 2], x[1:2].y FROM \"A\".b AS c",
        "CREATE TABLE IF NOT EXISTS a (b int[] DEFAULT '{}' CHECK (b <> '{}'), UNIQUE (b)) "
        "PARTITION BY RANGE (b)",
        "ALTER TABLE a ADD COLUMN b numeric(10, 2) NOT NULL, DROP CONSTRAINT c CASCADE",
        "CREATE UNIQUE INDEX CONCURRENTLY a ON b USING gin ((lower(c)) DESC NULLS LAST) WHERE d",
        "CREATE FUNCTION f(a int, OUT b text) LANGUAGE sql AS $$ SELECT 'x' $$",
        "WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT b + 1 FROM a) INSERT INTO c SELECT * FROM "
        "a "
        "ON CONFLICT (d) DO UPDATE SET e = excluded.e RETURNING f",
        "CREATE TYPE a AS ENUM ('b', 'c')", "GRANT SELECT (a), UPDATE ON b TO c WITH GRANT OPTION",
        "CREATE TRIGGER a BEFORE UPDATE OF b ON c FOR EACH ROW WHEN (OLD.d IS DISTINCT FROM NEW.d) "
        "EXECUTE FUNCTION e('f')",
        "SET LOCAL a.b = 'c', 1, on", "SELECT 1; SELECT 2", ""}) {
    TreeMemory memory;
    std::string taken;
    {
      TreeHandover handover(memory);
      const PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(sql);
      pg_query_free_protobuf_parse_result(parsed);
      ASSERT_NE(handover.tree(), nullptr) << "the library packs by itself";
      taken = Packed(handover.tree()->base);
    }
    const PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(sql);
    ASSERT_EQ(parsed.error, nullptr) << sql;
    EXPECT_EQ(taken, std::string(parsed.parse_tree.data, parsed.parse_tree.len)) << sql;
    pg_query_free_protobuf_parse_result(parsed);
  }
}

TEST(ParseTree, SurvivesDeepNesting) {
  std::string terms = "1";
  // As deep as a statement that is not too large can be.
  for (int i = 0; i < 60'000; ++i) absl::StrAppend(&terms, "+1");
  EXPECT_TRUE(Read("SELECT " + terms).was_read);
}

TEST(ParseTree, LeavesOutWhatIsTooLarge) {
  const Result result = Read("SELECT '" + std::string(2 << 20, 'x') + "'");
  EXPECT_FALSE(result.was_read);
  EXPECT_THAT(result.problem, HasSubstr("bytes"));
}

}  // namespace
}  // namespace migd
