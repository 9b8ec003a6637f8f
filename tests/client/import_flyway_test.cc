#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/import/flyway.h"
#include "tests/client/import_support.h"

namespace migctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST(ImportFlyway, OrdersVersionsByTheirNumbersWhateverFolderTheyAreIn) {
  const Reading reading = ReadFlyway({{"V10__ten.sql", "SELECT 10;"},
                                      {"b/V2__two.sql", "SELECT 2;"},
                                      {"a/V1_1__one_and_a_bit.sql", "SELECT 1.1;"},
                                      {"V01__one.sql", "SELECT 1;"},
                                      {"V1.0.5__dots.sql", "SELECT 1.05;"}});
  EXPECT_THAT(ProblemsOf(reading.problems), IsEmpty());
  EXPECT_THAT(RevisionsOf(reading),
              ElementsAre("01 < : one", "1.0.5 < 01: dots", "1.1 < 1.0.5: one and a bit",
                          "2 < 1.1: two", "10 < 2: ten"));
  EXPECT_EQ(reading.revisions[3].source, "b/V2__two.sql");
}

TEST(ImportFlyway, AnUndoFileIsTheDownSection) {
  const Reading reading = ReadFlyway({{"V1__a.sql", "CREATE TABLE a ();"},
                                      {"U1__a.sql", "DROP TABLE a;"},
                                      {"V2__b.sql", "CREATE TABLE b ();"}});
  EXPECT_EQ(DownOf(reading.revisions[0]), "DROP TABLE a;");
  EXPECT_EQ(DownOf(reading.revisions[1]), "none");
  EXPECT_THAT(reading.notes, ElementsAre(HasSubstr("1 of 2 revisions has no undo file")));
}

TEST(ImportFlyway, RunsWithoutATransactionWhatFlywayRunsSo) {
  const Reading reading =
      ReadFlyway({{"V1__said.sql", "SELECT 1;"},
                  {"V1__said.sql.conf", "# why\nexecuteInTransaction=false\n"},
                  {"V2__seen.sql", "CREATE UNIQUE INDEX CONCURRENTLY i ON a (b);\nSELECT 2;"},
                  {"V3__vacuum.sql", "/* now */ VACUUM a;"},
                  {"V4__not.sql", "SELECT 'VACUUM'; REFRESH MATERIALIZED VIEW CONCURRENTLY v;"}});
  EXPECT_EQ(TextOf(reading.revisions[0].up), "[no transaction] SELECT 1;");
  EXPECT_THAT(TextOf(reading.revisions[1].up), StartsWith("[no transaction] CREATE UNIQUE"));
  EXPECT_THAT(TextOf(reading.revisions[2].up), StartsWith("[no transaction] /* now */"));
  EXPECT_THAT(TextOf(reading.revisions[3].up), StartsWith("SELECT 'VACUUM'"));
}

TEST(ImportFlyway, NamesEveryFileThatHasNoTranslation) {
  const Reading reading = ReadFlyway({{"R__views.sql", "SELECT 1;"},
                                      {"B5__all.sql", "SELECT 1;"},
                                      {"afterMigrate.sql", "SELECT 1;"},
                                      {"beforeEachMigrate__words.sql", "SELECT 1;"},
                                      {"java/V7__Program.java", ""},
                                      {"U9__nothing.sql", "SELECT 1;"}});
  EXPECT_THAT(
      ProblemsOf(reading.problems),
      ElementsAre(StartsWith("R__views.sql: a repeatable migration"),
                  StartsWith("B5__all.sql: a baseline"), StartsWith("afterMigrate.sql: a callback"),
                  StartsWith("beforeEachMigrate__words.sql: a callback"),
                  StartsWith("java/V7__Program.java: a migration that is a program"),
                  StartsWith("U9__nothing.sql: undoes version 9, which is not there")));
}

TEST(ImportFlyway, NamesPlaceholdersButForThoseInComments) {
  const Reading reading = ReadFlyway({{"V1__a.sql", "-- ${here}\nGRANT ALL ON a TO ${user};"},
                                      {"V2__b.sql", "SELECT '${text}';"},
                                      {"V2__b.sql.conf", "placeholderReplacement = false"},
                                      {"V3__c.sql", "/* ${c} */ SELECT $$ ${body} $$;"}});
  EXPECT_THAT(ProblemsOf(reading.problems), ElementsAre(StartsWith("V1__a.sql:2: ${user} is a"),
                                                        StartsWith("V3__c.sql:1: ${body} is a")));
}

TEST(ImportFlyway, NamesTheSecondFileOfAVersion) {
  const Reading reading = ReadFlyway({{"V1__a.sql", ""}, {"x/V01__b.sql", ""}, {"V2__c.sql", ""}});
  EXPECT_THAT(ProblemsOf(reading.problems),
              ElementsAre("x/V01__b.sql: has the same version as V1__a.sql; only one of them can "
                          "be it"));
}

TEST(ImportFlyway, NamesTheLineThatIsNotSql) {
  const Reading reading = ReadFlyway({{"V1__a.sql", "\xEF\xBB\xBFSELECT 1;\n\\echo done\n"},
                                      {"V2__b.sql", "SELECT 1;\nSELECT 'open;\n"}});
  EXPECT_THAT(
      ProblemsOf(reading.problems),
      ElementsAre(StartsWith("V1__a.sql:2: psql command \\echo"), StartsWith("V2__b.sql:2: ")));
}

TEST(ImportFlyway, NamesAnOptionOfAScriptThatHasNoCounterpart) {
  const Reading reading =
      ReadFlyway({{"V1__a.sql", "SELECT 1;"},
                  {"V1__a.sql.conf", "encoding=UTF-8\nshouldExecute=${env}==test\n"}});
  EXPECT_THAT(ProblemsOf(reading.problems),
              ElementsAre(StartsWith("V1__a.sql.conf:2: \"shouldExecute=")));
}

TEST(ImportFlyway, LeavesOutWhatFlywayPassesOver) {
  const Reading reading = ReadFlyway(
      {{"V1__a.sql", "SELECT 1;"}, {"V2_one_underscore.sql", "SELECT 2;"}, {"README.md", ""}});
  EXPECT_THAT(RevisionsOf(reading), ElementsAre("1 < : a"));
  EXPECT_THAT(reading.notes, testing::Contains(StartsWith("V2_one_underscore.sql is left out")));
}

}  // namespace
}  // namespace migctl
