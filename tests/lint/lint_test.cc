// What lint makes of files: places, sections, severities, waivers.
#include "service/lint/lint.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/lint/lint_support.h"

namespace migd {
namespace {

using migration::v1::Finding;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<Finding> Lint(const std::string& up, const std::string& down = "\nSELECT 1;\n",
                          const LintSeverities& severities = {}) {
  return LintFile(*LintedFile(up, down), severities);
}

// "line:column rule", for each finding.
std::vector<std::string> Places(const std::vector<Finding>& findings) {
  std::vector<std::string> places;
  for (const Finding& finding : findings) {
    places.push_back(absl::StrCat(finding.line(), ":", finding.column(), " ", finding.rule()));
  }
  return places;
}

TEST(LintFile, FindsNothingInAFileThatIsWell) {
  EXPECT_THAT(Lint("\nCREATE TABLE t (id bigint PRIMARY KEY);\n", "\nDROP TABLE t;\n"), IsEmpty());
}

TEST(LintFile, SaysWhereAndWhat) {
  const auto findings = Lint("\nSELECT 1;\n  CREATE INDEX \"By Day\" ON public.orders (day);\n");
  ASSERT_EQ(findings.size(), 1U);
  const Finding& finding = findings[0];
  EXPECT_EQ(finding.rule(), "index-not-concurrent");
  EXPECT_EQ(finding.severity(), migration::v1::SEVERITY_ERROR);
  EXPECT_EQ(finding.revision(), "a");
  EXPECT_EQ(finding.path(), "a_step.sql");
  EXPECT_EQ(finding.line(), 5);
  EXPECT_EQ(finding.column(), 3);
  EXPECT_EQ(finding.direction(), migration::v1::DIRECTION_UPGRADE);
  EXPECT_EQ(finding.statement_index(), 2);
  EXPECT_THAT(finding.message(), HasSubstr("\"By Day\""));
  EXPECT_THAT(finding.message(), HasSubstr("public.orders"));
  EXPECT_THAT(finding.suggestion(), HasSubstr("CONCURRENTLY"));
}

TEST(LintFile, PointsAtTheCommandOfAlterTable) {
  EXPECT_THAT(Places(Lint("\nALTER TABLE ONLY \"s\".t -- a, b\n"
                          "  ADD a numeric(10, 2) DEFAULT ('1, 2'::text)::numeric,\n"
                          "  DROP COLUMN b,\n"
                          "  ADD c int[] DEFAULT ARRAY[1, 2], ALTER d SET NOT NULL;\n")),
              ElementsAre("6:3 drop-column", "7:36 set-not-null"));
}

TEST(LintFile, CountsColumnsInCharacters) {
  EXPECT_THAT(Places(Lint("\nCREATE TABLE t (\"größe\" text DEFAULT 'ä€😀', preis money);\n")),
              ElementsAre("4:51 money-type"));
}

TEST(LintFile, TellsFindingsInTheOrderOfTheLines) {
  EXPECT_THAT(Places(Lint("\nDROP TABLE a;\nCREATE TABLE b (c json, d money);\n")),
              ElementsAre("4:1 drop-table", "5:19 json-type", "5:27 money-type"));
}

TEST(LintFile, WantsADownSection) {
  const auto parsed = MigrationFile::Parse(
      "a_step.sql", "-- a step\n-- Revision ID: a\n-- migrate:up\nSELECT 1;\n");
  ASSERT_NE(parsed.file, nullptr);
  EXPECT_THAT(Places(LintFile(*parsed.file, {})), ElementsAre("3:1 missing-down"));
}

TEST(LintFile, WantsADownSectionToUndoSomething) {
  EXPECT_THAT(Places(Lint("\nCREATE VIEW v AS SELECT 1;\n", "\n-- nothing\n")),
              ElementsAre("6:1 empty-down"));
  EXPECT_THAT(Lint("\n", "\n"), IsEmpty());
}

TEST(LintFile, LooksAtDownSectionsLessStrictly) {
  // What the revision has made may be dropped; what blocks others is a warning.
  const auto findings = Lint("\nCREATE TABLE t (a text);\nCREATE INDEX i ON t (a);\n",
                             "\nDROP INDEX i;\nDROP TABLE t;\nDROP TABLE u CASCADE;\n"
                             "CREATE INDEX j ON u (a);\nALTER TABLE u RENAME a TO b;\n");
  ASSERT_THAT(Places(findings), ElementsAre("11:1 index-not-concurrent"));
  EXPECT_EQ(findings[0].severity(), migration::v1::SEVERITY_WARNING);
  EXPECT_EQ(findings[0].direction(), migration::v1::DIRECTION_DOWNGRADE);
}

TEST(LintFile, WhatFailsInADownSectionIsAnError) {
  const auto findings = Lint("\nSELECT 1;\n", "\nDROP INDEX CONCURRENTLY i;\n");
  ASSERT_THAT(RulesOf(findings), ElementsAre("concurrent-in-transaction"));
  EXPECT_EQ(findings[0].severity(), migration::v1::SEVERITY_ERROR);
}

TEST(LintFile, SeveritiesCanBeSet) {
  EXPECT_EQ(Lint("\nDROP TABLE t;\n")[0].severity(), migration::v1::SEVERITY_WARNING);
  EXPECT_EQ(
      Lint("\nDROP TABLE t;\n", "\nSELECT 1;\n", {{"drop-table", migration::v1::SEVERITY_ERROR}})[0]
          .severity(),
      migration::v1::SEVERITY_ERROR);
  EXPECT_THAT(
      Lint("\nDROP TABLE t;\n", "\nSELECT 1;\n", {{"drop-table", migration::v1::SEVERITY_OFF}}),
      IsEmpty());
}

TEST(LintRules, AreInTheOrderOfTheirNamesAndSayWhatTheyAre) {
  const auto rules = LintRules({{"drop-table", migration::v1::SEVERITY_OFF}});
  for (size_t i = 0; i < rules.size(); ++i) {
    if (i > 0) {
      EXPECT_LT(rules[i - 1].rule(), rules[i].rule());
    }
    EXPECT_NE(rules[i].description(), "") << rules[i].rule();
    EXPECT_EQ(rules[i].severity() == rules[i].default_severity(), rules[i].rule() != "drop-table");
  }
}

// --- What cannot be read ---

TEST(LintFiles, CountsStatementsThatItCannotRead) {
  const auto file = LintedFile("\nFROB THE TABLE;\nDROP TABLE t;\n", "\nSELECT 1;\n");
  const LintReport report = LintFiles({file.get()}, {}).front();
  EXPECT_EQ(report.unknown_statement_count, 1);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].finding.line(), 5);
}

TEST(LintFiles, PassesOverDataWithoutReadingIt) {
  // Too large for the parser, and no statement whose tree is needed.
  const auto file = LintedFile(absl::StrCat("\nINSERT INTO t VALUES ('", std::string(1 << 20, 'x'),
                                            "');\nCOPY t FROM stdin;\n1\n\\.\nDROP TABLE t;\n"),
                               "\nSELECT 1;\n");
  const LintReport report = LintFiles({file.get()}, {}).front();
  EXPECT_EQ(report.unknown_statement_count, 0);
  EXPECT_EQ(report.findings.size(), 1U);
}

TEST(LintFiles, ReadsLongFilesSideBySideAndTellsInTheOrderOfTheLines) {
  std::string up = "\n";
  for (int i = 0; i < 1000; ++i)
    absl::StrAppend(&up, i % 2 == 0 ? "SELECT 1;\n" : "DROP TABLE t;\n");
  const auto file = LintedFile(up, "\nSELECT 1;\n");
  const LintReport report = LintFiles({file.get()}, {}).front();
  ASSERT_EQ(report.findings.size(), 500U);
  const int first = report.findings[0].finding.line();
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(report.findings[static_cast<size_t>(i)].finding.line(), first + 2 * i);
  }
}

TEST(LintFiles, TellsOfEachFileInItsPlace) {
  std::vector<std::shared_ptr<const MigrationFile>> files;
  std::vector<const MigrationFile*> pointers;
  for (int i = 0; i < 100; ++i) {
    files.push_back(
        LintedFile(i % 3 == 0 ? "\nDROP TABLE t;\n" : "\nSELECT 1;\n", "\nSELECT 1;\n"));
    pointers.push_back(files.back().get());
  }
  const std::vector<LintReport> reports = LintFiles(pointers, {});
  ASSERT_EQ(reports.size(), 100U);
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ(reports[i].findings.size(), i % 3 == 0 ? 1U : 0U);
}

// What an upgrade runs into is what is found of the up section if the whole file is looked at, also
// where a waiver for the file allows something in the down section alone.
TEST(LintFiles, FindsInTheUpSectionWhatItFindsThereInTheWholeFile) {
  const std::string allow = "-- lint:allow drop-table because nobody reads it\n";
  const std::vector<std::shared_ptr<const MigrationFile>> files = {
      LintedFile("\nDROP TABLE t;\n", "\nDROP TABLE u;\n"),
      LintedFile("\nCREATE TABLE t (id bigint PRIMARY KEY);\n", "\nDROP TABLE t;\n"),
      LintedFile("\nDROP TABLE t;\n", "\n"),
      LintedFile("\nDROP TABLE t;\n", "\nSELECT 1;\n", allow + "-- a step"),
      LintedFile("\nSELECT 1;\n", "\nDROP TABLE u;\n", allow + "-- a step"),
      LintedFile("\nSELECT 1;\n", "\nSELECT 1;\n", allow + "-- a step"),
      LintedFile("\nDROP TABLE t;\n", absl::StrCat("\n", allow, "DROP TABLE u;\n")),
      LintedFile(absl::StrCat("\n", allow, "DROP TABLE t;\n"), "\nDROP TABLE u;\n"),
      LintedFile(" transaction:false\nBEGIN;\nDROP TABLE t;\n",
                 " transaction:false\nBEGIN;\nDROP TABLE u;\n")};
  const auto found = [](const LintReport& report, bool only_up) {
    std::vector<std::string> all;
    for (const LintFinding& one : report.findings) {
      const bool is_up = one.finding.direction() == migration::v1::DIRECTION_UPGRADE;
      if (is_up || !only_up) all.push_back(one.finding.ShortDebugString());
    }
    return all;
  };
  for (size_t i = 0; i < files.size(); ++i) {
    const auto whole = LintFiles({files[i].get()}, AllRulesOn());
    const auto up = LintFiles({files[i].get()}, AllRulesOn(), LintExtent::kUpSection);
    EXPECT_EQ(found(up.front(), false), found(whole.front(), true)) << i;
  }
  const auto unused = LintFiles({files[5].get()}, AllRulesOn(), LintExtent::kUpSection);
  ASSERT_EQ(unused.front().findings.size(), 1U);
  EXPECT_EQ(unused.front().findings[0].finding.rule(), "unused-waiver");
}

TEST(LintFiles, SurvivesDeepNesting) {
  std::string sum = "1";
  for (int i = 0; i < 50'000; ++i) sum += "+1";
  const auto file =
      LintedFile(absl::StrCat("\nALTER TABLE t ADD a int DEFAULT ", sum, ";\n"), "\nSELECT 1;\n");
  EXPECT_THAT(LintFiles({file.get()}, {}).front().findings, IsEmpty());
}

TEST(LintFiles, TellsOfWhichRelationTheHarmIs) {
  const auto file =
      LintedFile("\nCREATE INDEX i ON \"S\".t (a);\nALTER TABLE t RENAME TO u;\n", "\nSELECT 1;\n");
  const LintReport report = LintFiles({file.get()}, {}).front();
  ASSERT_GE(report.findings.size(), 2U);
  EXPECT_EQ(report.findings[0].harm, LintHarm::kGrowsWithTable);
  EXPECT_EQ(report.findings[0].relation, "\"S\".t");
  EXPECT_EQ(report.findings[1].harm, LintHarm::kAlways);
  EXPECT_EQ(report.findings[1].relation, "");
}

// --- Waivers ---

std::vector<std::string> WaivedRules(const std::vector<Finding>& findings) {
  std::vector<std::string> rules;
  for (const Finding& finding : findings) {
    if (finding.is_waived()) rules.push_back(finding.rule());
  }
  return rules;
}

TEST(Waivers, AllowWhatTheNextStatementDoes) {
  const auto findings = Lint(
      "\nDROP VIEW a;\n-- lint:allow drop-view because nothing has used it since May\n"
      "\n-- more words\nDROP VIEW b;\nDROP VIEW c;\n");
  EXPECT_THAT(WaivedRules(findings), ElementsAre("drop-view"));
  ASSERT_EQ(findings.size(), 3U);
  EXPECT_TRUE(findings[1].is_waived());
  EXPECT_EQ(findings[1].waiver_reason(), "nothing has used it since May");
}

TEST(Waivers, AllowSeveralRules) {
  EXPECT_THAT(RulesOf(Lint("\n-- lint:allow drop-view, cascade because it was a trial\n"
                           "DROP VIEW a CASCADE;\n")),
              IsEmpty());
}

TEST(Waivers, StandBehindOrInsideTheStatementToo) {
  EXPECT_THAT(RulesOf(Lint("\nDROP VIEW a; -- lint:allow drop-view because it is empty\n"
                           "DROP VIEW b;  -- lint:allow drop-view because it is empty\n")),
              IsEmpty());
  EXPECT_THAT(RulesOf(Lint("\nALTER TABLE a\n"
                           "  -- lint:allow drop-column because nobody reads it\n"
                           "  DROP COLUMN b;\n")),
              IsEmpty());
}

TEST(Waivers, InTheHeaderHoldForTheFile) {
  const auto file = LintedFile("\nDROP VIEW a;\nDROP VIEW b;\n", "\n",
                               "-- lint:allow drop-view, empty-down because it is a trial");
  EXPECT_THAT(RulesOf(LintFile(*file, {})), IsEmpty());
}

TEST(Waivers, InAnEmptyDownSectionHoldForIt) {
  EXPECT_THAT(RulesOf(Lint("\nCREATE TABLE a (b text);\n",
                           "\n-- lint:allow empty-down because it is a trial\n")),
              IsEmpty());
}

TEST(Waivers, OfOneSectionDoNotHoldForTheOther) {
  EXPECT_THAT(RulesOf(Lint("\n-- lint:allow index-not-concurrent because it is small\n"
                           "CREATE INDEX i ON t (a);\n",
                           "\nCREATE INDEX j ON t (a);\n")),
              ElementsAre("index-not-concurrent"));
}

TEST(Waivers, WithoutAReasonAreFindings) {
  for (const char* waiver :
       {"-- lint:allow drop-table", "-- lint:allow drop-table because", "-- lint:allow",
        "-- lint:allow because it is empty", "-- lint:ignore drop-table because it is empty",
        "-- lint:allow no-such-rule because it is empty"}) {
    const auto findings = Lint(absl::StrCat("\n  ", waiver, "\nDROP TABLE t;\n"));
    EXPECT_THAT(Places(findings), ElementsAre("4:3 invalid-waiver", "5:1 drop-table")) << waiver;
  }
}

TEST(Waivers, ThatAllowNothingAreFindings) {
  EXPECT_THAT(Places(Lint("\n-- lint:allow drop-table, cascade because it is empty\n"
                          "DROP TABLE t;\n-- lint:allow truncate because of the end\n")),
              ElementsAre("4:1 unused-waiver", "5:1 drop-table", "6:1 unused-waiver"));
}

TEST(Waivers, OfARuleThatIsOffAreNone) {
  EXPECT_THAT(Lint("\n-- lint:allow varchar-length because the screen is so wide\n"
                   "CREATE TABLE t (a varchar(3));\n"),
              IsEmpty());
}

TEST(Waivers, InTextAreNone) {
  EXPECT_THAT(RulesOf(Lint("\nDROP TABLE t /* lint:allow drop-table because of a block */;\n"
                           "COMMENT ON TABLE u IS '\n-- lint:allow x because y\n';\n")),
              ElementsAre("drop-table"));
}

}  // namespace
}  // namespace migd
