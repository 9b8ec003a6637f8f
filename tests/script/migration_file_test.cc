#include "service/script/migration_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/civil_time.h"

namespace migd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

// A file of revision 1a2b that has nothing wrong with it.
std::shared_ptr<const MigrationFile> ParseGood(std::string contents,
                                               std::string path = "1a2b_x.sql") {
  MigrationFile::ParseResult result = MigrationFile::Parse(std::move(path), std::move(contents));
  EXPECT_THAT(result.problems, IsEmpty());
  if (result.file == nullptr) std::abort();
  return result.file;
}

std::vector<std::string> Problems(std::string contents, std::string path = "1a2b_x.sql") {
  MigrationFile::ParseResult result = MigrationFile::Parse(std::move(path), std::move(contents));
  EXPECT_EQ(result.file == nullptr, !result.problems.empty());
  return result.problems;
}

// A file of revision 1a2b, given what follows its header of three lines.
std::string WithHeader(absl::string_view rest) {
  return absl::StrCat("-- a message\n-- Revision ID: 1a2b\n\n", rest);
}

std::vector<std::string> Texts(const Section& section) {
  std::vector<std::string> texts;
  for (const Statement& statement : section.statements) texts.emplace_back(statement.text);
  return texts;
}

// --- The header ---

TEST(MigrationFile, ReadsTheWholeHeader) {
  const auto file = ParseGood(
      "-- initial schema\n"
      "--\n"
      "-- Revision ID: 1a2b\n"
      "-- Revises: 00aa, 00bb\n"
      "-- Branch Labels: core\n"
      "-- Depends On: 00cc,billing\n"
      "-- Create Date: 2025-01-16 00:00:00\n"
      "\n"
      "-- migrate:up\n");
  const Revision& revision = file->revision();
  EXPECT_EQ(revision.message, "initial schema");
  EXPECT_EQ(revision.id, "1a2b");
  EXPECT_THAT(revision.down_revisions, ElementsAre("00aa", "00bb"));
  EXPECT_THAT(revision.branch_labels, ElementsAre("core"));
  EXPECT_THAT(revision.depends_on, ElementsAre("00cc", "billing"));
  EXPECT_EQ(revision.create_time,
            absl::FromCivil(absl::CivilSecond(2025, 1, 16), absl::UTCTimeZone()));
  EXPECT_EQ(revision.path, "1a2b_x.sql");
}

TEST(MigrationFile, TakesKeysWithoutValuesForMissing) {
  const auto file = ParseGood(
      "-- m\n-- Revision ID: 1a2b\n-- Revises:\n-- Branch Labels: \n-- Depends On:\n"
      "-- Create Date:\n-- migrate:up\n");
  EXPECT_THAT(file->revision().down_revisions, IsEmpty());
  EXPECT_THAT(file->revision().branch_labels, IsEmpty());
  EXPECT_THAT(file->revision().depends_on, IsEmpty());
  EXPECT_EQ(file->revision().create_time, absl::nullopt);
}

TEST(MigrationFile, ReadsKeysInAnyCaseAndWithoutSpaces) {
  EXPECT_EQ(ParseGood("--m\n--revision id:1a2b\n--REVISES : 00aa\n--migrate:up\n")
                ->revision()
                .down_revisions,
            std::vector<std::string>{"00aa"});
}

TEST(MigrationFile, TakesOtherKeysForText) {
  const auto file = ParseGood("-- m\n-- Author: me\n-- Revision ID: 1a2b\n-- migrate:up\n");
  EXPECT_EQ(file->revision().message, "m");
}

TEST(MigrationFile, TakesAFirstLineWithAColonForTheMessage) {
  EXPECT_EQ(
      ParseGood("-- core: add users\n-- Revision ID: 1a2b\n-- migrate:up\n")->revision().message,
      "core: add users");
}

TEST(MigrationFile, HasNoMessageIfTheHeaderBeginsWithAKey) {
  EXPECT_EQ(ParseGood("-- Revision ID: 1a2b\n-- text\n-- migrate:up\n")->revision().message, "");
}

TEST(MigrationFile, ReadsAHeaderBehindABlockComment) {
  EXPECT_EQ(ParseGood("/* license; */\n" + WithHeader("-- migrate:up\n"))->revision().id, "1a2b");
}

TEST(MigrationFile, ReadsAHeaderAroundRestrict) {
  const auto file = ParseGood("\\restrict k\n" + WithHeader("-- migrate:up\nSELECT 1;\n"));
  EXPECT_EQ(file->revision().id, "1a2b");
}

TEST(MigrationFile, AcceptsAByteOrderMark) {
  EXPECT_EQ(ParseGood("\xEF\xBB\xBF" + WithHeader("-- migrate:up\n"))->revision().message,
            "a message");
}

TEST(MigrationFile, ReadsDatesWithFractionsAndZones) {
  for (const char* date : {"2025-01-16 02:03:04.5", "2025-01-16 03:03:04.500000+01:00",
                           "2025-01-16T02:03:04.5Z", "2025-01-15T21:03:04.5-05:00"}) {
    const auto file =
        ParseGood(absl::StrCat("-- Revision ID: 1a2b\n-- Create Date: ", date, "\n-- migrate:up"));
    EXPECT_EQ(file->revision().create_time,
              absl::FromCivil(absl::CivilSecond(2025, 1, 16, 2, 3, 4), absl::UTCTimeZone()) +
                  absl::Milliseconds(500))
        << date;
  }
}

TEST(MigrationFile, RefusesMalformedDates) {
  for (const char* date : {"yesterday", "2025-01-16", "2025-13-01 00:00:00", "infinite-future",
                           "10000-01-01 00:00:00", "2025-01-16 00:00:00 or so"}) {
    EXPECT_THAT(
        Problems(absl::StrCat("-- Revision ID: 1a2b\n-- Create Date: ", date, "\n-- migrate:up")),
        ElementsAre(absl::StrCat("1a2b_x.sql:2: \"", date,
                                 "\" is not a date; write it like 2025-01-16 00:00:00")));
  }
}

TEST(MigrationFile, RefusesAKeyGivenTwice) {
  EXPECT_THAT(
      Problems("-- Revision ID: 1a2b\n-- Revises: a\n-- revises: b\n-- migrate:up"),
      ElementsAre("1a2b_x.sql:3: a second \"Revises:\" (the first is at line 2); keep one"));
}

TEST(MigrationFile, RefusesAMissingRevisionId) {
  EXPECT_THAT(Problems("-- m\n-- migrate:up"),
              ElementsAre(StartsWith("1a2b_x.sql:1: no revision id; write a line")));
}

TEST(MigrationFile, RefusesAnEmptyRevisionId) {
  EXPECT_THAT(Problems("-- m\n-- Revision ID:\n-- migrate:up"),
              ElementsAre(StartsWith("1a2b_x.sql:2: no revision id; write a line")));
}

TEST(MigrationFile, RefusesTwoIdsInOne) {
  EXPECT_THAT(Problems("-- Revision ID: 1a2b, 3c\n-- migrate:up"),
              Contains(HasSubstr("\"1a2b, 3c\" is not one revision id")));
}

TEST(MigrationFile, RefusesEmptyEntriesOfLists) {
  EXPECT_THAT(Problems("-- Revision ID: 1a2b\n-- Revises: a,,b\n-- migrate:up"),
              ElementsAre("1a2b_x.sql:2: \"Revises:\" has an empty entry; remove a comma"));
}

TEST(MigrationFile, RefusesEntriesSeparatedBySpaces) {
  EXPECT_THAT(Problems("-- Revision ID: 1a2b\n-- Revises: a b\n-- migrate:up"),
              ElementsAre(HasSubstr(":2: \"a b\" has a space in it")));
}

TEST(MigrationFile, RefusesANameOfAnotherRevision) {
  EXPECT_THAT(Problems("-- Revision ID: 1a2b\n-- migrate:up", "3c4d_copy.sql"),
              ElementsAre("3c4d_copy.sql:1: the revision id is 1a2b, but the file is called "
                          "3c4d_copy.sql; rename it to 1a2b_<slug>.sql or correct the id"));
}

TEST(MigrationFile, RefusesANameOfWhichTheIdIsNotAllBeforeTheSlug) {
  EXPECT_THAT(Problems("-- Revision ID: 1a\n-- migrate:up", "1a2b_x.sql"), SizeIs(1));
}

TEST(MigrationFile, AcceptsANameWithoutSlug) {
  EXPECT_EQ(ParseGood("-- Revision ID: 1a2b\n-- migrate:up", "1a2b.sql")->revision().id, "1a2b");
}

// --- Sections ---

TEST(MigrationFile, ReadsBothSections) {
  const auto file =
      ParseGood(WithHeader("-- migrate:up\nCREATE TABLE a ();\nCREATE TABLE b ();\n\n"
                           "-- migrate:down\nDROP TABLE b, a;\n"));
  EXPECT_THAT(Texts(file->up()), ElementsAre("CREATE TABLE a ()", "CREATE TABLE b ()"));
  EXPECT_THAT(Texts(file->down()), ElementsAre("DROP TABLE b, a"));
  EXPECT_EQ(file->up().line, 4);
  EXPECT_EQ(file->down().line, 8);
  EXPECT_TRUE(file->up().transactional);
}

TEST(MigrationFile, TellsAnEmptySectionFromAMissingOne) {
  EXPECT_FALSE(ParseGood(WithHeader("-- migrate:up\n"))->down().present);
  EXPECT_TRUE(ParseGood(WithHeader("-- migrate:up\n-- migrate:down\n"))->down().present);
}

TEST(MigrationFile, EndsALastStatementAtTheNextMarker) {
  const auto file = ParseGood(WithHeader("-- migrate:up\nSELECT 1\n-- migrate:down\nSELECT 2"));
  EXPECT_THAT(Texts(file->up()), ElementsAre("SELECT 1"));
  EXPECT_THAT(Texts(file->down()), ElementsAre("SELECT 2"));
}

TEST(MigrationFile, ReadsTheTransactionOptionOfEachSection) {
  const auto file =
      ParseGood(WithHeader("-- migrate:up transaction:false\n-- migrate:down transaction:true\n"));
  EXPECT_FALSE(file->up().transactional);
  EXPECT_TRUE(file->down().transactional);
}

TEST(MigrationFile, KnowsWhereStatementsStandInTheFile) {
  const std::string contents = "\xEF\xBB\xBF" + WithHeader("-- migrate:up\n  SELECT 1;\n");
  const auto file = ParseGood(contents);
  const Statement& statement = file->up().statements[0];
  EXPECT_EQ(statement.line, 5);
  EXPECT_EQ(statement.column, 3);
  EXPECT_EQ(statement.offset, contents.find("SELECT"));
  EXPECT_EQ(statement.text.data(), file->contents().data() + statement.offset);
}

TEST(MigrationFile, ReadsCrLf) {
  const auto file = ParseGood(absl::StrReplaceAll(
      WithHeader("-- Create Date: 2025-01-16 00:00:00\n-- migrate:up transaction:false\nSELECT 1;\n"
                 "COPY t FROM stdin;\n1\n\\.\n-- migrate:down\nSELECT 2;\n"),
      {{"\n", "\r\n"}}));
  EXPECT_EQ(file->revision().message, "a message");
  EXPECT_EQ(file->revision().id, "1a2b");
  EXPECT_FALSE(file->up().transactional);
  EXPECT_THAT(Texts(file->up()), ElementsAre("SELECT 1", "COPY t FROM stdin"));
  EXPECT_THAT(Texts(file->down()), ElementsAre("SELECT 2"));
}

TEST(MigrationFile, TakesMarkersInLiteralsCommentsAndDataForWhatTheyAre) {
  const auto file =
      ParseGood(WithHeader("-- migrate:up\n"
                           "SELECT '\n-- migrate:down\n';\n"
                           "DO $$\n-- migrate:down\n$$;\n"
                           "/*\n-- migrate:down\n*/\n"
                           "COPY t FROM stdin;\n-- migrate:down\n\\.\n"));
  EXPECT_FALSE(file->down().present);
  EXPECT_THAT(file->up().statements, SizeIs(3));
}

TEST(MigrationFile, TakesAMarkerBehindSqlForAComment) {
  EXPECT_FALSE(ParseGood(WithHeader("-- migrate:up\nSELECT 1; -- migrate:down\n"))->down().present);
}

TEST(MigrationFile, TakesAnIndentedMarkerForAMarker) {
  EXPECT_TRUE(ParseGood(WithHeader("-- migrate:up\n  -- migrate:down\n"))->down().present);
}

TEST(MigrationFile, TakesTextAboutMigratingForText) {
  const auto file = ParseGood(
      "-- migrate: users to tenants\n-- Revision ID: 1a2b\n-- migrate:up\n"
      "-- migrate all of them\nSELECT 1;");
  EXPECT_EQ(file->revision().message, "migrate: users to tenants");
  EXPECT_THAT(file->up().statements, SizeIs(1));
}

TEST(MigrationFile, RefusesMisspelledMarkers) {
  for (const char* marker :
       {"-- migrate:downn", "-- migrate: down", "-- Migrate:Down", "--migrate:rollback"}) {
    EXPECT_THAT(Problems(WithHeader(absl::StrCat("-- migrate:up\nSELECT 1;\n", marker, "\n"))),
                ElementsAre(StartsWith("1a2b_x.sql:6: unknown marker")))
        << marker;
  }
}

TEST(MigrationFile, RefusesUnknownOptions) {
  EXPECT_THAT(Problems(WithHeader("-- migrate:up transaction:no\n")),
              ElementsAre(StartsWith("1a2b_x.sql:4: unknown option \"transaction:no\"")));
}

TEST(MigrationFile, RefusesASecondSectionOfAKind) {
  EXPECT_THAT(Problems(WithHeader("-- migrate:up\n-- migrate:up\n")),
              ElementsAre("1a2b_x.sql:5: a second \"-- migrate:up\" (the first is at line 4); join "
                          "the two sections"));
}

TEST(MigrationFile, RefusesDownAboveUp) {
  EXPECT_THAT(
      Problems(WithHeader("-- migrate:down\n-- migrate:up\n")),
      ElementsAre("1a2b_x.sql:5: \"-- migrate:up\" stands below \"-- migrate:down\"; put it "
                  "above"));
}

TEST(MigrationFile, RefusesAMissingUp) {
  EXPECT_THAT(Problems(WithHeader("-- migrate:down\n")),
              ElementsAre(StartsWith("1a2b_x.sql:1: no \"-- migrate:up\" section")));
}

TEST(MigrationFile, RefusesSqlBeforeTheFirstMarker) {
  EXPECT_THAT(Problems(WithHeader("SELECT 1;\n-- migrate:up\n")),
              ElementsAre("1a2b_x.sql:4: SQL before the first marker; put \"-- migrate:up\" above "
                          "it"));
}

TEST(MigrationFile, ReportsSqlWithoutAnyMarkerOnce) {
  EXPECT_THAT(Problems(WithHeader("SELECT 1;\n")), SizeIs(1));
}

TEST(MigrationFile, RefusesAnEmptyFile) {
  EXPECT_THAT(Problems(""),
              ElementsAre(HasSubstr("no revision id"), HasSubstr("no \"-- migrate:up\"")));
}

TEST(MigrationFile, NamesTheLineOfWhatCannotBeSplit) {
  EXPECT_THAT(Problems(WithHeader("-- migrate:up\nSELECT 1;\nSELECT 'a;\n-- migrate:down\n")),
              ElementsAre("1a2b_x.sql:6: this string is never closed; end it with '"));
}

TEST(MigrationFile, RefusesAMarkerWithinParentheses) {
  EXPECT_THAT(
      Problems(WithHeader("-- migrate:up\nCREATE TABLE t (\n-- migrate:down\nDROP TABLE t;")),
      ElementsAre(StartsWith("1a2b_x.sql:5: this parenthesis is never closed")));
}

TEST(MigrationFile, NamesTheLineOfWrongEncoding) {
  EXPECT_THAT(Problems(WithHeader("-- migrate:up\nSELECT '\xFF';")),
              ElementsAre("1a2b_x.sql:5: not valid UTF-8; save the file as UTF-8"));
}

TEST(MigrationFile, ReportsEveryProblem) {
  EXPECT_THAT(Problems("-- m\n-- Create Date: never\n-- Revises: a,\n-- migrate:up x\nCOMMIT;"),
              SizeIs(5));
}

// --- Transaction control ---

TEST(MigrationFile, RefusesCommitInATransaction) {
  EXPECT_THAT(Problems(WithHeader("-- migrate:up\nSELECT 1;\n  commit;\n")),
              ElementsAre("1a2b_x.sql:6: COMMIT at line 6 would end the transaction that keeps "
                          "revision 1a2b whole; remove it or mark the section transaction:false"));
}

TEST(MigrationFile, RefusesBeginInATransaction) {
  EXPECT_THAT(Problems(WithHeader("-- migrate:up\n-- migrate:down\nBEGIN;\n")),
              ElementsAre(StartsWith("1a2b_x.sql:6: BEGIN at line 6 would begin a transaction "
                                     "within the one that keeps revision 1a2b whole")));
}

TEST(MigrationFile, AcceptsTransactionControlOutsideOfATransaction) {
  ParseGood(WithHeader("-- migrate:up transaction:false\nBEGIN; SELECT 1; COMMIT;\n"));
}

TEST(MigrationFile, AcceptsSavepointsInATransaction) {
  ParseGood(WithHeader("-- migrate:up\nSAVEPOINT a; ROLLBACK TO a; RELEASE a;\n"));
}

// --- The checksum ---

std::string Checksum(absl::string_view sections) {
  return ParseGood(WithHeader(sections))->checksum();
}

TEST(MigrationFileChecksum, IsTheHashOfTheBytesThatTheHeaderDescribes) {
  // printf 'up transaction:true\nstatement 8\nSELECT 1\n' | sha256sum
  EXPECT_EQ(Checksum("-- migrate:up\nSELECT 1;\n"),
            "e1e4c78d67a28d06f582c33a1291d485c933803dad961f5e196f57bc7237a202");
}

TEST(MigrationFileChecksum, StaysWithLineEnds) {
  const std::string sections = "-- migrate:up\nSELECT\n1;\nCOPY t FROM stdin;\n1\n\\.\n";
  EXPECT_EQ(Checksum(absl::StrReplaceAll(sections, {{"\n", "\r\n"}})), Checksum(sections));
}

TEST(MigrationFileChecksum, StaysWithCommentsAndBlanksBetweenStatements) {
  EXPECT_EQ(Checksum("-- migrate:up\n\n-- first\nSELECT 1 ;;\n/* second */ SELECT 2 -- last\n"),
            Checksum("-- migrate:up\nSELECT 1; SELECT 2;"));
}

TEST(MigrationFileChecksum, StaysWithTheHeader) {
  EXPECT_EQ(ParseGood("-- n\n-- Revision ID: 1a2b\n-- Revises: 00aa\n-- migrate:up")->checksum(),
            ParseGood("-- m\n-- Revision ID: 1a2b\n-- migrate:up")->checksum());
}

TEST(MigrationFileChecksum, ChangesWithAStatement) {
  EXPECT_NE(Checksum("-- migrate:up\nSELECT 1;"), Checksum("-- migrate:up\nSELECT 2;"));
}

TEST(MigrationFileChecksum, ChangesWithTheBordersOfStatements) {
  EXPECT_NE(Checksum("-- migrate:up\nSELECT 1; SELECT 2;"),
            Checksum("-- migrate:up\nSELECT 1\nSELECT 2;"));
}

TEST(MigrationFileChecksum, ChangesWithTheSection) {
  EXPECT_NE(Checksum("-- migrate:up\nSELECT 1;\n-- migrate:down\n"),
            Checksum("-- migrate:up\n-- migrate:down\nSELECT 1;\n"));
}

TEST(MigrationFileChecksum, ChangesWithAnEmptyDown) {
  EXPECT_NE(Checksum("-- migrate:up\n-- migrate:down\n"), Checksum("-- migrate:up\n"));
}

TEST(MigrationFileChecksum, ChangesWithTheMode) {
  EXPECT_NE(Checksum("-- migrate:up transaction:false\n"), Checksum("-- migrate:up\n"));
}

TEST(MigrationFileChecksum, ChangesWithCopyData) {
  EXPECT_NE(Checksum("-- migrate:up\nCOPY t FROM stdin;\n1\n\\.\n"),
            Checksum("-- migrate:up\nCOPY t FROM stdin;\n2\n\\.\n"));
}

// --- Size ---

TEST(MigrationFile, ReadsAFileOfFiftyMegabytes) {
  const std::string insert =
      absl::StrCat("INSERT INTO t VALUES ('", std::string(4096, ';'), "', $$ it's; $$);\n");
  const size_t count = 50'000'000 / insert.size();
  std::string contents = WithHeader("-- migrate:up\n");
  for (size_t i = 0; i < count; ++i) contents += insert;
  const auto file = ParseGood(std::move(contents));
  ASSERT_THAT(file->up().statements, SizeIs(count));
  EXPECT_EQ(file->up().statements.back().line, static_cast<int>(count) + 4);
}

TEST(MigrationFile, ReadsALineOfManyStatements) {
  std::string contents = WithHeader("-- migrate:up\n");
  for (int i = 0; i < 100'000; ++i) contents += "SELECT 1;";
  const auto file = ParseGood(std::move(contents));
  ASSERT_THAT(file->up().statements, SizeIs(100'000));
  EXPECT_EQ(file->up().statements.back().column, 99'999 * 9 + 1);
}

}  // namespace
}  // namespace migd
