#include "client/error_report.h"

#include <gtest/gtest.h>

#include <string>

namespace migctl {
namespace {

using migration::v1::Error;
using migration::v1::StatementFailure;

std::string Report(const Error& error, int width = 0) {
  return "\n" + ErrorReport(error, Style(false), width);
}

Error StatementFailed(const std::string& source_line, int column, int length) {
  Error error;
  error.set_code("FAILED_PRECONDITION");
  error.set_reason("STATEMENT_FAILED");
  error.set_message("revision 7c20 failed at statement 2 of 2");
  error.set_hint("correct line 7, then: migctl upgrade head");
  StatementFailure& failure = *error.mutable_statement_failure();
  failure.set_file("7c20_add_discount.sql");
  failure.set_line(7);
  failure.set_source_line(source_line);
  failure.set_source_column(column);
  failure.set_length(length);
  failure.set_sqlstate("42703");
  failure.set_postgres_message("column \"discont\" does not exist");
  failure.set_state("statement 1 stays applied; 7c20 is marked partial");
  return error;
}

TEST(ErrorReport, PointsAtTheFaultInTheStatement) {
  EXPECT_EQ(Report(StatementFailed(
                "CREATE INDEX CONCURRENTLY items_discount ON order_items (discont)", 58, 7)),
            R"(
error: revision 7c20 failed at statement 2 of 2 [STATEMENT_FAILED]
  --> 7c20_add_discount.sql:7
   |
 7 | CREATE INDEX CONCURRENTLY items_discount ON order_items (discont)
   |                                                          ^^^^^^^
postgres 42703: column "discont" does not exist
state: statement 1 stays applied; 7c20 is marked partial
hint:  correct line 7, then: migctl upgrade head
)");
}

TEST(ErrorReport, IsAHeadlineAndAHintForOtherErrors) {
  Error error;
  error.set_code("FAILED_PRECONDITION");
  error.set_reason("MULTIPLE_HEADS");
  error.set_message("two heads: 7c20, 4b11; merge them or name one");
  error.set_hint("name one");
  EXPECT_EQ(Report(error), R"(
error: two heads: 7c20, 4b11; merge them or name one [MULTIPLE_HEADS]
hint:  name one
)");
}

TEST(ErrorReport, TellsHowMuchWouldBeLostAndWhatConfirmsIt) {
  Error error;
  error.set_code("FAILED_PRECONDITION");
  error.set_reason("CONFIRMATION_REQUIRED");
  error.set_message("this would destroy data of database core: table public.orders");
  error.set_hint("look at the plan");
  (*error.mutable_metadata())["confirmation"] = "3dd51b65a6fcf7def4a04ecb";
  migration::v1::Loss& loss = *error.mutable_losses()->add_losses();
  loss.set_object_kind("table");
  loss.set_object_name("public.orders");
  loss.set_estimated_rows(100000);
  loss.set_size_bytes(19000000);
  loss.set_revision("7c20");
  loss.set_statement_index(2);
  error.mutable_losses()->set_omitted_count(3);
  migration::v1::UnknownStatement& unknown = *error.mutable_losses()->add_unknown_statements();
  unknown.set_summary("DO ?");
  unknown.set_revision("7c20");
  unknown.set_line(9);
  EXPECT_EQ(Report(error), R"(
error: this would destroy data of database core: table public.orders [CONFIRMATION_REQUIRED]
  table public.orders, ~100,000 rows, 19 MB (7c20, statement 2)
  and 3 more
what these do shows only when they run:
  DO ? (7c20, line 9)
to confirm exactly this: --confirmation 3dd51b65a6fcf7def4a04ecb
hint:  look at the plan
)");
}

TEST(ErrorReport, IndentsFurtherLinesOfAMessage) {
  Error error;
  error.set_message("the migrations cannot be read\na.sql:1: no header\nb.sql:3: duplicate id");
  EXPECT_EQ(Report(error), R"(
error: the migrations cannot be read
  a.sql:1: no header
  b.sql:3: duplicate id
)");
}

TEST(ErrorReport, PutsCaretsBeneathWideCharacters) {
  const std::string report = Report(StatementFailed("SELECT '表', x", 13, 1));
  EXPECT_NE(report.find(" 7 | SELECT '表', x\n"
                        "   |              ^\n"),
            std::string::npos)
      << report;
}

TEST(ErrorReport, ExpandsTabsInTheLineAndBeneathItAlike) {
  const std::string report = Report(StatementFailed("\tSELECT x", 9, 1));
  EXPECT_NE(report.find(" 7 |     SELECT x\n"
                        "   |            ^\n"),
            std::string::npos)
      << report;
}

TEST(ErrorReport, ShowsOneCaretWhereTheLengthIsNotKnown) {
  const std::string report = Report(StatementFailed("SELECT x", 8, 0));
  EXPECT_NE(report.find("   |        ^\n"), std::string::npos) << report;
}

TEST(ErrorReport, ShowsNoCaretWhereTheColumnIsNotKnown) {
  EXPECT_EQ(Report(StatementFailed("SELECT x", 0, 0)).find('^'), std::string::npos);
}

TEST(ErrorReport, MovesALongLineSoThatTheFaultIsSeen) {
  const std::string line =
      "SELECT " + std::string(200, 'a') + " FROM nowhere WHERE " + std::string(200, 'b');
  const std::string report = Report(StatementFailed(line, 214, 7), 60);
  const size_t carets = report.find("^^^^^^^");
  ASSERT_NE(carets, std::string::npos) << report;
  const size_t caret_line = report.rfind('\n', carets) + 1;
  const size_t fault = report.find("nowhere");
  const size_t source_line = report.rfind('\n', fault) + 1;
  // The ellipsis at the beginning is one column in three bytes.
  EXPECT_EQ(carets - caret_line, fault - source_line - 2) << report;
}

TEST(ErrorReport, KeepsTheTextOfAMigrationFromDrivingTheTerminal) {
  Error error = StatementFailed("SELECT '\x1b[2J' x", 1, 1);
  error.mutable_statement_failure()->set_postgres_message("bad\x1b]0;title\x07");
  error.mutable_statement_failure()->set_file("a\nb.sql");
  error.set_hint("h\x1b");
  error.set_message("m\x1b");
  const std::string report = Report(error);
  EXPECT_EQ(report.find('\x1b'), std::string::npos);
  EXPECT_EQ(report.find('\x07'), std::string::npos);
  EXPECT_NE(report.find("--> a\\nb.sql:7"), std::string::npos);
}

TEST(ErrorReport, TellsAllThatPostgresSaid) {
  Error error = StatementFailed("", 0, 0);
  StatementFailure& failure = *error.mutable_statement_failure();
  failure.set_postgres_detail("Key (id)=(1) is duplicated.");
  failure.set_postgres_hint("Drop it.");
  failure.set_postgres_context("PL/pgSQL function f()\nline 3");
  EXPECT_EQ(Report(error), R"(
error: revision 7c20 failed at statement 2 of 2 [STATEMENT_FAILED]
  --> 7c20_add_discount.sql:7
postgres 42703: column "discont" does not exist
detail: Key (id)=(1) is duplicated.
postgres hint: Drop it.
context: PL/pgSQL function f()
         line 3
state: statement 1 stays applied; 7c20 is marked partial
hint:  correct line 7, then: migctl upgrade head
)");
}

}  // namespace
}  // namespace migctl
