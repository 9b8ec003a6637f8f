#include "service/execute/failure_report.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/utf8.h"

namespace migd {
namespace {

using migration::v1::StatementFailure;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

// The header of these files takes this many lines, the marker included.
constexpr int kHeaderLines = 6;

std::shared_ptr<const MigrationFile> FileWith(const std::string& up) {
  const auto result = MigrationFile::Parse(
      "a_step.sql",
      absl::StrCat("-- step\n--\n-- Revision ID: a\n-- Revises:\n\n-- migrate:up\n", up));
  EXPECT_THAT(result.problems, SizeIs(0));
  return result.file;
}

// What is reported of an error at `position` of the last statement of `up`.
StatementFailure Describe(const std::string& up, int position) {
  const auto file = FileWith(up);
  return DescribeFailure(*file, file->up().statements.back(),
                         {"42703", "no such column", "a detail", "a hint", "a context", position});
}

TEST(DescribeFailure, TakesPostgresOwnWords) {
  const StatementFailure failure = Describe("SELECT x;\n", 8);
  EXPECT_EQ(failure.revision(), "a");
  EXPECT_EQ(failure.file(), "a_step.sql");
  EXPECT_EQ(failure.sqlstate(), "42703");
  EXPECT_EQ(failure.postgres_message(), "no such column");
  EXPECT_EQ(failure.postgres_detail(), "a detail");
  EXPECT_EQ(failure.postgres_hint(), "a hint");
  EXPECT_EQ(failure.postgres_context(), "a context");
}

TEST(DescribeFailure, CountsLinesAndColumnsInTheFile) {
  const StatementFailure failure = Describe("SELECT 1;\n  SELECT a,\n    wrong\n  FROM t;\n", 15);
  EXPECT_EQ(failure.line(), kHeaderLines + 3);
  EXPECT_EQ(failure.column(), 5);
  EXPECT_EQ(failure.source_line(), "    wrong");
  EXPECT_EQ(failure.source_column(), 5);
  EXPECT_EQ(failure.length(), 5);
}

TEST(DescribeFailure, PointsAtTheStatementIfPostgresDoesNotSayWhere) {
  const StatementFailure failure = Describe("SELECT 1;\n  DROP TABLE t;\n", 0);
  EXPECT_EQ(failure.line(), kHeaderLines + 2);
  EXPECT_EQ(failure.column(), 3);
  EXPECT_EQ(failure.length(), 0);
}

// What is reported of a server's `message` without a position about `up`.
StatementFailure DescribeUnplaced(const std::string& up, const std::string& message) {
  const auto file = FileWith(up);
  return DescribeFailure(*file, file->up().statements.back(), {"42703", message, "", "", "", 0});
}

TEST(DescribeFailure, PointsAtTheNameThatPostgresQuotesIfItSaysNoPosition) {
  const StatementFailure failure =
      DescribeUnplaced("CREATE INDEX items_discont_idx\n  ON items (discont);\n",
                       "column \"discont\" does not exist");
  EXPECT_EQ(failure.line(), kHeaderLines + 2);
  EXPECT_EQ(failure.column(), 13);
  EXPECT_EQ(failure.source_line(), "  ON items (discont);");
  EXPECT_EQ(failure.source_column(), 13);
  EXPECT_EQ(failure.length(), 7);
}

TEST(DescribeFailure, PointsAtTheStatementIfTheQuotedNameStandsThereTwice) {
  const StatementFailure failure =
      DescribeUnplaced("SELECT 1;\nCREATE INDEX discont\n  ON items (discont);\n",
                       "column \"discont\" does not exist");
  EXPECT_EQ(failure.line(), kHeaderLines + 2);
  EXPECT_EQ(failure.column(), 1);
  EXPECT_EQ(failure.length(), 0);
}

TEST(DescribeFailure, PointsAtTheStatementIfTheQuotedNameDoesNotStandThere) {
  const StatementFailure failure = DescribeUnplaced("CREATE INDEX i ON items (discont2);\n",
                                                    "column \"discont\" does not exist");
  EXPECT_EQ(failure.column(), 1);
  EXPECT_EQ(failure.length(), 0);
}

// --- Passwords ---

TEST(DescribeFailure, MasksAPasswordOnTheLineAfterItsWord) {
  const StatementFailure failure =
      Describe("CREATE ROLE ann LOGIN PASSWORD\n  'hunter2' NONSENSE;\n", 44);
  EXPECT_EQ(failure.line(), kHeaderLines + 2);
  EXPECT_EQ(failure.source_line(), "  '*******' NONSENSE;");
  EXPECT_EQ(failure.source_line().substr(static_cast<size_t>(failure.source_column()) - 1, 8),
            "NONSENSE");
}

TEST(DescribeFailure, MasksAPasswordWhoseWordIsCutOffALongLine) {
  const std::string password(200, 'p');
  const std::string up = absl::StrCat("CREATE ROLE ann LOGIN PASSWORD '", password, "' NONSENSE ",
                                      std::string(300, 'x'), ";\n");
  const StatementFailure failure = Describe(up, 235);
  EXPECT_THAT(failure.source_line(), Not(HasSubstr("PASSWORD")));
  EXPECT_THAT(failure.source_line(), Not(HasSubstr("pp")));
  EXPECT_EQ(failure.source_line().substr(static_cast<size_t>(failure.source_column()) - 1, 8),
            "NONSENSE");
}

TEST(DescribeFailure, MasksWhatPostgresRepeats) {
  const StatementFailure failure =
      DescribeUnplaced("SELECT 1;\n", "cannot connect to postgresql://ann:hunter2@host/orders");
  EXPECT_THAT(failure.postgres_message(), Not(HasSubstr("hunter2")));
}

TEST(DescribeFailure, CountsCharactersNotBytes) {
  // Ten characters, some of two, three and four bytes, stand before the fault.
  const StatementFailure failure = Describe("SELECT 'é€😀', wrong;\n", 15);
  EXPECT_EQ(failure.column(), 15);
  EXPECT_EQ(failure.source_column(), 15);
  EXPECT_EQ(failure.length(), 5);
}

TEST(DescribeFailure, CountsTheCharactersOfTheTokenAtFault) {
  EXPECT_EQ(Describe("SELECT größe_2$x + 1;\n", 8).length(), 9);
  EXPECT_EQ(Describe("SELECT \"so wrong\" + 1;\n", 8).length(), 10);
  EXPECT_EQ(Describe("SELECT 'text' + 1;\n", 8).length(), 6);
  EXPECT_EQ(Describe("SELECT ) ;\n", 8).length(), 1);
}

TEST(DescribeFailure, LeavesTheCarriageReturnOutOfTheLine) {
  const StatementFailure failure = Describe("SELECT\r\n  wrong\r\n  FROM t;\r\n", 11);
  EXPECT_EQ(failure.line(), kHeaderLines + 2);
  EXPECT_EQ(failure.column(), 3);
  EXPECT_EQ(failure.source_line(), "  wrong");
}

TEST(DescribeFailure, ShowsAPieceOfALongLineAroundTheFault) {
  const std::string before(5000, 'x');
  const std::string up = absl::StrCat("SELECT ", before, ", wrong, ", before, ";\n");
  const StatementFailure failure = Describe(up, 5010);
  EXPECT_EQ(failure.column(), 5010);
  EXPECT_LE(failure.source_line().size(), 260U);
  const auto at = static_cast<size_t>(failure.source_column()) - 1;
  EXPECT_EQ(failure.source_line().substr(at, 5), "wrong");
}

TEST(DescribeFailure, NeverCutsACharacterOfALongLine) {
  std::string wide;
  for (int i = 0; i < 1000; ++i) wide += "€";
  for (int shift = 0; shift < 3; ++shift) {
    const std::string up =
        absl::StrCat("SELECT '", std::string(static_cast<size_t>(shift), 'x'), wide, "', wrong;\n");
    const StatementFailure failure = Describe(up, 1012 + shift);
    EXPECT_FALSE(FindInvalidUtf8(failure.source_line()).has_value()) << shift;
    EXPECT_THAT(failure.source_line(), EndsWith("wrong;"));
  }
}

TEST(DescribeFailure, ShortensWhatPostgresSaysAtACharacter) {
  std::string wide;
  for (int i = 0; i < 2000; ++i) wide += "ж";
  const auto file = FileWith("SELECT 1;\n");
  const StatementFailure failure =
      DescribeFailure(*file, file->up().statements.back(), {"XX000", wide, "x" + wide, "", "", 0});
  EXPECT_LT(failure.postgres_message().size(), 1300U);
  EXPECT_THAT(failure.postgres_message(), EndsWith("ж..."));
  EXPECT_THAT(failure.postgres_detail(), EndsWith("ж..."));
}

TEST(DescribeFailure, BearsAPositionBehindTheEnd) {
  const StatementFailure failure = Describe("SELECT 1", 500);
  EXPECT_EQ(failure.line(), kHeaderLines + 1);
  EXPECT_EQ(failure.column(), 9);
  EXPECT_EQ(failure.length(), 0);
}

}  // namespace
}  // namespace migd
