// golang-migrate, goose and dbmate: files of SQL in one folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "client/import/dbmate.h"
#include "client/import/golang_migrate.h"
#include "client/import/goose.h"
#include "client/import/section.h"
#include "client/import/versions.h"
#include "service/script/sql_splitter.h"
#include "service/script/statement.h"
#include "tests/client/import_support.h"

namespace migctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// --- Transactions ---

struct SectionCase {
  const char* name;
  Surroundings surroundings;
  const char* sql;
  const char* expected;
};

class ImportSection : public testing::TestWithParam<SectionCase> {};

TEST_P(ImportSection, KeepsWhatIsOneTransaction) {
  std::vector<ImportProblem> problems;
  const auto section = MakeSection(GetParam().sql, "a.sql", 1, GetParam().surroundings, problems);
  EXPECT_THAT(ProblemsOf(problems), IsEmpty());
  ASSERT_TRUE(section.has_value());
  EXPECT_EQ(TextOf(*section), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Sections, ImportSection,
    testing::Values(
        SectionCase{"none", Surroundings::kTransactions, "SELECT 1;\n", "SELECT 1;"},
        SectionCase{"around_all", Surroundings::kTransactions,
                    "-- why\nBEGIN;\nSELECT 1;\nSELECT 2;\nCOMMIT;\n",
                    "-- why\nSELECT 1;\nSELECT 2;"},
        SectionCase{"two", Surroundings::kTransactions,
                    "BEGIN;\nSELECT 1;\nSELECT 2;\nCOMMIT;\nSTART TRANSACTION;\nSELECT 3;\n"
                    "SELECT 4;\nEND;\n",
                    "[no transaction] BEGIN;\nSELECT 1;\nSELECT 2;\nCOMMIT;\nBEGIN;\nSELECT 3;\n"
                    "SELECT 4;\nCOMMIT;"},
        SectionCase{"rest_is_another_one", Surroundings::kTransactions,
                    "SELECT 1;\nSELECT 2;\nCOMMIT;\nSELECT 3;\nSELECT 4",
                    "[no transaction] BEGIN;\nSELECT 1;\nSELECT 2;\nCOMMIT;\nBEGIN;\nSELECT 3;\n"
                    "SELECT 4;\nCOMMIT;"},
        SectionCase{"rest_is_in_none", Surroundings::kTransaction,
                    "SELECT 1;\nCOMMIT;\nSELECT 3;\nSELECT 4;",
                    "[no transaction] SELECT 1;\nSELECT 3;\nSELECT 4;"},
        SectionCase{"copy_data", Surroundings::kTransactions,
                    "COPY a FROM stdin;\n1\n\\.\nSELECT 1;\nCOMMIT;\nSELECT 2;\n",
                    "[no transaction] BEGIN;\nCOPY a FROM stdin;\n1\n\\.\nSELECT 1;\nCOMMIT;\n"
                    "SELECT 2;"},
        SectionCase{"without_space", Surroundings::kTransaction,
                    "BEGIN;SELECT 1;SELECT 2;COMMIT;SELECT 3;",
                    "[no transaction] BEGIN;\nSELECT 1;SELECT 2;\nCOMMIT;SELECT 3;"},
        SectionCase{"in_a_body", Surroundings::kTransactions, "DO $$ BEGIN NULL; END $$;",
                    "DO $$ BEGIN NULL; END $$;"},
        SectionCase{"without", Surroundings::kNone, "BEGIN;\nSELECT 1;\nCOMMIT;",
                    "[no transaction] BEGIN;\nSELECT 1;\nCOMMIT;"}),
    [](const auto& tested) { return tested.param.name; });

// The statements of a section but for BEGIN and COMMIT.
std::vector<std::string> StatementsOf(const ImportedSection& section) {
  std::vector<std::string> statements;
  for (const migd::Statement& statement : migd::SplitSql(section.text.sql, 0, 1).statements) {
    if (!migd::IsTransactionControl(statement.text)) statements.emplace_back(statement.text);
  }
  return statements;
}

TEST(ImportSection, HasEachStatementOnceHoweverTheyAreDividedAndSpaced) {
  constexpr int kLength = 6;
  constexpr int kKinds = 3;
  for (int number = 0; number < std::pow(kKinds, kLength); ++number) {
    for (const char* end : {";", ";\n", " ; -- why\n"}) {
      std::string sql;
      std::vector<std::string> statements;
      for (int i = 0, rest = number; i < kLength; ++i, rest /= kKinds) {
        const std::string select = absl::StrCat("SELECT ", i);
        if (rest % kKinds == 0) statements.push_back(select);
        absl::StrAppend(&sql, std::array{select.c_str(), "BEGIN", "COMMIT"}[rest % kKinds], end);
      }
      for (const Surroundings surroundings :
           {Surroundings::kTransaction, Surroundings::kTransactions}) {
        std::vector<ImportProblem> problems;
        const auto section = MakeSection(sql, "a.sql", 1, surroundings, problems);
        ASSERT_TRUE(section.has_value()) << sql;
        ASSERT_EQ(StatementsOf(*section), statements) << sql;
      }
    }
  }
}

TEST(ImportSection, NamesTransactionControlWithoutATranslation) {
  std::vector<ImportProblem> problems;
  MakeSection("SELECT 1;\nROLLBACK;\nBEGIN ISOLATION LEVEL SERIALIZABLE;", "a.sql", 5,
              Surroundings::kTransactions, problems);
  EXPECT_THAT(ProblemsOf(problems), ElementsAre(StartsWith("a.sql:6: ROLLBACK cannot"),
                                                StartsWith("a.sql:7: BEGIN cannot")));
}

TEST(ImportVersions, ReadsTheDateOfAVersion) {
  EXPECT_EQ(DateOfVersion("20240229143902"),
            absl::FromCivil(absl::CivilSecond(2024, 2, 29, 14, 39, 2), absl::UTCTimeZone()));
  for (const char* none : {"20230229000000", "1", "00000000000001", "20240101", "1024010112000a"}) {
    EXPECT_EQ(DateOfVersion(none), absl::nullopt) << none;
  }
}

// --- golang-migrate ---

TEST(ImportGolangMigrate, PairsFilesByTheirVersion) {
  const Reading reading = ReadGolangMigrate({{"000002_b.up.sql", "CREATE TABLE b ();"},
                                             {"000010_c.up.sql", "CREATE TABLE c ();"},
                                             {"000001_create_a.down.sql", "DROP TABLE a;"},
                                             {"000001_create_a.up.sql", "CREATE TABLE a ();"},
                                             {"000002_b.down.sql", ""}});
  EXPECT_THAT(ProblemsOf(reading.problems), IsEmpty());
  EXPECT_THAT(RevisionsOf(reading),
              ElementsAre("000001 < : create a", "000002 < 000001: b", "000010 < 000002: c"));
  EXPECT_EQ(DownOf(reading.revisions[0]), "DROP TABLE a;");
  EXPECT_EQ(DownOf(reading.revisions[1]), "");
  EXPECT_EQ(DownOf(reading.revisions[2]), "none");
}

TEST(ImportGolangMigrate, TellsWhatCannotRunInTheTransactionOfAQuery) {
  const Reading reading =
      ReadGolangMigrate({{"1_i.up.sql", "CREATE INDEX CONCURRENTLY i ON a (b);"},
                         {"1_i.down.sql", "BEGIN;\nDROP INDEX i;\nCOMMIT;"}});
  EXPECT_THAT(TextOf(reading.revisions[0].up), StartsWith("[no transaction] CREATE INDEX"));
  EXPECT_EQ(DownOf(reading.revisions[0]), "DROP INDEX i;");
}

TEST(ImportGolangMigrate, NamesWhatDoesNotFitTogether) {
  const Reading reading = ReadGolangMigrate({{"1_a.up.sql", ""},
                                             {"01_b.up.sql", ""},
                                             {"2_c.down.sql", ""},
                                             {"notes.sql", ""},
                                             {"embed.go", ""}});
  EXPECT_THAT(ProblemsOf(reading.problems),
              ElementsAre(StartsWith("01_b.up.sql: has the same version as 1_a.up.sql"),
                          StartsWith("2_c.down.sql: there is no .up.sql file")));
  EXPECT_THAT(reading.notes, testing::Contains(StartsWith("notes.sql is left out")));
}

// --- goose ---

std::string GooseUp(const std::string& contents) {
  const Reading reading = ReadGoose({{"1_a.sql", contents}});
  EXPECT_THAT(ProblemsOf(reading.problems), IsEmpty());
  return TextOf(reading.revisions[0].up);
}

TEST(ImportGoose, ReadsUpAndDown) {
  const Reading reading =
      ReadGoose({{"00002_b.sql", "-- +goose Up\nSELECT 2;\n"},
                 {"00001_create_a.sql",
                  "-- +goose up\nCREATE TABLE a ();\n\n-- +goose Down\nDROP TABLE a;\n"}});
  EXPECT_THAT(ProblemsOf(reading.problems), IsEmpty());
  EXPECT_THAT(RevisionsOf(reading), ElementsAre("00001 < : create a", "00002 < 00001: b"));
  EXPECT_EQ(TextOf(reading.revisions[0].up), "CREATE TABLE a ();");
  EXPECT_EQ(DownOf(reading.revisions[0]), "DROP TABLE a;");
  EXPECT_EQ(DownOf(reading.revisions[1]), "none");
}

TEST(ImportGoose, StatementsHeldTogetherStayApartFromTheNext) {
  EXPECT_EQ(GooseUp("-- +goose Up\n-- +goose StatementBegin\nSELECT 1 -- one\n"
                    "-- +goose StatementEnd\nSELECT 2;\n"),
            "SELECT 1 -- one\n;\nSELECT 2;");
  EXPECT_EQ(GooseUp("-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n-- +goose StatementEnd\n"),
            "SELECT 1;");
}

TEST(ImportGoose, NoTransactionCountsForTheWholeFileWhereverItStands) {
  const Reading reading = ReadGoose(
      {{"1_a.sql", "-- +goose Up\nSELECT 1;\n-- +goose NO TRANSACTION\n-- +goose Down\nSELECT 2;"},
       {"2_b.sql", "-- why\n-- +goose NO TRANSACTION\n-- +goose Up\nSELECT 1;\n"}});
  EXPECT_EQ(TextOf(reading.revisions[0].up), "[no transaction] SELECT 1;");
  EXPECT_EQ(DownOf(reading.revisions[0]), "[no transaction] SELECT 2;");
  EXPECT_THAT(TextOf(reading.revisions[1].up), StartsWith("[no transaction] -- why\n"));
}

TEST(ImportGoose, NamesWhatHasNoTranslation) {
  const Reading reading =
      ReadGoose({{"1_a.go", ""},
                 {"1_a_test.go", ""},
                 {"embed.go", ""},
                 {"2_b.sql", "-- +goose Up\n-- +goose ENVSUB ON\nSELECT '${A}';\n"},
                 {"3_c.sql", "CREATE TABLE c ();"},
                 {"4_d.sql", "-- +goose Up\n\n-- +goose Sideways\nSELECT 'open\n"}});
  EXPECT_THAT(
      ProblemsOf(reading.problems),
      ElementsAre(StartsWith("1_a.go: a migration in Go"), StartsWith("2_b.sql:2: ENVSUB ON"),
                  StartsWith("3_c.sql:1: SQL above \"-- +goose Up\""),
                  StartsWith("3_c.sql: no \"-- +goose Up\""),
                  StartsWith("4_d.sql:3: \"+goose sideways\" is unknown"),
                  StartsWith("4_d.sql:4: ")));
}

// --- dbmate ---

TEST(ImportDbmate, ReadsSectionsAndTheirOptions) {
  const Reading reading = ReadDbmate(
      {{"20240102030405_add_index.sql",
        "-- about it\n-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY i ON a (b);\n"
        "--migrate:down\nDROP INDEX i;\n"},
       {"20230102030405-create-a.sql", "-- migrate:up\nCREATE TABLE a ();\n-- migrate:down\n"}});
  EXPECT_THAT(ProblemsOf(reading.problems), IsEmpty());
  EXPECT_THAT(RevisionsOf(reading), ElementsAre("20230102030405 < : create-a",
                                                "20240102030405 < 20230102030405: add index"));
  EXPECT_EQ(DownOf(reading.revisions[0]), "");
  EXPECT_EQ(TextOf(reading.revisions[1].up),
            "[no transaction] -- about it\n\nCREATE INDEX CONCURRENTLY i ON a (b);");
  EXPECT_EQ(DownOf(reading.revisions[1]), "DROP INDEX i;");
  EXPECT_TRUE(reading.revisions[1].revision.create_time.has_value());
}

TEST(ImportDbmate, OrdersByNameAsDbmateDoes) {
  const std::string empty = "-- migrate:up\n-- migrate:down\n";
  EXPECT_THAT(RevisionsOf(ReadDbmate({{"9_a.sql", empty}, {"10_b.sql", empty}})),
              ElementsAre("10 < : b", "9 < 10: a"));
}

TEST(ImportDbmate, NamesWhatDbmateDoesNotTakeOrWeDoNot) {
  const Reading reading = ReadDbmate({{"1_a.sql", "SELECT 1;\n-- migrate:up\n"},
                                      {"2_b.sql", "SELECT 1;\n"},
                                      {"3_c.sql", "-- migrate:up\n-- migrate:up\n"},
                                      {"schema.sql", ""}});
  EXPECT_THAT(ProblemsOf(reading.problems),
              ElementsAre(HasSubstr("1_a.sql:1: SQL above"), HasSubstr("2_b.sql:1: SQL above"),
                          HasSubstr("2_b.sql: no \"-- migrate:up\""),
                          HasSubstr("3_c.sql:2: a second \"-- migrate:up\"")));
  EXPECT_THAT(reading.notes, testing::Contains(StartsWith("schema.sql is left out")));
}

}  // namespace
}  // namespace migctl
