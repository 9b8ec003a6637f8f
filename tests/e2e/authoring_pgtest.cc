// New migration files: `migctl revision` and `migctl merge`, beside the real Alembic.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
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
  Text({"downgrade", "base", "--yes"});
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

// One thing to write, as both programs are asked for it.
struct AuthoringCase {
  std::vector<Migration> files;
  // The command and its arguments after -m or the revisions.
  Arguments arguments;
  // The same as JSON, for alembic.command.
  std::string command;
  std::string alembic_arguments;
};

std::string JsonList(const std::string& names) {
  if (names.empty()) return "[]";
  return absl::StrCat("[\"", absl::StrReplaceAll(names, {{", ", "\",\""}}), "\"]");
}

std::string ToJson(const AuthoringCase& each) {
  std::vector<std::string> files;
  for (const Migration& file : each.files) {
    files.push_back(absl::StrCat("[\"", file.id, "\",", JsonList(file.revises), ",",
                                 JsonList(file.labels), ",", JsonList(file.depends_on), "]"));
  }
  return absl::StrCat("{\"files\":[", absl::StrJoin(files, ","), "],\"command\":\"", each.command,
                      "\",\"arguments\":{", each.alembic_arguments, "}}");
}

std::set<std::string> SetOf(const Json& list) {
  const std::vector<std::string> texts = list.texts();
  return {texts.begin(), texts.end()};
}

TEST_F(AuthoringTest, WritesWhatAlembicWritesAndRefusesWhatItRefuses) {
  const std::vector<Migration> chain = {{.id = "aa10", .labels = "core"},
                                        {.id = "bb20", .revises = "aa10"}};
  const std::vector<Migration> fork = {{.id = "aa10", .labels = "core"},
                                       {.id = "bb20", .revises = "aa10"},
                                       {.id = "bb21", .revises = "aa10"}};
  const std::vector<Migration> needed = {
      {.id = "aa10"}, {.id = "bb20", .depends_on = "aa10"}, {.id = "cc30"}};
  const auto revision = [](const std::vector<Migration>& files, Arguments options,
                           const std::string& alembic_options) {
    Arguments arguments = {"revision", "-m", "Add X, it's new"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return AuthoringCase{files, arguments, "revision",
                         absl::StrCat("\"message\":\"Add X, it's new\"",
                                      alembic_options.empty() ? "" : ",", alembic_options)};
  };
  const auto merge = [](const std::vector<Migration>& files, Arguments revisions,
                        const std::string& alembic_revisions) {
    Arguments arguments = {"merge", "-m", "one"};
    arguments.insert(arguments.end(), revisions.begin(), revisions.end());
    return AuthoringCase{files, arguments, "merge",
                         absl::StrCat("\"message\":\"one\",\"revisions\":", alembic_revisions)};
  };
  const std::vector<AuthoringCase> cases = {
      revision({}, {}, ""),
      revision(chain, {}, ""),
      revision(fork, {}, ""),
      revision(fork, {"--head", "bb21"}, R"("head":"bb21")"),
      revision(fork, {"--head", "heads"}, R"("head":"heads")"),
      revision(fork, {"--head", "core@head"}, R"("head":"core@head")"),
      revision(chain, {"--head", "core@head"}, R"("head":"core@head")"),
      revision(chain, {"--head", "base"}, R"("head":"base")"),
      revision(chain, {"--head", "aa10"}, R"("head":"aa10")"),
      revision(chain, {"--head", "aa10", "--splice"}, R"("head":"aa10","splice":true)"),
      revision(chain, {"--head", "aa"}, R"("head":"aa")"),
      revision(chain, {"--head", "zz"}, R"("head":"zz")"),
      revision(fork, {"--head", "bb"}, R"("head":"bb")"),
      revision(chain, {"--rev-id", "cc30"}, R"("rev_id":"cc30")"),
      revision(chain, {"--rev-id", "c-3"}, R"("rev_id":"c-3")"),
      revision(chain, {"--rev-id", "c@3"}, R"("rev_id":"c@3")"),
      revision(chain, {"--branch-label", "new"}, R"("branch_label":"new")"),
      revision(chain, {"--branch-label", "core"}, R"("branch_label":"core")"),
      revision(chain, {"--head", "base", "--depends-on", "bb"},
               R"("head":"base","depends_on":"bb")"),
      revision(chain, {"--head", "base", "--depends-on", "core"},
               R"("head":"base","depends_on":"core")"),
      revision(chain, {"--depends-on", "zz"}, R"("depends_on":"zz")"),
      merge(fork, {"heads"}, R"("heads")"),
      merge(fork, {"bb20", "bb21"}, R"(["bb20","bb21"])"),
      merge(fork, {"bb20", "aa10"}, R"(["bb20","aa10"])"),
      merge(fork, {"bb20", "bb20"}, R"(["bb20","bb20"])"),
      merge(needed, {"heads"}, R"("heads")"),
      merge(needed, {"aa10", "bb20", "cc30"}, R"(["aa10","bb20","cc30"])"),
  };
  std::vector<std::string> texts;
  for (const AuthoringCase& each : cases) texts.push_back(ToJson(each));
  const Finished alembic = RunCommand(
      {{"/usr/bin/python3", TestVariable("PROJECT_SOURCE") + "/tests/e2e/alembic_authoring.py",
        directory().path() + "/alembic"},
       {},
       absl::StrCat("[", absl::StrJoin(texts, ","), "]")});
  ASSERT_EQ(alembic.exit_code, 0) << alembic.err;
  const Json answers = Json::Parse(alembic.out);
  ASSERT_EQ(answers.size(), static_cast<int>(cases.size()));

  migd();
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(texts[i]);
    std::filesystem::remove_all(migrations());
    std::filesystem::create_directories(migrations());
    for (const Migration& file : cases[i].files) Add(file);
    const Finished ours = Migctl(cases[i].arguments,
                                 {{"MIGCTL_MIGRATIONS", migrations()}, {"MIGCTL_OUTPUT", "json"}});
    const Json theirs = answers[static_cast<int>(i)];
    EXPECT_EQ(ours.exit_code != 0, theirs.Has("error")) << ours.err << theirs["error"].text();
    if (ours.exit_code != 0 || theirs.Has("error")) continue;
    const Json written = Json::Parse(ours.out)["revision"];
    EXPECT_EQ(SetOf(written["down_revisions"]), SetOf(theirs["down_revisions"]));
    EXPECT_EQ(SetOf(written["depends_on"]), SetOf(theirs["depends_on"]));
    // Ours has those that the revision inherits, too.
    for (const std::string& label : theirs["branch_labels"].texts()) {
      EXPECT_EQ(SetOf(written["branch_labels"]).count(label), 1U);
    }
    EXPECT_EQ(written["path"].text(),
              absl::StrCat(written["revision"].text(), theirs["slug"].text(), ".sql"));
  }
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
