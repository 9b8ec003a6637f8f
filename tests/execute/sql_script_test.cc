// Scripts for psql, as text. That psql applies them is for tests/e2e/offline_sql_pgtest.cc.
#include "service/execute/sql_script.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/utf8.h"
#include "service/execute/plan_action.h"
#include "tests/support/fake_workspace.h"

namespace migd {
namespace {

using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

TEST(ForPsql, ProtectsWhatPsqlWouldTakeForAVariable) {
  const struct {
    const char* sql;
    const char* sent;
  } cases[] = {
      {"SELECT 1", "SELECT 1"},
      {"SELECT a[1:n] FROM t", "SELECT a[1\\:n] FROM t"},
      {"SELECT a[:n]", "SELECT a[\\:n]"},
      {"SELECT a[1:'2']", "SELECT a[1\\:'2']"},
      {"SELECT a[1:\"N\"]", "SELECT a[1\\:\"N\"]"},
      {"SELECT a[x:E'2']", "SELECT a[x\\:E'2']"},
      {"SELECT a[1:_n], a[1:ä]", "SELECT a[1\\:_n], a[1\\:ä]"},
      // What psql reads as something else.
      {"SELECT a[1:2], a[1: n]", "SELECT a[1:2], a[1: n]"},
      {"SELECT '1'::int, x::text", "SELECT '1'::int, x::text"},
      {"SELECT a[x::int:n]", "SELECT a[x::int\\:n]"},
      {"SELECT f(x := 1)", "SELECT f(x := 1)"},
      {"SELECT ':n', \":n\", $$:n$$ -- :n\n/* :n */",
       "SELECT ':n', \":n\", $$:n$$ -- :n\n/* :n */"},
      {"SELECT :", "SELECT :"},
  };
  for (const auto& [sql, sent] : cases) EXPECT_EQ(ForPsql(sql), sent);
}

class SqlScriptTest : public ::testing::Test {
 protected:
  std::vector<std::string> Pieces(const std::string& target, const VersionRows& rows = {},
                                  size_t most = 1000) {
    const auto scripts = fake_.workspace().scripts->Load();
    EXPECT_TRUE(scripts.ok()) << scripts.status();
    const auto plan = PlanAction(**scripts, rows, migration::v1::ACTION_UPGRADE, {target}, false);
    EXPECT_TRUE(plan.ok()) << plan.status();
    std::vector<std::string> pieces;
    RenderScript(**scripts, *plan, settings_, [&](std::string piece) {
      pieces.push_back(std::move(piece));
      return pieces.size() < most;
    });
    return pieces;
  }

  std::string Script(const std::string& target, const VersionRows& rows = {}) {
    return absl::StrJoin(Pieces(target, rows), "");
  }

  // The lines of a script that are one of `wanted`, in their order.
  static std::vector<std::string> Lines(const std::string& script,
                                        const std::vector<std::string>& wanted) {
    std::vector<std::string> found;
    for (const absl::string_view line : absl::StrSplit(script, '\n')) {
      for (const std::string& prefix : wanted) {
        if (absl::StartsWith(line, prefix)) found.emplace_back(line);
      }
    }
    return found;
  }

  FakeWorkspace fake_;
  ScriptSettings settings_ = {"app", {"", "alembic_version"}, {absl::Seconds(2), absl::Minutes(1)}};
};

TEST_F(SqlScriptTest, AStepIsOneTransaction) {
  fake_.Write({"aa01", "", "\nCREATE TABLE a ();\nCREATE TABLE b ();\n"});
  fake_.Write({"aa02", "aa01", "\nDROP TABLE a;\n"});
  EXPECT_THAT(Lines(Script("head"), {"-- Running", "BEGIN;", "CREATE TABLE a", "CREATE TABLE b",
                                     "DROP", "RESET", "INSERT INTO migration_service", "COMMIT;"}),
              ElementsAre("-- Running upgrade base -> aa01, step aa01", "BEGIN;",
                          "CREATE TABLE a ();", "CREATE TABLE b ();", HasSubstr("RESET ALL"),
                          HasSubstr("'aa01', 'upgrade'"), "COMMIT;",
                          "-- Running upgrade aa01 -> aa02, step aa02", "BEGIN;", "DROP TABLE a;",
                          HasSubstr("RESET ALL"), HasSubstr("'aa02', 'upgrade'"), "COMMIT;"));
}

TEST_F(SqlScriptTest, OutsideATransactionOnlyTheVersionHasOne) {
  fake_.Write({"aa01", "", " transaction:false\nVACUUM;\nCREATE INDEX CONCURRENTLY i ON t (x);\n"});
  EXPECT_THAT(Lines(Script("head"),
                    {"BEGIN;", "VACUUM", "CREATE INDEX", "SET lock_timeout = 0;", "COMMIT;"}),
              ElementsAre("VACUUM;", "SET lock_timeout = 0;",
                          "CREATE INDEX CONCURRENTLY i ON t (x);", "BEGIN;", "COMMIT;"));
}

TEST_F(SqlScriptTest, SaysWhereItBeginsAndEnds) {
  fake_.Write({"aa01", ""});
  fake_.Write({"aa02", "aa01"});
  const std::string script = Script("head", {"aa01"});
  EXPECT_THAT(script, HasSubstr("-- app: from aa01 to aa02, 1 step.\n"));
  EXPECT_THAT(script, HasSubstr("ARRAY['aa01']::text[]"));
  EXPECT_TRUE(absl::EndsWith(script, "-- The database is at aa02.\n"));
}

TEST_F(SqlScriptTest, HasNoStatementIfThereIsNothingToDo) {
  fake_.Write({"aa01", ""});
  EXPECT_EQ(Script("head", {"aa01"}),
            "-- app: from aa01 to aa01, 0 steps.\n-- There is nothing to do.\n");
}

TEST_F(SqlScriptTest, CopyDataFollowsItsStatement) {
  fake_.Write({"aa01", "", "\nCOPY t FROM stdin;\n1\t:x\n\\.\nSELECT 1;\n"});
  EXPECT_THAT(Script("head"), HasSubstr("COPY t FROM stdin;\n1\t:x\n\\.\n\nSELECT 1;\n"));
}

TEST_F(SqlScriptTest, NamesStayNamesWhateverIsInThem) {
  settings_.database = "it's\nDROP TABLE x;";
  settings_.version_table = {"My \"Schema\"", "ver'sion"};
  fake_.WriteFile("$migd$'_x.sql",
                  "-- x\n-- Revision ID: $migd$'\n\n-- migrate:up\nSELECT 1;\n-- migrate:down\n");
  const std::string script = Script("head");
  EXPECT_THAT(script, Not(HasSubstr("\nDROP")));
  EXPECT_THAT(script, HasSubstr("\"My \"\"Schema\"\"\".\"ver'sion\""));
  // The block that inserts the id is quoted otherwise than the id can end.
  EXPECT_THAT(script, HasSubstr("DO $migd1$\n"));
  EXPECT_THAT(script, HasSubstr("VALUES ('$migd$''')"));
}

TEST_F(SqlScriptTest, ComesInPiecesUntilNoMoreIsWanted) {
  std::string up = "\n";
  for (int i = 0; i < 40000; ++i) absl::StrAppend(&up, "INSERT INTO tä VALUES (", i, ");\n");
  fake_.Write({"aa01", "", up});
  const std::vector<std::string> pieces = Pieces("head");
  EXPECT_THAT(pieces, SizeIs(Gt(2)));
  for (const std::string& piece : pieces) {
    EXPECT_FALSE(FindInvalidUtf8(piece).has_value());
    EXPECT_LE(piece.size(), 256U * 1024);
  }
  EXPECT_THAT(Pieces("head", {}, 1), SizeIs(1));
}

TEST_F(SqlScriptTest, AStatementThatIsLongerThanAPieceComesInSeveral) {
  std::string text = "x";  // the characters of two bytes begin at odd places
  for (int i = 0; i < 500000; ++i) text += "ä";
  fake_.Write({"aa01", "", absl::StrCat("\nSELECT '", text, "';\n")});
  const std::vector<std::string> pieces = Pieces("head");
  for (const std::string& piece : pieces) {
    EXPECT_FALSE(FindInvalidUtf8(piece).has_value());
    EXPECT_LE(piece.size(), 256U * 1024);
  }
  EXPECT_THAT(absl::StrJoin(pieces, ""), HasSubstr(absl::StrCat("SELECT '", text, "';\n")));
  EXPECT_THAT(Pieces("head", {}, 2), SizeIs(2));
}

}  // namespace
}  // namespace migd
