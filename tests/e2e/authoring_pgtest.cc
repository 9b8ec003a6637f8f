// New migration files: `migctl revision` and `migctl merge`, beside the real Alembic.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

class AuthoringTest : public ServiceTest {
 protected:
  // In the service's own directory unless `arguments` say otherwise.
  Finished Author(Arguments arguments) {
    return Migctl(arguments, {{"MIGCTL_MIGRATIONS", migrations()}});
  }

  // The file that a command creates, relative to the migrations.
  std::string Created(const Arguments& arguments) {
    const Finished finished = Author(arguments);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    EXPECT_EQ(finished.err, "");
    const std::string begin = absl::StrCat("Created ", migrations(), "/");
    EXPECT_EQ(finished.out.substr(0, begin.size()), begin);
    return finished.out.substr(begin.size(), finished.out.size() - begin.size() - 1);
  }

  std::string Refusal(const Arguments& arguments) {
    const std::set<std::string> before = Files();
    const Finished finished = Author(arguments);
    EXPECT_EQ(finished.exit_code, 1) << finished.out;
    EXPECT_EQ(Files(), before);
    return finished.err;
  }

  std::set<std::string> Files() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(migrations())) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }

  std::string History() { return Text({"history"}); }
};

TEST_F(AuthoringTest, ANewcomerWritesTwoRevisionsAndRunsThem) {
  migd();
  const std::string first = Created({"revision", "-m", "Add invoices"});
  EXPECT_THAT(first, MatchesRegex("[0-9a-f]{12}_add_invoices.sql"));
  std::ifstream file(migrations() + "/" + first);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  text.insert(text.find("-- migrate:up\n") + 14, "CREATE TABLE invoices ();\n");
  AddFile(first, text);
  Created({"revision", "-m", "nothing yet", "--rev-id", "7c20"});
  Text({"upgrade", "head"});
  EXPECT_EQ(VersionRows(), "7c20");
  EXPECT_EQ(Query("SELECT to_regclass('invoices')"), "invoices");
  Text({"downgrade", "base"});
}

TEST_F(AuthoringTest, BranchesDependenciesAndMerges) {
  Add({.id = "aa10"});
  EXPECT_EQ(Created({"revision", "-m", "b", "--rev-id", "bb20"}), "bb20_b.sql");
  EXPECT_EQ(Created({"revision", "-m", "c", "--rev-id", "cc30", "--head", "aa10", "--splice",
                     "--branch-label", "side", "--depends-on", "bb2"}),
            "cc30_c.sql");
  EXPECT_EQ(Created({"revision", "-m", "root", "--rev-id", "dd40", "--head", "base"}),
            "dd40_root.sql");
  EXPECT_EQ(Created({"revision", "-m", "on side", "--rev-id", "ee50", "--head", "side@head"}),
            "ee50_on_side.sql");
  EXPECT_EQ(Created({"merge", "bb20", "ee50", "--rev-id", "ff60"}), "ff60_merge_bb20_and_ee50.sql");
  EXPECT_EQ(Created({"merge", "heads", "-m", "all one", "--rev-id", "ff70"}), "ff70_all_one.sql");
  EXPECT_EQ(Text({"heads"}), "ff70 (side) (head)\n");
  const std::string history = History();
  EXPECT_THAT(history, HasSubstr("aa10 (bb20) -> cc30 (side)"));
  EXPECT_THAT(history, HasSubstr("bb20, ee50 -> ff60 (side) (mergepoint), merge bb20 and ee50"));
  EXPECT_THAT(history, HasSubstr("dd40, ff60 -> ff70 (side) (head) (mergepoint), all one"));
  Text({"upgrade", "heads"});
  EXPECT_EQ(VersionRows(), "ff70");
}

TEST_F(AuthoringTest, TheMistakesThatAlembicRefuses) {
  Add({.id = "aa10", .labels = "core"});
  Add({.id = "bb20", .revises = "aa10"});
  Add({.id = "bb21", .revises = "aa10"});
  EXPECT_THAT(Refusal({"revision", "-m", "x"}),
              AllOf(HasSubstr("[MULTIPLE_HEADS]"), HasSubstr("bb20, bb21")));
  EXPECT_THAT(Refusal({"revision", "-m", "x", "--head", "aa10"}),
              AllOf(HasSubstr("[NOT_A_HEAD]"), HasSubstr("--splice")));
  EXPECT_THAT(Refusal({"revision", "-m", "x", "--head", "zz"}), HasSubstr("[UNKNOWN_REVISION]"));
  EXPECT_THAT(Refusal({"revision", "-m", "x", "--head", "bb20", "--rev-id", "aa10"}),
              HasSubstr("[REVISION_EXISTS]"));
  EXPECT_THAT(Refusal({"revision", "-m", "x", "--head", "bb20", "--rev-id", "a-1"}),
              HasSubstr("not allowed there: -"));
  EXPECT_THAT(Refusal({"revision", "-m", "x", "--head", "bb20", "--branch-label", "core"}),
              HasSubstr("[LABEL_EXISTS]"));
  EXPECT_THAT(Refusal({"revision", "-m", "x", "--head", "bb20", "--depends-on", "zz"}),
              HasSubstr("[UNKNOWN_REVISION]"));
  EXPECT_THAT(Refusal({"merge", "bb20"}), HasSubstr("nothing to merge"));
  EXPECT_THAT(Refusal({"merge", "bb20", "bb20"}), HasSubstr("named twice"));
  EXPECT_THAT(Refusal({"merge", "aa10", "bb20"}), HasSubstr("[NOT_A_HEAD]"));
  EXPECT_EQ(Author({"revision"}).exit_code, 2);
}

TEST_F(AuthoringTest, ItSaysIfMigdReadsOtherFiles) {
  migd();
  const TemporaryDirectory elsewhere;
  const Finished finished =
      Author({"revision", "-m", "x", "--rev-id", "aa10", "--migrations", elsewhere.path()});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_THAT(finished.err, HasSubstr("migd does not see aa10"));
  EXPECT_THAT(Files(), IsEmpty());
}

}  // namespace
}  // namespace migd
