#include "service/script/sql_splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace migd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> Texts(const SplitResult& result) {
  std::vector<std::string> texts;
  for (const Statement& statement : result.statements) texts.emplace_back(statement.text);
  return texts;
}

// The statements of a text that has no error.
std::vector<std::string> Split(absl::string_view sql) {
  const SplitResult result = SplitSql(sql, 0, 1);
  EXPECT_FALSE(result.error.has_value()) << result.error->problem;
  return Texts(result);
}

// The error of a text that has one, as "line: problem".
std::string ErrorOf(absl::string_view sql) {
  const SplitResult result = SplitSql(sql, 0, 1);
  if (!result.error.has_value()) return "no error";
  return std::to_string(result.error->line) + ": " + result.error->problem;
}

TEST(SplitSql, SplitsAtSemicolons) {
  EXPECT_THAT(Split("SELECT 1; SELECT 2;"), ElementsAre("SELECT 1", "SELECT 2"));
}

TEST(SplitSql, TakesALastStatementWithoutSemicolon) {
  EXPECT_THAT(Split("SELECT 1; SELECT 2\n"), ElementsAre("SELECT 1", "SELECT 2"));
}

TEST(SplitSql, LeavesOutEmptyStatements) {
  EXPECT_THAT(Split(" ;; -- a\n ; /* b */ ;"), IsEmpty());
}

TEST(SplitSql, FindsNothingInAnEmptyText) { EXPECT_THAT(Split(""), IsEmpty()); }

TEST(SplitSql, BeginsAtTheFirstTokenAndEndsAtTheLast) {
  EXPECT_THAT(Split("-- before\nSELECT /* inside */ 1 -- after\n; -- behind"),
              ElementsAre("SELECT /* inside */ 1"));
}

TEST(SplitSql, KnowsWhereStatementsStand) {
  const SplitResult result = SplitSql("SELECT 1;\n\n  SELECT 2;", 100, 7);
  ASSERT_THAT(result.statements, SizeIs(2));
  EXPECT_EQ(result.statements[1].offset, 113u);
  EXPECT_EQ(result.statements[1].line, 9);
  EXPECT_EQ(result.statements[1].column, 3);
}

TEST(SplitSql, CountsColumnsInCharacters) {
  const SplitResult result = SplitSql("SELECT 'žluťoučký 🐘'; SELECT 2", 0, 1);
  ASSERT_THAT(result.statements, SizeIs(2));
  EXPECT_EQ(result.statements[1].column, 23);
}

TEST(SplitSql, CountsOneLineForCrLf) {
  const SplitResult result = SplitSql("SELECT 1;\r\nSELECT 2;\r\n", 0, 1);
  ASSERT_THAT(result.statements, SizeIs(2));
  EXPECT_EQ(result.statements[1].line, 2);
  EXPECT_EQ(result.statements[1].column, 1);
}

// --- Quotes ---

TEST(SplitSql, KeepsSemicolonsInStrings) {
  EXPECT_THAT(Split("SELECT 'a;b', 'it''s; so'; SELECT 2"),
              ElementsAre("SELECT 'a;b', 'it''s; so'", "SELECT 2"));
}

TEST(SplitSql, TakesBackslashesInPlainStringsAsTheyAre) {
  EXPECT_THAT(Split(R"(SELECT 'a\'; SELECT 'b;')"), ElementsAre(R"(SELECT 'a\')", "SELECT 'b;'"));
}

TEST(SplitSql, EscapesByBackslashInEStrings) {
  EXPECT_THAT(Split(R"(SELECT E'a\';b', e'\\'; SELECT 2)"),
              ElementsAre(R"(SELECT E'a\';b', e'\\')", "SELECT 2"));
}

TEST(SplitSql, EscapesByBackslashInContinuationsOfEStrings) {
  EXPECT_THAT(Split("SELECT E'a' -- and\n  'b\\';c'; SELECT 2"),
              ElementsAre("SELECT E'a' -- and\n  'b\\';c'", "SELECT 2"));
}

TEST(SplitSql, ContinuesEStringsOnlyOverANewline) {
  EXPECT_THAT(Split("SELECT E'a' 'b\\'; SELECT 2"), ElementsAre("SELECT E'a' 'b\\'", "SELECT 2"));
}

TEST(SplitSql, TakesAWordThatEndsInEForNoEString) {
  EXPECT_THAT(Split(R"(SELECT date'\'; SELECT 2)"), ElementsAre(R"(SELECT date'\')", "SELECT 2"));
}

TEST(SplitSql, KeepsSemicolonsInBitAndUnicodeStrings) {
  EXPECT_THAT(Split("SELECT B'1;', x';', U&'\\0041;'; SELECT 2"),
              ElementsAre("SELECT B'1;', x';', U&'\\0041;'", "SELECT 2"));
}

TEST(SplitSql, KeepsSemicolonsInQuotedNames) {
  EXPECT_THAT(Split(R"(SELECT 1 AS "a;""b';", 2 AS U&"c;"; SELECT 2)"),
              ElementsAre(R"(SELECT 1 AS "a;""b';", 2 AS U&"c;")", "SELECT 2"));
}

TEST(SplitSql, KeepsSemicolonsInDollarQuotes) {
  EXPECT_THAT(Split("DO $$ BEGIN; END $$; SELECT $a$ $b$; $$ $a$"),
              ElementsAre("DO $$ BEGIN; END $$", "SELECT $a$ $b$; $$ $a$"));
}

TEST(SplitSql, EndsADollarQuoteAtItsOwnTagOnly) {
  EXPECT_THAT(Split("SELECT $a$;$A$;$ab$;$b$;$a$; SELECT 2"),
              ElementsAre("SELECT $a$;$A$;$ab$;$b$;$a$", "SELECT 2"));
}

TEST(SplitSql, EndsADollarQuoteWithTheDollarOfAnotherTag) {
  EXPECT_THAT(Split("SELECT $a$ $b$a$; SELECT 2"), ElementsAre("SELECT $a$ $b$a$", "SELECT 2"));
}

TEST(SplitSql, TakesTagsBeyondAscii) {
  EXPECT_THAT(Split("SELECT $tělo$;$tělo$; SELECT 2"),
              ElementsAre("SELECT $tělo$;$tělo$", "SELECT 2"));
}

TEST(SplitSql, TakesDollarsInNamesForNoQuotes) {
  EXPECT_THAT(Split("SELECT a$b$; SELECT c$b$"), ElementsAre("SELECT a$b$", "SELECT c$b$"));
}

TEST(SplitSql, TakesParametersForNoQuotes) {
  EXPECT_THAT(Split("SELECT $1; SELECT $2"), ElementsAre("SELECT $1", "SELECT $2"));
}

// --- Comments ---

TEST(SplitSql, KeepsSemicolonsInComments) {
  EXPECT_THAT(Split("SELECT 1 -- ; '\n + 2 /* ; \" */; SELECT 3"),
              ElementsAre("SELECT 1 -- ; '\n + 2", "SELECT 3"));
}

TEST(SplitSql, NestsComments) {
  EXPECT_THAT(Split("SELECT 1 /* a /* b; */ c; /*/ d */ */; SELECT 2"),
              ElementsAre("SELECT 1", "SELECT 2"));
}

TEST(SplitSql, EndsOperatorsWhereCommentsBegin) {
  EXPECT_THAT(Split("SELECT 1 +/*;*/ 2; SELECT 3 @-- ;\n 4"),
              ElementsAre("SELECT 1 +/*;*/ 2", "SELECT 3 @-- ;\n 4"));
}

TEST(SplitSql, EndsLineCommentsAtALoneCarriageReturn) {
  EXPECT_THAT(Split("-- a\rSELECT 1"), ElementsAre("SELECT 1"));
}

TEST(SplitSql, PassesOverRestrictLines) {
  EXPECT_THAT(Split("\\restrict 0aB\r\nSELECT 1;\n\\unrestrict 0aB\n"), ElementsAre("SELECT 1"));
}

// --- Bodies ---

TEST(SplitSql, KeepsSemicolonsInParentheses) {
  const std::string rule = "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b)";
  EXPECT_THAT(Split(rule + "; SELECT 1"), ElementsAre(rule, "SELECT 1"));
}

TEST(SplitSql, KeepsABeginAtomicBodyWhole) {
  const std::string function =
      "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql\n"
      "BEGIN ATOMIC\n  INSERT INTO t VALUES (a);\n  SELECT CASE WHEN a > 0 THEN 1 ELSE 2 END;\nEND";
  EXPECT_THAT(Split(function + "; SELECT 1"), ElementsAre(function, "SELECT 1"));
}

TEST(SplitSql, KeepsABeginAtomicBodyOfAProcedureWhole) {
  const std::string procedure = "create procedure p() begin atomic delete from t; end";
  EXPECT_THAT(Split(procedure + "; SELECT 1"), ElementsAre(procedure, "SELECT 1"));
}

TEST(SplitSql, TakesEndForTheEndOfABodyOnlyBehindASemicolon) {
  const std::string function =
      "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 AS end; SELECT 1 end; END";
  EXPECT_THAT(Split(function + "; SELECT 1"), ElementsAre(function, "SELECT 1"));
}

TEST(SplitSql, KeepsAnEmptyBeginAtomicBodyWhole) {
  EXPECT_THAT(Split("CREATE FUNCTION f() BEGIN ATOMIC END; SELECT 1"),
              ElementsAre("CREATE FUNCTION f() BEGIN ATOMIC END", "SELECT 1"));
}

TEST(SplitSql, TakesBeginWithoutAtomicForAName) {
  const std::string function = "CREATE FUNCTION begin() RETURNS int RETURN 1";
  EXPECT_THAT(Split(function + "; SELECT 1"), ElementsAre(function, "SELECT 1"));
}

TEST(SplitSql, SplitsBetweenBeginAndEndOfATransaction) {
  EXPECT_THAT(Split("BEGIN; SELECT 1; END;"), ElementsAre("BEGIN", "SELECT 1", "END"));
}

TEST(SplitSql, NestsAMillionParentheses) {
  const std::string open(1000000, '(');
  const std::string close(1000000, ')');
  EXPECT_THAT(Split("SELECT " + open + "1" + close + ";SELECT 2"), SizeIs(2));
}

TEST(SplitSql, NestsAMillionComments) {
  std::string comment;
  for (int i = 0; i < 1000000; ++i) comment += "/*";
  for (int i = 0; i < 1000000; ++i) comment += "*/";
  EXPECT_THAT(Split(comment + "SELECT 1"), ElementsAre("SELECT 1"));
}

// --- COPY ---

TEST(SplitSql, ReadsCopyData) {
  const SplitResult result =
      SplitSql("COPY t (a, b) FROM stdin;\n1\tit's; $$\n2\t\\N\n\\.\n\nSELECT 1;", 0, 1);
  EXPECT_THAT(Texts(result), ElementsAre("COPY t (a, b) FROM stdin", "SELECT 1"));
  EXPECT_EQ(result.statements[0].copy_data, "1\tit's; $$\n2\t\\N\n");
  EXPECT_EQ(result.statements[1].line, 6);
}

TEST(SplitSql, ReadsCopyDataWithCrLf) {
  const SplitResult result =
      SplitSql("copy t from STDIN with (format csv);\r\n1,2\r\n\\.\r\nSELECT 1;\r\n", 0, 1);
  EXPECT_THAT(Texts(result), ElementsAre("copy t from STDIN with (format csv)", "SELECT 1"));
  EXPECT_EQ(result.statements[0].copy_data, "1,2\r\n");
}

TEST(SplitSql, ReadsCopyDataUpToTheEndOfTheText) {
  const SplitResult result = SplitSql("COPY t FROM stdin; -- none\n\\.", 0, 1);
  ASSERT_THAT(result.statements, SizeIs(1));
  EXPECT_EQ(result.statements[0].copy_data, "");
}

TEST(SplitSql, ReadsNoDataForOtherCopies) {
  EXPECT_THAT(Split("COPY t FROM '/f'; COPY t TO stdout; COPY (SELECT a FROM stdin) TO stdout;"),
              SizeIs(3));
}

TEST(SplitSql, RefusesCopyDataWithoutEnd) {
  EXPECT_EQ(ErrorOf("SELECT 1;\nCOPY t FROM stdin;\n1\n"),
            "2: the data of this COPY ... FROM stdin never ends; end it with a line \\.");
}

TEST(SplitSql, RefusesCopyWithoutSemicolon) {
  EXPECT_THAT(ErrorOf("COPY t FROM stdin\n"), HasSubstr("1: COPY ... FROM stdin has no data"));
}

TEST(SplitSql, RefusesSqlBehindCopyOnItsLine) {
  EXPECT_THAT(ErrorOf("COPY t FROM stdin; SELECT 1;\n1\n\\.\n"),
              HasSubstr("1: nothing may follow"));
}

TEST(SplitSql, RefusesARestrictLineBehindCopyOnItsLine) {
  EXPECT_THAT(ErrorOf("COPY t FROM stdin; \\restrict a\n1\n\\.\n"),
              HasSubstr("1: nothing may follow"));
}

// --- Errors ---

TEST(SplitSql, NamesTheLineOfAnUnterminatedString) {
  EXPECT_EQ(ErrorOf("SELECT 1;\nSELECT 'a\n;\n"), "2: this string is never closed; end it with '");
}

TEST(SplitSql, NamesTheLineOfAnUnterminatedEString) {
  EXPECT_EQ(ErrorOf("\n\nSELECT E'a\\"), "3: this string is never closed; end it with '");
}

TEST(SplitSql, NamesTheLineOfAnUnterminatedName) {
  EXPECT_EQ(ErrorOf("SELECT 1 AS \"a"), "1: this quoted name is never closed; end it with \"");
}

TEST(SplitSql, NamesTheTagOfAnUnterminatedDollarQuote) {
  EXPECT_EQ(ErrorOf("DO\n$body$ BEGIN END $BODY$;"),
            "2: the dollar quote $body$ is never closed; end it with $body$");
}

TEST(SplitSql, NamesTheLineOfAnUnterminatedComment) {
  EXPECT_EQ(ErrorOf("SELECT 1;\n/* /* */"), "2: this comment is never closed; end it with */");
}

TEST(SplitSql, NamesTheLineOfTheOutermostOpenParenthesis) {
  EXPECT_EQ(ErrorOf("CREATE TABLE t\n(a int,\nCHECK ((a > 0));\nSELECT 1;"),
            "2: this parenthesis is never closed; close it with )");
}

TEST(SplitSql, NamesTheLineOfABodyWithoutEnd) {
  EXPECT_EQ(ErrorOf("CREATE FUNCTION f()\nBEGIN ATOMIC SELECT 1;"),
            "2: this BEGIN ATOMIC has no END; end its last statement with ; and the body with END");
}

TEST(SplitSql, NamesTheLineOfAParenthesisOpenInABody) {
  EXPECT_EQ(ErrorOf("CREATE FUNCTION f()\nBEGIN ATOMIC\nSELECT (1; END;"),
            "3: this parenthesis is never closed; close it with )");
}

TEST(SplitSql, RefusesABackslashThatIsNoCommand) {
  EXPECT_EQ(ErrorOf("SELECT \\ 1;"), "1: a backslash outside quotes is not SQL; remove it");
}

TEST(SplitSql, RefusesPsqlCommands) {
  EXPECT_EQ(ErrorOf("SELECT 1;\n\\d\n"), "2: psql command \\d is not SQL; remove it");
}

TEST(SplitSql, RefusesRestrictWithinALine) {
  EXPECT_EQ(ErrorOf("SELECT 1 \\restrict a"), "1: psql command \\restrict is not SQL; remove it");
}

TEST(SplitSql, RefusesAnEndOfDataWithoutCopy) {
  EXPECT_THAT(ErrorOf("INSERT INTO t VALUES (1);\n\\.\n"),
              HasSubstr("2: \\. ends the data of COPY ... FROM stdin, but none precedes it"));
}

TEST(SplitSql, RefusesInvalidUtf8) {
  EXPECT_EQ(ErrorOf("SELECT 1;\nSELECT '\xC0\xAF'"), "2: not valid UTF-8; save the file as UTF-8");
}

TEST(SplitSql, RefusesNulBytes) {
  EXPECT_EQ(ErrorOf(absl::string_view("SELECT 1;\n\n\0", 12)),
            "3: a NUL byte, which PostgreSQL cannot hold; remove it");
}

TEST(SplitSql, ReturnsTheStatementsBeforeAnError) {
  EXPECT_THAT(Texts(SplitSql("SELECT 1; SELECT 2; SELECT 'a", 0, 1)),
              ElementsAre("SELECT 1", "SELECT 2"));
}

}  // namespace
}  // namespace migd
