// The reading commands print what the real Alembic prints for the same revisions and the same
// database, where no terminal is. What differs, and why:
// - Alembic keeps sets, so that the order of lines, of entries and of names in a list changes from
//   run to run; ours is that of the files. Compared without regard to it.
// - `Path` is Alembic's absolute path of a Python file; ours is relative to the migrations, which
//   are on the server.
// - `Applied`, from the database's log, and `Created` are lines of ours: an Alembic docstring has
//   the Create Date, and Alembic does not know when a revision was applied.
// - `current -v` names the database by the name that requests use, not by a URL.
// - A row that no file has is listed, where Alembic fails.
#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "tests/e2e/alembic_fixture.h"

namespace migd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAreArray;

// The line with the names that commas join sorted: "b, a (d, c) -> e" as "a, b (c, d) -> e".
std::string WithSortedLists(std::string line) {
  static const auto& list = *new std::regex("[^ (),]+(, [^ (),]+)+");
  std::string sorted;
  for (std::smatch found; std::regex_search(line, found, list); line = found.suffix()) {
    std::vector<std::string> names = absl::StrSplit(found.str(), ", ");
    std::sort(names.begin(), names.end());
    absl::StrAppend(&sorted, found.prefix().str(), absl::StrJoin(names, ", "));
  }
  return absl::StrCat(sorted, line);
}

bool DiffersByDesign(absl::string_view line) {
  return absl::StartsWith(line, "Path: ") || absl::StartsWith(line, "Applied: ") ||
         absl::StartsWith(line, "Current revision(s) for ");
}

// Whether a line belongs to the entry that the line before belongs to.
bool GoesOn(absl::string_view line) {
  return !absl::StartsWith(line, "Rev: ") && !absl::StrContains(line, " -> ");
}

// The pieces of a listing, to be compared in any order: lines, or with -v whole entries.
std::vector<std::string> Pieces(const std::string& listing, bool verbose) {
  std::vector<std::string> pieces;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(listing, '\n'))) {
    if (DiffersByDesign(line)) continue;
    if (verbose && GoesOn(line) && !pieces.empty()) {
      absl::StrAppend(&pieces.back(), "\n", WithSortedLists(line));
    } else {
      pieces.push_back(WithSortedLists(line));
    }
  }
  // The listing's last newline would make the last piece differ from the same one elsewhere.
  for (std::string& piece : pieces) absl::StripTrailingAsciiWhitespace(&piece);
  return pieces;
}

// Two bases with labels, a branch point and its merge, dependencies by id and by label, a label in
// the middle, heads that others depend on.
//
//     aa10 (core) <- aa20, aa30 <- aa40 <- cc10, which needs billing <- cc20 (tip)
//     bb10 (billing, money) <- bb20, which needs aa20
//     dd10
//     ee10, which needs dd10 and cc10
class AlembicListingsTest : public AlembicTest {
 protected:
  void SetUp() override {
    AlembicTest::SetUp();
    AddToBoth({.id = "aa10", .labels = "core"});
    AddToBoth({.id = "aa20", .revises = "aa10"});
    AddToBoth({.id = "aa30", .revises = "aa10"});
    AddToBoth({.id = "aa40", .revises = "aa20, aa30"});
    AddToBoth({.id = "bb10", .labels = "billing, money"});
    AddToBoth({.id = "bb20", .revises = "bb10", .depends_on = "aa20"});
    AddToBoth({.id = "cc10", .revises = "aa40", .depends_on = "billing"});
    AddToBoth({.id = "cc20", .revises = "cc10", .labels = "tip"});
    AddToBoth({.id = "dd10"});
    AddToBoth({.id = "ee10", .depends_on = "dd10, cc10"});
  }

  void ExpectTheSame(const Arguments& arguments) {
    const bool verbose = arguments.front() == "show" || arguments.back() == "-v";
    const std::string theirs = Alembic(arguments);
    const std::string ours = Text(arguments);
    EXPECT_THAT(Pieces(ours, verbose), UnorderedElementsAreArray(Pieces(theirs, verbose)))
        << absl::StrJoin(arguments, " ") << ", Alembic's:\n"
        << theirs << "ours:\n"
        << ours;
  }
};

TEST_F(AlembicListingsTest, HistoryIsAlembics) {
  ASSERT_EQ(Migctl({"upgrade", "ee10"}).exit_code, 0);
  ExpectTheSame({"history"});
  ExpectTheSame({"history", "-v"});
  ExpectTheSame({"history", "-i"});
  ExpectTheSame({"history", "-i", "-v"});
  ExpectTheSame({"history", "-r", "aa10:aa40"});
  ExpectTheSame({"history", "-r", "bb10:", "-v"});
  ExpectTheSame({"history", "--rev-range", ":cc10", "--indicate-current"});
}

TEST_F(AlembicListingsTest, HeadsAreAlembics) {
  ASSERT_EQ(Migctl({"upgrade", "cc20"}).exit_code, 0);
  ExpectTheSame({"heads"});
  ExpectTheSame({"heads", "-v"});
  ExpectTheSame({"heads", "--resolve-dependencies"});
  ExpectTheSame({"heads", "--resolve-dependencies", "-v"});
  EXPECT_THAT(Text({"heads"}), HasSubstr("dd10 (effective head)\n"));
  EXPECT_THAT(Text({"heads", "--resolve-dependencies"}), Not(HasSubstr("dd10")));
}

TEST_F(AlembicListingsTest, BranchesAreAlembics) {
  AddToBoth({.id = "ff10", .revises = "dd10"});
  AddToBoth({.id = "ff20", .revises = "dd10", .labels = "side", .depends_on = "ff10"});
  ExpectTheSame({"branches"});
  ExpectTheSame({"branches", "-v"});
}

TEST_F(AlembicListingsTest, CurrentIsAlembicsWithWhatTheRowsImply) {
  ExpectTheSame({"current"});
  ASSERT_EQ(Migctl({"upgrade", "aa20"}).exit_code, 0);
  ExpectTheSame({"current"});
  ASSERT_EQ(Migctl({"upgrade", "ee10"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "ee10");
  ExpectTheSame({"current"});
  ExpectTheSame({"current", "-v"});
  EXPECT_EQ(Text({"current"}), "ee10 (head)\nbb10\ncc10\ndd10 (effective head)\n");
  ASSERT_EQ(Migctl({"upgrade", "heads"}).exit_code, 0);
  ExpectTheSame({"current"});
}

TEST_F(AlembicListingsTest, ShowIsAlembics) {
  ASSERT_EQ(Migctl({"upgrade", "aa40"}).exit_code, 0);
  for (const char* symbol : {"aa10", "aa4", "bb20", "cc10", "cc20", "dd10", "ee10", "core@head",
                             "billing@head", "heads", "current", "tip"}) {
    ExpectTheSame({"show", symbol});
  }
}

TEST_F(AlembicListingsTest, TheComparisonSeesADifference) {
  Add({.id = "zz90"});
  EXPECT_THAT(Pieces(Text({"history"}), false),
              Not(UnorderedElementsAreArray(Pieces(Alembic({"history"}), false))));
  EXPECT_EQ(WithSortedLists("b, a (d, c) -> e (g, f) (head), message of e"),
            WithSortedLists("a, b (c, d) -> e (f, g) (head), message of e"));
  EXPECT_NE(WithSortedLists("a -> b (current)"), WithSortedLists("a -> b"));
  EXPECT_NE(WithSortedLists("a -> b (c) (head)"), WithSortedLists("a -> b (head) (c)"));
}

}  // namespace
}  // namespace migd
