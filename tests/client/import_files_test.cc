// The migration files that an import makes, and the disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "client/import/child_process.h"
#include "client/import/flyway.h"
#include "client/import/migration_writer.h"
#include "client/import/peer_directory.h"
#include "client/import/translation.h"
#include "tests/client/import_support.h"
#include "tests/support/temporary_directory.h"

namespace migctl {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

Reading ReadingOf(const std::string& id, const std::string& sql) {
  Reading reading;
  ImportedRevision imported;
  imported.source = "theirs.sql";
  imported.revision.id = id;
  imported.revision.message = "words";
  imported.up = {{true, sql}, "theirs.sql", 3};
  reading.revisions.push_back(imported);
  return reading;
}

// --- The check ---

TEST(ImportTranslation, MakesFilesThatTheServiceReads) {
  const Translation translation = Translate(ReadFlyway({{"V1__Create_A.sql", "CREATE TABLE a ();"},
                                                        {"U1__Create_A.sql", "DROP TABLE a;"},
                                                        {"V2__b.sql", ""}}));
  EXPECT_THAT(ProblemsOf(translation.problems), IsEmpty());
  ASSERT_EQ(translation.migrations.size(), 2U);
  EXPECT_EQ(translation.migrations[0].name, "1_create_a.sql");
  EXPECT_EQ(translation.migrations[0].text,
            "-- Create A\n--\n-- Revision ID: 1\n-- Revises:\n-- Branch Labels:\n-- Depends On:\n"
            "-- Create Date:\n\n-- migrate:up\n\nCREATE TABLE a ();\n\n-- migrate:down\n\n"
            "DROP TABLE a;\n");
  EXPECT_THAT(translation.heads, ElementsAre("2"));
}

TEST(ImportTranslation, NamesIdsThatCannotBeKept) {
  for (const char* id : {"123456789012345678901234567890123", "a-b", "a@b", "../a", ".a", "head"}) {
    EXPECT_THAT(ProblemsOf(Translate(ReadingOf(id, "")).problems),
                ElementsAre(StartsWith("theirs.sql: the revision id '")))
        << id;
  }
}

TEST(ImportTranslation, NamesACommentThatWouldEndTheSection) {
  EXPECT_THAT(
      ProblemsOf(Translate(ReadingOf("1", "SELECT 1;\n-- migrate:down\nSELECT 2;")).problems),
      testing::Contains(HasSubstr("reads like")));
  EXPECT_THAT(ProblemsOf(Translate(ReadingOf("1", "SELECT 1;\n-- migrate:up\n")).problems),
              testing::Contains(StartsWith("theirs.sql:4: a second \"-- migrate:up\"")));
}

TEST(ImportTranslation, NamesAMessageThatIsAHeaderKey) {
  Reading reading = ReadingOf("1", "");
  reading.revisions[0].revision.message = "Branch Labels: none of them";
  EXPECT_THAT(ProblemsOf(Translate(reading).problems),
              ElementsAre(StartsWith("theirs.sql: its words \"Branch Labels: none")));
}

TEST(ImportTranslation, NamesStatementsAboutThePeersOwnTable) {
  const Reading reading = ReadFlyway({{"V1__a.sql",
                                       "-- flyway_schema_history\nSELECT 'flyway_schema_history';\n"
                                       "DELETE FROM public.\"flyway_schema_history\";\n"}});
  EXPECT_THAT(ProblemsOf(Translate(reading).problems),
              ElementsAre(StartsWith("V1__a.sql:3: names flyway_schema_history")));
}

TEST(ImportTranslation, NamesParentsThatAreNotThereByThePeersFile) {
  Reading reading = ReadingOf("1", "");
  reading.revisions[0].revision.down_revisions = {"0"};
  EXPECT_THAT(ProblemsOf(Translate(reading).problems),
              ElementsAre(StartsWith("theirs.sql: revises '0'")));
}

// --- The disk ---

NewMigration File(const std::string& name, const std::string& text) { return {name, text, "", ""}; }

class ImportDiskTest : public testing::Test {
 protected:
  std::vector<std::string> Names(const std::string& directory) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  const migd::TemporaryDirectory directory_;
};

TEST_F(ImportDiskTest, WritesIntoADirectoryThatIsNotThere) {
  const std::string target = directory_.path() + "/a/b/";
  EXPECT_TRUE(CheckTarget(target).ok());
  EXPECT_TRUE(WriteMigrations(target, {File("1_a.sql", "one"), File("2_b.sql", "two")}).ok());
  EXPECT_THAT(Names(target), ElementsAre("1_a.sql", "2_b.sql"));
  EXPECT_EQ(*ReadPeerFile(target + "2_b.sql"), "two");
}

TEST_F(ImportDiskTest, RefusesADirectoryThatHasMigrations) {
  directory_.Write("README.md", "");
  EXPECT_TRUE(CheckTarget(directory_.path()).ok());
  directory_.Write("1_a.sql", "");
  EXPECT_THAT(std::string(CheckTarget(directory_.path()).message()), HasSubstr("1_a.sql"));
}

TEST_F(ImportDiskTest, LeavesNothingIfAFileIsInTheWay) {
  const std::string theirs = directory_.Write("target/2_b.sql", "theirs");
  const absl::Status status =
      WriteMigrations(directory_.path() + "/target",
                      {File("1_a.sql", "one"), File("2_b.sql", "two"), File("3_c.sql", "")});
  EXPECT_THAT(std::string(status.message()), HasSubstr("2_b.sql cannot be made"));
  EXPECT_THAT(Names(directory_.path() + "/target"), ElementsAre("2_b.sql"));
  EXPECT_EQ(*ReadPeerFile(theirs), "theirs");
}

TEST_F(ImportDiskTest, RemovesTheDirectoriesThatItMadeInVain) {
  const std::string name(300, 'x');  // longer than a file's name can be
  EXPECT_FALSE(WriteMigrations(directory_.path() + "/a/b", {File(name, "")}).ok());
  EXPECT_THAT(Names(directory_.path()), IsEmpty());
}

TEST_F(ImportDiskTest, ReadsFoldersOnlyIfAsked) {
  directory_.Write("V1__a.sql", "one");
  directory_.Write("b/V2__b.sql", "two");
  directory_.Write("b/V3__C.java", "class");
  directory_.Write(".git/V4__d.sql", "four");
  EXPECT_EQ(ReadPeerDirectory(directory_.path(), false)->size(), 1U);
  const auto files = ReadPeerDirectory(directory_.path(), true);
  ASSERT_EQ(files->size(), 3U);
  EXPECT_EQ((*files)[1].path, "b/V2__b.sql");
  EXPECT_EQ((*files)[1].contents, "two");
  EXPECT_EQ((*files)[2].contents, "");
  EXPECT_THAT(std::string(ReadPeerDirectory("/nowhere", true).status().message()),
              HasSubstr("/nowhere cannot be read"));
}

TEST_F(ImportDiskTest, NamesALinkThatLeadsNowhere) {
  fs::create_symlink("V0__gone.sql", directory_.path() + "/V1__a.sql");
  EXPECT_THAT(std::string(ReadPeerDirectory(directory_.path(), true).status().message()),
              HasSubstr("/V1__a.sql cannot be read: No such file"));
}

TEST_F(ImportDiskTest, PassesOverALinkThatIsNoMigration) {
  fs::create_symlink("gone", directory_.path() + "/notes");
  EXPECT_EQ(ReadPeerDirectory(directory_.path(), true)->size(), 0U);
}

TEST_F(ImportDiskTest, NamesAFileWhoseNameIsNotUtf8) {
  directory_.Write("V1__caf\xE9.sql", "");
  EXPECT_EQ(std::string(ReadPeerDirectory(directory_.path(), true).status().message()),
            "the name of V1__caf\\xe9.sql is not UTF-8; rename it");
}

TEST(ImportSkip, FindsAFileByItsPathOrItsName) {
  const std::vector<std::string> paths = {"a/R__x.sql", "b/R__x.sql", "b/R__y.sql"};
  std::vector<ImportProblem> problems;
  EXPECT_THAT(FindSkipped("db/", {"a/R__x.sql", "./db/b/R__x.sql", "R__y.sql"}, paths, problems),
              ElementsAre(0U, 1U, 2U));
  EXPECT_THAT(ProblemsOf(problems), IsEmpty());
  FindSkipped("db", {"R__x.sql", "R__z.sql"}, paths, problems);
  EXPECT_THAT(ProblemsOf(problems),
              ElementsAre("--skip R__x.sql: there is more than one such file in db",
                          "--skip R__z.sql: there is no such file in db"));
}

// --- Other programs ---

TEST(ImportProgram, ReadsBothOutputsHoweverMuchThereIs) {
  const auto result = RunProgram(
      {"sh", "-c", "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; pwd; exit 7"}, "/");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->exit_code, 7);
  EXPECT_EQ(result->out.size(), 300000U + 2U);
  EXPECT_EQ(result->err.size(), 300000U);
}

TEST(ImportProgram, SaysThatAProgramIsNotThere) {
  const auto result = RunProgram({"no-such-program"}, "/");
  EXPECT_THAT(std::string(result.status().message()),
              "no-such-program cannot be started: No such file or directory");
}

}  // namespace
}  // namespace migctl
