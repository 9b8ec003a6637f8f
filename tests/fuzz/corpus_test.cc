// Every input of the corpora, by which the fuzzers begin, keeps the properties. An input that a
// fuzzer has found belongs there too, under a name that says what it is about.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/revision/symbol.h"
#include "service/script/migration_file.h"
#include "tests/fuzz/properties.h"
#include "tests/support/process.h"

namespace migd::fuzz {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

struct Input {
  std::string name;
  std::string contents;
};

std::vector<Input> Corpus(const std::string& name) {
  std::vector<Input> inputs;
  const std::string folder = TestVariable("PROJECT_SOURCE") + "/tests/fuzz/corpus/" + name;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    std::ostringstream contents;
    contents << file.rdbuf();
    inputs.push_back({entry.path().filename().string(), contents.str()});
  }
  return inputs;
}

// What each input is for `is_good`: a corpus should have both, as the properties differ.
template <typename IsGood>
std::vector<bool> Kinds(const std::vector<Input>& inputs, IsGood is_good) {
  std::vector<bool> kinds;
  for (const Input& input : inputs) kinds.push_back(is_good(input.contents));
  return kinds;
}

TEST(FuzzCorpus, MigrationFilesKeepTheProperties) {
  for (const Input& input : Corpus("migration_file")) {
    EXPECT_THAT(CheckMigrationFile(input.contents), IsEmpty()) << input.name;
  }
}

TEST(FuzzCorpus, SymbolsKeepTheProperties) {
  for (const Input& input : Corpus("symbol")) {
    EXPECT_THAT(CheckSymbol(input.contents), IsEmpty()) << input.name;
  }
}

TEST(FuzzCorpus, HasMigrationFilesThatCanBeReadAndSuchThatCannot) {
  const auto kinds = Kinds(Corpus("migration_file"), [](const std::string& contents) {
    return MigrationFile::Parse("1a2b_fuzz.sql", contents).file != nullptr;
  });
  EXPECT_THAT(kinds, Contains(true));
  EXPECT_THAT(kinds, Contains(false));
}

TEST(FuzzCorpus, HasSymbolsAndRangesAndTextsThatAreNeither) {
  const std::vector<Input> corpus = Corpus("symbol");
  const auto is_symbol = [](const std::string& text) { return RevisionSymbol::Parse(text).ok(); };
  const auto is_range = [](const std::string& text) { return RevisionRange::Parse(text).ok(); };
  EXPECT_THAT(Kinds(corpus, is_symbol), Contains(true));
  EXPECT_THAT(Kinds(corpus, is_range), Contains(true));
  EXPECT_THAT(Kinds(corpus, [&](const std::string& t) { return !is_symbol(t) && !is_range(t); }),
              Contains(true));
}

}  // namespace
}  // namespace migd::fuzz
