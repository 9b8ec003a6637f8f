// README.md shows code and flags: they are those of the project.
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace migd {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string ProjectFile(const std::string& name) {
  std::ifstream file(TestVariable("PROJECT_SOURCE") + "/" + name, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << name;
  std::ostringstream contents;
  contents << file.rdbuf();
  return contents.str();
}

std::string Readme() { return ProjectFile("README.md"); }

// The flags that `migd --help` lists, without those that every program has.
std::set<std::string> FlagsOfHelp() {
  const Finished help = RunCommand({{TestVariable("MIGD"), "--help"}});
  EXPECT_EQ(help.exit_code, 0) << help.err;
  std::set<std::string> flags;
  for (absl::string_view line : absl::StrSplit(help.out, '\n')) {
    if (!absl::ConsumePrefix(&line, "  --")) continue;
    const std::string name(line.substr(0, line.find(' ')));
    if (name != "version") flags.insert("--" + name);
  }
  return flags;
}

// The flags of README's table: each with the environment variable that stands beside it.
std::map<std::string, std::string> FlagsOfReadme() {
  std::map<std::string, std::string> flags;
  const std::string readme = Readme();
  for (absl::string_view line : absl::StrSplit(readme, '\n')) {
    if (!absl::ConsumePrefix(&line, "| `--")) continue;
    const std::string name(line.substr(0, line.find_first_of(" `")));
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    const std::string variable = cells.size() < 2 ? "" : cells[1];
    const bool added = flags.insert({"--" + name, variable}).second;
    EXPECT_TRUE(added) << name << " is there twice";
  }
  return flags;
}

TEST(Readme, ShowsThePythonExampleAsItIs) {
  EXPECT_THAT(Readme(), HasSubstr(ProjectFile("client/examples/python/gate.py")));
}

TEST(Readme, ShowsTheCppExampleAsItIs) {
  EXPECT_THAT(Readme(), HasSubstr(ProjectFile("client/examples/cpp/upgrade.cc")));
}

TEST(Readme, ListsTheFlagsOfMigdAndNoOthers) {
  std::set<std::string> listed;
  for (const auto& [flag, variable] : FlagsOfReadme()) listed.insert(flag);
  const std::set<std::string> flags = FlagsOfHelp();
  EXPECT_THAT(flags, Not(IsEmpty()));
  EXPECT_EQ(listed, flags);
}

TEST(Readme, NamesTheEnvironmentVariableOfEachFlag) {
  for (const auto& [flag, variable] : FlagsOfReadme()) {
    const std::string name =
        absl::AsciiStrToUpper(absl::StrReplaceAll(flag.substr(2), {{"-", "_"}}));
    EXPECT_EQ(variable, absl::StrCat(" `MIGD_", name, "` ")) << flag;
  }
}

}  // namespace
}  // namespace migd
