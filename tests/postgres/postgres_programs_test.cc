#include "service/postgres/postgres_programs.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

int MajorOf(absl::string_view output) {
  const auto program = ReadProgramVersion(output);
  return program ? program->major : -1;
}

TEST(ReadProgramVersion, ReadsWhatProgramsSay) {
  const auto debian = ReadProgramVersion("pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n");
  ASSERT_TRUE(debian);
  EXPECT_EQ(debian->version, "15.14");
  EXPECT_EQ(debian->major, 15);
  EXPECT_EQ(MajorOf("postgres (PostgreSQL) 18beta1\n"), 18);
  EXPECT_EQ(MajorOf("pg_dump (PostgreSQL) 9.6.24"), 9);
  EXPECT_EQ(MajorOf("pg_dump: error: no"), -1);
  EXPECT_EQ(MajorOf("pg_dump (PostgreSQL) devel"), -1);
}

// One that does not tell it in time, and one that may not run, look the same.
TEST(FindDumpPrograms, TellsAProgramThatSaysNothingFromOneThatIsNotThere) {
  TemporaryDirectory directory;
  EXPECT_THAT(FindDumpPrograms(directory.path(), 150000).problem, HasSubstr("are not found in"));
  for (const char* name : {"pg_dump", "pg_restore"}) {
    const std::string path = directory.path() + "/" + name;
    std::ofstream(path) << "#!/bin/sh\nexit 1\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  const DumpPrograms programs = FindDumpPrograms(directory.path(), 150000);
  EXPECT_FALSE(programs.found);
  EXPECT_EQ(programs.problem,
            directory.path() + "/pg_dump: told no version when asked with --version");
}

TEST(RunProgram, HidesSystemdFromWhatItStarts) {
  TemporaryDirectory directory;
  const std::string output = directory.path() + "/output";
  setenv("NOTIFY_SOCKET", "/nowhere", 1);
  setenv("WATCHDOG_USEC", "1", 1);
  const auto status = RunProgram({"/usr/bin/env"}, output, {"SEEN=1"}, [] { return true; });
  unsetenv("NOTIFY_SOCKET");
  unsetenv("WATCHDOG_USEC");
  ASSERT_TRUE(status.ok() && *status == 0) << TailOf(output);
  std::ostringstream environment;
  environment << std::ifstream(output).rdbuf();
  EXPECT_THAT(environment.str(), AllOf(HasSubstr("SEEN=1"), Not(HasSubstr("NOTIFY_SOCKET")),
                                       Not(HasSubstr("WATCHDOG_"))));
}

}  // namespace
}  // namespace migd
