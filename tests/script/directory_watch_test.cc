#include "service/script/directory_watch.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace migd {
namespace {

class DirectoryWatchTest : public ::testing::Test {
 protected:
  DirectoryWatchTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "watch_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
    Write("1");
  }
  ~DirectoryWatchTest() override { std::filesystem::remove_all(path_); }

  std::string file() const { return path_ + "/file"; }
  void Write(const char* text) const { std::ofstream(file()) << text; }

  std::string path_;
};

TEST_F(DirectoryWatchTest, KnowsThatNothingChanged) {
  DirectoryWatch watch(path_);
  EXPECT_TRUE(watch.MayHaveChanged());
  if (watch.MayHaveChanged()) GTEST_SKIP() << "the file system here is none that can be watched";
  std::ifstream(file()).get();
  EXPECT_FALSE(watch.MayHaveChanged());
}

TEST_F(DirectoryWatchTest, TellsOfEachChangeOnce) {
  DirectoryWatch watch(path_);
  watch.MayHaveChanged();
  if (watch.MayHaveChanged()) GTEST_SKIP() << "the file system here is none that can be watched";
  Write("2");
  EXPECT_TRUE(watch.MayHaveChanged());
  EXPECT_FALSE(watch.MayHaveChanged());
  std::filesystem::permissions(file(), std::filesystem::perms::none);
  EXPECT_TRUE(watch.MayHaveChanged());
  std::filesystem::rename(file(), file() + "2");
  EXPECT_TRUE(watch.MayHaveChanged());
  std::filesystem::remove(file() + "2");
  EXPECT_TRUE(watch.MayHaveChanged());
  EXPECT_FALSE(watch.MayHaveChanged());
}

TEST_F(DirectoryWatchTest, NeverTrustsWhatItCannotWatch) {
  DirectoryWatch missing(path_ + "/missing");
  DirectoryWatch of_the_kernel("/proc/self");
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(missing.MayHaveChanged());
    EXPECT_TRUE(of_the_kernel.MayHaveChanged());
  }
}

TEST_F(DirectoryWatchTest, WatchesWhatTakesThePlaceOfTheDirectory) {
  DirectoryWatch watch(path_);
  watch.MayHaveChanged();
  if (watch.MayHaveChanged()) GTEST_SKIP() << "the file system here is none that can be watched";
  // Moved away, so that the next has another inode; and removed, so that it may have the same.
  for (const bool moved : {true, false}) {
    if (moved) {
      std::filesystem::rename(path_, path_ + "_old");
    } else {
      std::filesystem::remove_all(path_);
    }
    std::filesystem::create_directory(path_);
    EXPECT_TRUE(watch.MayHaveChanged());
    EXPECT_FALSE(watch.MayHaveChanged());
    Write("2");
    EXPECT_TRUE(watch.MayHaveChanged());
  }
  std::filesystem::remove_all(path_ + "_old");
}

}  // namespace
}  // namespace migd
