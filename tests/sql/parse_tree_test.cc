// PostgreSQL's grammar, and what it must survive.

#include "service/sql/parse_tree.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

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
