#include "service/script/script_directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/base/errors.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string FileOf(absl::string_view id, absl::string_view revises, absl::string_view up = "") {
  return absl::StrCat("-- m\n-- Revision ID: ", id, "\n-- Revises: ", revises, "\n-- migrate:up\n",
                      up);
}

// A directory of its own, which is gone after the test.
class ScriptDirectoryTest : public ::testing::Test {
 protected:
  ScriptDirectoryTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "scripts_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~ScriptDirectoryTest() override { std::filesystem::remove_all(path_); }

  std::string PathOf(const std::string& name) const { return absl::StrCat(path_, "/", name); }

  void Write(const std::string& name, absl::string_view contents) const {
    std::ofstream stream(PathOf(name), std::ios::binary | std::ios::trunc);
    stream.write(contents.data(), static_cast<std::streamsize>(contents.size()));
    ASSERT_TRUE(stream.good());
  }

  // Makes a file look as if it had not been touched for long.
  void SetModificationTime(const std::string& name, time_t seconds) const {
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, PathOf(name).c_str(), times, 0), 0);
  }

  // What Load() finds, which must be without problems.
  std::shared_ptr<const ScriptSet> Load(ScriptDirectory& directory) const {
    absl::StatusOr<std::shared_ptr<const ScriptSet>> scripts = directory.Load();
    EXPECT_TRUE(scripts.ok()) << scripts.status();
    return scripts.ok() ? *scripts : nullptr;
  }

  std::string path_;
};

std::vector<std::string> Paths(const ScriptSet& scripts) {
  std::vector<std::string> paths;
  for (RevisionIndex i = 0; i < scripts.graph().size(); ++i) {
    paths.push_back(scripts.file(i).revision().path);
  }
  return paths;
}

TEST_F(ScriptDirectoryTest, LoadsAnEmptyDirectory) {
  ScriptDirectory directory(path_);
  EXPECT_EQ(Load(directory)->graph().size(), 0);
}

TEST_F(ScriptDirectoryTest, LoadsFilesInTheOrderOfCodePoints) {
  Write("b_x.sql", FileOf("b", "a1"));
  Write("a1_x.sql", FileOf("a1", ""));
  Write("a10_x.sql", FileOf("a10", "b"));
  Write("ž_x.sql", FileOf("ž", "a10"));
  ScriptDirectory directory(path_);
  EXPECT_THAT(Paths(*Load(directory)), ElementsAre("a10_x.sql", "a1_x.sql", "b_x.sql", "ž_x.sql"));
}

TEST_F(ScriptDirectoryTest, GivesTheFileOfARevision) {
  Write("a_x.sql", FileOf("a", "b", "SELECT 'a';"));
  Write("b_x.sql", FileOf("b", "", "SELECT 'b';"));
  ScriptDirectory directory(path_);
  const auto scripts = Load(directory);
  EXPECT_EQ(scripts->file(*scripts->graph().Find("b")).up().statements[0].text, "SELECT 'b'");
}

TEST_F(ScriptDirectoryTest, LeavesOutWhatIsNoMigrationFile) {
  Write("a_x.sql", FileOf("a", ""));
  Write("README.md", "# SELECT");
  Write(".#a_x.sql", "locked by an editor");
  Write("a_x.sql~", "a backup");
  std::filesystem::create_directory(PathOf("folder.sql"));
  std::filesystem::create_directory(PathOf("below"));
  Write("below/b_x.sql", "not even well-formed");
  ScriptDirectory directory(path_);
  EXPECT_THAT(Paths(*Load(directory)), ElementsAre("a_x.sql"));
}

TEST_F(ScriptDirectoryTest, DoesNotWaitForAWriterOfAPipe) {
  ASSERT_EQ(::mkfifo(PathOf("pipe.sql").c_str(), 0600), 0);
  ScriptDirectory directory(path_);
  EXPECT_THAT(Paths(*Load(directory)), IsEmpty());
}

TEST_F(ScriptDirectoryTest, FollowsLinks) {
  std::filesystem::create_directory(PathOf("data"));
  Write("data/a_x.sql", FileOf("a", ""));
  std::filesystem::create_symlink("data/a_x.sql", PathOf("a_x.sql"));
  ScriptDirectory directory(path_);
  EXPECT_THAT(Paths(*Load(directory)), ElementsAre("a_x.sql"));
}

// --- Changes ---

TEST_F(ScriptDirectoryTest, ReturnsTheSameSetIfNothingChanged) {
  Write("a_x.sql", FileOf("a", ""));
  ScriptDirectory directory(path_);
  const auto first = Load(directory);
  EXPECT_EQ(Load(directory), first);
}

TEST_F(ScriptDirectoryTest, ReturnsTheSameSetIfAFileWasOnlyTouched) {
  Write("a_x.sql", FileOf("a", ""));
  ScriptDirectory directory(path_);
  const auto first = Load(directory);
  Write("a_x.sql", FileOf("a", ""));
  EXPECT_EQ(Load(directory), first);
}

TEST_F(ScriptDirectoryTest, SeesAnAddedFile) {
  Write("a_x.sql", FileOf("a", ""));
  ScriptDirectory directory(path_);
  Load(directory);
  Write("b_x.sql", FileOf("b", "a"));
  EXPECT_THAT(Paths(*Load(directory)), ElementsAre("a_x.sql", "b_x.sql"));
}

TEST_F(ScriptDirectoryTest, SeesARemovedFile) {
  Write("a_x.sql", FileOf("a", ""));
  Write("b_x.sql", FileOf("b", "a"));
  ScriptDirectory directory(path_);
  Load(directory);
  std::filesystem::remove(PathOf("b_x.sql"));
  EXPECT_THAT(Paths(*Load(directory)), ElementsAre("a_x.sql"));
}

TEST_F(ScriptDirectoryTest, SeesARenamedFile) {
  Write("a_x.sql", FileOf("a", ""));
  ScriptDirectory directory(path_);
  Load(directory);
  std::filesystem::rename(PathOf("a_x.sql"), PathOf("a_y.sql"));
  EXPECT_THAT(Paths(*Load(directory)), ElementsAre("a_y.sql"));
}

TEST_F(ScriptDirectoryTest, SeesAnEditOfTheSameSizeRightAfterALoad) {
  Write("a_x.sql", FileOf("a", "", "SELECT 1;"));
  ScriptDirectory directory(path_);
  for (const char* statement : {"SELECT 2", "SELECT 3", "SELECT 4"}) {
    Load(directory);
    Write("a_x.sql", FileOf("a", "", statement));
    EXPECT_EQ(Load(directory)->file(0).up().statements[0].text, statement);
  }
}

TEST_F(ScriptDirectoryTest, SeesAnEditThatKeepsSizeAndModificationTime) {
  Write("a_x.sql", FileOf("a", "", "SELECT 1;"));
  SetModificationTime("a_x.sql", 1'000'000'000);
  ScriptDirectory directory(path_);
  Load(directory);
  Write("a_x.sql", FileOf("a", "", "SELECT 2;"));
  SetModificationTime("a_x.sql", 1'000'000'000);
  EXPECT_EQ(Load(directory)->file(0).up().statements[0].text, "SELECT 2");
}

// What is written by way of another directory, the kernel tells to those who watch that one.
TEST_F(ScriptDirectoryTest, SeesAnEditOfWhereALinkLeads) {
  std::filesystem::create_directory(PathOf("data"));
  Write("data/a_x.sql", FileOf("a", "", "SELECT 1;"));
  std::filesystem::create_symlink("data/a_x.sql", PathOf("a_x.sql"));
  ScriptDirectory directory(path_);
  Load(directory);
  Load(directory);
  Write("data/a_x.sql", FileOf("a", "", "SELECT 2;"));
  EXPECT_EQ(Load(directory)->file(0).up().statements[0].text, "SELECT 2");
}

TEST_F(ScriptDirectoryTest, SeesAnEditByAnotherNameOfTheFile) {
  std::filesystem::create_directory(PathOf("data"));
  Write("data/a_x.sql", FileOf("a", "", "SELECT 1;"));
  std::filesystem::create_hard_link(PathOf("data/a_x.sql"), PathOf("a_x.sql"));
  ScriptDirectory directory(path_);
  Load(directory);
  Load(directory);
  Write("data/a_x.sql", FileOf("a", "", "SELECT 2;"));
  EXPECT_EQ(Load(directory)->file(0).up().statements[0].text, "SELECT 2");
}

// As Kubernetes renews a ConfigMap.
TEST_F(ScriptDirectoryTest, SeesThatALinkOnTheWayLeadsElsewhere) {
  for (const char* version : {"1", "2"}) {
    std::filesystem::create_directory(PathOf(version));
    Write(absl::StrCat(version, "/a_x.sql"),
          FileOf("a", "", absl::StrCat("SELECT ", version, ";")));
  }
  std::filesystem::create_directory_symlink("1", PathOf("data"));
  ScriptDirectory directory(PathOf("data"));
  Load(directory);
  Load(directory);
  std::filesystem::create_directory_symlink("2", PathOf("new"));
  std::filesystem::rename(PathOf("new"), PathOf("data"));
  EXPECT_EQ(Load(directory)->file(0).up().statements[0].text, "SELECT 2");
}

TEST_F(ScriptDirectoryTest, SeesThatADirectoryTookThePlaceOfTheOther) {
  std::filesystem::create_directory(PathOf("data"));
  Write("data/a_x.sql", FileOf("a", ""));
  ScriptDirectory directory(PathOf("data"));
  Load(directory);
  std::filesystem::rename(PathOf("data"), PathOf("old"));
  EXPECT_FALSE(directory.Load().ok());
  std::filesystem::create_directory(PathOf("data"));
  Write("data/b_x.sql", FileOf("b", ""));
  EXPECT_THAT(Paths(*Load(directory)), ElementsAre("b_x.sql"));
}

TEST_F(ScriptDirectoryTest, ReadsThousandsOfFilesInOrder) {
  std::string above;
  std::vector<std::string> names;
  for (int i = 1000; i < 4000; ++i) {
    names.push_back(absl::StrCat("r", i, ".sql"));
    Write(names.back(), FileOf(absl::StrCat("r", i), above));
    above = absl::StrCat("r", i);
  }
  ScriptDirectory directory(path_);
  const auto loaded = Load(directory);
  EXPECT_EQ(Paths(*loaded), names);
  EXPECT_EQ(Load(directory), loaded);
}

TEST_F(ScriptDirectoryTest, KeepsTheFilesThatDidNotChange) {
  Write("a_x.sql", FileOf("a", ""));
  ScriptDirectory directory(path_);
  const auto first = Load(directory);
  Write("b_x.sql", FileOf("b", "a"));
  EXPECT_EQ(&Load(directory)->file(0), &first->file(0));
}

TEST_F(ScriptDirectoryTest, LeavesAnEarlierSetWhole) {
  Write("a_x.sql", FileOf("a", "", "SELECT 1;"));
  ScriptDirectory directory(path_);
  const auto first = Load(directory);
  Write("a_x.sql", "broken");
  EXPECT_FALSE(directory.Load().ok());
  EXPECT_EQ(first->file(0).up().statements[0].text, "SELECT 1");
}

TEST_F(ScriptDirectoryTest, LoadsAgainOnceAProblemIsCorrected) {
  Write("a_x.sql", "broken");
  ScriptDirectory directory(path_);
  EXPECT_FALSE(directory.Load().ok());
  Write("a_x.sql", FileOf("a", ""));
  EXPECT_THAT(Paths(*Load(directory)), ElementsAre("a_x.sql"));
}

TEST_F(ScriptDirectoryTest, LoadsFromManyThreadsWhileFilesAreAdded) {
  Write("r0_x.sql", FileOf("r0", ""));
  ScriptDirectory directory(path_);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int size = 0; size < 20;) size = Load(directory)->graph().size();
    });
  }
  for (int i = 1; i < 20; ++i) {
    Write("new.tmp", FileOf(absl::StrCat("r", i), absl::StrCat("r", i - 1)));
    std::filesystem::rename(PathOf("new.tmp"), PathOf(absl::StrCat("r", i, "_x.sql")));
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Load(directory)->graph().size(), 20);
}

// --- Problems ---

TEST_F(ScriptDirectoryTest, ReportsTheProblemsOfEveryFile) {
  Write("a_x.sql", "-- migrate:up\n");
  Write("b_x.sql", "-- Revision ID: b\n-- migrate:up\nSELECT 'x\n");
  ScriptDirectory directory(path_);
  const absl::Status status = directory.Load().status();
  EXPECT_EQ(errors::ReasonOf(status), migration::v1::ERROR_REASON_INVALID_MIGRATIONS);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("a_x.sql:1: no revision id"), HasSubstr("b_x.sql:3: this string")));
}

TEST_F(ScriptDirectoryTest, ReportsTheSameProblemsAgain) {
  Write("a_x.sql", "-- migrate:up\n");
  ScriptDirectory directory(path_);
  const absl::Status first = directory.Load().status();
  EXPECT_EQ(directory.Load().status(), first);
}

TEST_F(ScriptDirectoryTest, ReportsTheProblemsOfTheGraph) {
  Write("a_x.sql", FileOf("a", "missing"));
  ScriptDirectory directory(path_);
  const absl::Status status = directory.Load().status();
  EXPECT_EQ(errors::ReasonOf(status), migration::v1::ERROR_REASON_INVALID_MIGRATIONS);
  EXPECT_THAT(std::string(status.message()), HasSubstr("missing"));
}

TEST_F(ScriptDirectoryTest, DoesNotBlameTheGraphForFilesThatCannotBeRead) {
  Write("a_x.sql", "-- Revision ID: a\n-- migrate:up\nSELECT 'x\n");
  Write("b_x.sql", FileOf("b", "a"));
  ScriptDirectory directory(path_);
  EXPECT_THAT(std::string(directory.Load().status().message()), Not(HasSubstr("b_x.sql")));
}

TEST_F(ScriptDirectoryTest, ReportsAMissingDirectory) {
  ScriptDirectory directory(PathOf("nowhere"));
  const absl::Status status = directory.Load().status();
  EXPECT_EQ(errors::ReasonOf(status), migration::v1::ERROR_REASON_INVALID_MIGRATIONS);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(PathOf("nowhere")), HasSubstr("No such file or directory")));
}

TEST_F(ScriptDirectoryTest, ReportsALinkThatLeadsNowhere) {
  std::filesystem::create_symlink("nowhere", PathOf("a_x.sql"));
  ScriptDirectory directory(path_);
  EXPECT_THAT(std::string(directory.Load().status().message()),
              HasSubstr("a_x.sql:1: cannot be read: No such file or directory"));
}

TEST_F(ScriptDirectoryTest, RefusesAFileAboveOneGibibyte) {
  Write("a_x.sql", "");
  std::filesystem::resize_file(PathOf("a_x.sql"), (uintmax_t{1} << 30) + 1);
  ScriptDirectory directory(path_);
  EXPECT_THAT(std::string(directory.Load().status().message()),
              HasSubstr("a_x.sql:1: larger than 1 GiB"));
}

TEST_F(ScriptDirectoryTest, RefusesANameThatIsNotUtf8) {
  Write("a\xFF.sql", FileOf("a", ""));
  ScriptDirectory directory(path_);
  EXPECT_THAT(std::string(directory.Load().status().message()),
              HasSubstr("a\\377.sql:1: the name is not UTF-8"));
}

}  // namespace
}  // namespace migd
