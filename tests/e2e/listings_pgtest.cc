// What the reading commands print: for people, piped, and as JSON with the names that scripts use.
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;

// Whether the values grow by one from 1.
void ExpectGapFree(const std::vector<Json>& events) {
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i]["sequence"].text(), absl::StrCat(i + 1));
  }
}

// One line of history: a <- b <- c.
class LineTest : public ServiceTest {
 protected:
  LineTest() {
    Add({.id = "aa10", .up = "CREATE TABLE a ();", .down = "DROP TABLE a;"});
    Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();", .down = "DROP TABLE b;"});
    Add({.id = "cc30", .revises = "bb20", .up = "CREATE TABLE c ();", .down = "DROP TABLE c;"});
  }
};

// Two branches of one base.
class TwoHeadsTest : public ServiceTest {
 protected:
  TwoHeadsTest() {
    Add({.id = "aa10", .up = "CREATE TABLE a ();", .down = "DROP TABLE a;"});
    Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();", .down = "DROP TABLE b;"});
    Add({.id = "cc30", .revises = "aa10", .up = "CREATE TABLE c ();", .down = "DROP TABLE c;"});
  }
};

TEST_F(LineTest, HistoryPipedIsAlembics) {
  Migctl({"upgrade", "bb20"});
  EXPECT_EQ(Text({"history", "-i"}),
            "bb20 -> cc30 (head), message of cc30\n"
            "aa10 -> bb20 (current), message of bb20\n"
            "<base> -> aa10, message of aa10\n");
}

TEST_F(LineTest, HistoryTakesARange) {
  Migctl({"upgrade", "bb20"});
  EXPECT_THAT(Object({"history", "-r", "aa10:bb20"})["revisions"].texts("revision"),
              ElementsAre("bb20", "aa10"));
  EXPECT_THAT(Object({"history", "-r", "current:"})["revisions"].texts("revision"),
              ElementsAre("cc30", "bb20"));
  EXPECT_THAT(Object({"history", "-r", "-1:current"})["revisions"].texts("revision"),
              ElementsAre("bb20", "aa10"));
}

TEST_F(LineTest, HeadsCurrentAndShowPipedAreAlembics) {
  Migctl({"upgrade", "bb20"});
  EXPECT_EQ(Text({"heads"}), "cc30 (head)\n");
  EXPECT_EQ(Text({"current"}), "bb20\n");
  EXPECT_EQ(Text({"branches"}), "");
  EXPECT_THAT(Text({"show", "bb"}), StartsWith("Rev: bb20\n"
                                               "Parent: aa10\n"
                                               "Path: bb20_test.sql\n"
                                               "Applied: "));
}

TEST_F(LineTest, CurrentOfAnEmptyDatabaseIsNothing) {
  const Finished current = Migctl({"current"});
  EXPECT_EQ(current.exit_code, 0);
  EXPECT_EQ(current.out, "");
  EXPECT_THAT(current.err, HasSubstr("no revision is applied"));
  EXPECT_THAT(Object({"current"})["revisions"].texts(), IsEmpty());
}

TEST_F(LineTest, CheckHeadsSaysWhatIsMissing) {
  Migctl({"upgrade", "bb20"});
  const Finished behind = Migctl({"current", "--check-heads"});
  EXPECT_EQ(behind.exit_code, 3);
  EXPECT_EQ(behind.out, "bb20\n");
  EXPECT_THAT(behind.err, HasSubstr("cc30 is missing"));
  Migctl({"upgrade", "head"});
  EXPECT_EQ(Migctl({"current", "--check-heads"}).exit_code, 0);
}

TEST_F(LineTest, RevisionsHaveTheDocumentedFields) {
  const std::set<std::string> documented = {
      "revision", "down_revisions", "depends_on", "branch_labels",   "message",       "path",
      "is_head",  "is_base",        "is_current", "is_branch_point", "is_merge_point"};
  Migctl({"upgrade", "head"});
  for (const char* command : {"current", "history", "heads"}) {
    const Json revisions = Object({command})["revisions"];
    ASSERT_GE(revisions.size(), 1) << command;
    EXPECT_THAT(revisions[0].keys(), IsSupersetOf(documented)) << command;
    EXPECT_EQ(revisions[0]["revision"].text(), "cc30") << command;
    EXPECT_EQ(revisions[0]["is_current"].text(), "true") << command;
    EXPECT_EQ(revisions[0]["is_base"].text(), "false") << command;
  }
}

TEST_F(LineTest, CreateTimeIsTheFilesDate) {
  AddFile("dd40_dated.sql",
          "-- dated\n-- Revision ID: dd40\n-- Revises: cc30\n"
          "-- Create Date: 2025-01-16 07:08:09\n-- migrate:up\n");
  EXPECT_EQ(Object({"show", "dd40"})["revisions"][0]["create_time"].text(), "2025-01-16T07:08:09Z");
}

TEST_F(LineTest, PlanHasTheDocumentedFields) {
  const Json plan = Object({"plan", "upgrade", "head"});
  EXPECT_THAT(plan["steps"].texts("revision"), ElementsAre("aa10", "bb20", "cc30"));
  EXPECT_EQ(plan["steps"][0]["direction"].text(), "DIRECTION_UPGRADE");
  EXPECT_THAT(plan["steps"][0]["resulting_revisions"].texts(), ElementsAre("aa10"));
  EXPECT_THAT(plan["resulting_revisions"].texts(), ElementsAre("cc30"));
  EXPECT_EQ(plan["plan_hash"].text().size(), 64);
}

TEST_F(LineTest, PlanForPeopleSaysWhatEachStepRuns) {
  const std::string plan = Text({"plan", "upgrade", "bb20"});
  EXPECT_THAT(plan,
              StartsWith(absl::StrCat(database().at("dbname"), ": 2 steps from base to bb20\n")));
  EXPECT_THAT(plan, HasSubstr("1  upgrade  aa10  message of aa10  1 statement, transaction  "
                              "-> aa10\n"));
  EXPECT_THAT(plan, HasSubstr("plan hash: "));
}

TEST_F(LineTest, PlanTakesStartingRevisionsFromTheCaller) {
  const Json down = Object({"plan", "downgrade", "--from", "cc30", "-2"});
  EXPECT_THAT(down["steps"].texts("revision"), ElementsAre("cc30", "bb20"));
  EXPECT_THAT(down["resulting_revisions"].texts(), ElementsAre("aa10"));
  EXPECT_THAT(Object({"plan", "upgrade", "--from", "base", "+1"})["steps"].texts("revision"),
              ElementsAre("aa10"));
}

TEST_F(LineTest, HistoryTakesStartingRevisionsFromTheCaller) {
  EXPECT_THAT(Text({"history", "-i", "--from", "aa10"}),
              HasSubstr("<base> -> aa10 (current), message of aa10\n"));
}

TEST_F(LineTest, PlanIsWhatTheOperationDoes) {
  const Json plan = Object({"plan", "upgrade", "head"});
  const std::vector<Json> done = OfKind(Events({"upgrade", "head"}), "plan");
  ASSERT_EQ(done.size(), 1);
  EXPECT_EQ(done[0]["plan_hash"].text(), plan["plan_hash"].text());
  EXPECT_EQ(Object({"plan", "upgrade", "head"})["steps"].size(), 0);
}

TEST_F(LineTest, EventsAreOneObjectALineWithoutGaps) {
  const std::vector<Json> events = Events({"upgrade", "head"});
  ASSERT_GE(events.size(), 2);
  ExpectGapFree(events);
  EXPECT_EQ(events.front()["operation_accepted"]["action"].text(), "ACTION_UPGRADE");
  EXPECT_THAT(events.front()["operation_accepted"]["targets"].texts(), ElementsAre("head"));
  EXPECT_NE(events.front()["time"].text(), "");
  const Json finished = events.back()["operation_finished"];
  EXPECT_EQ(finished["state"].text(), "STATE_SUCCEEDED");
  EXPECT_THAT(finished["resulting_revisions"].texts(), ElementsAre("cc30"));
  EXPECT_FALSE(finished.Has("error"));
}

TEST_F(LineTest, WatchReplaysAnOperationFromAnySequence) {
  const std::vector<Json> events = Events({"upgrade", "head"});
  const std::string operation = events.front()["operation"].text();
  for (const size_t after : {0, 3}) {
    std::vector<Json> replayed =
        Events({"operations", "watch", "--after", absl::StrCat(after), operation});
    ASSERT_EQ(replayed.size(), 1 + events.size() - after);
    // How it stands comes first, at the place where the replay begins.
    EXPECT_EQ(replayed[0]["sequence"].text(), absl::StrCat(after));
    EXPECT_EQ(replayed[0]["operation_snapshot"]["operation"]["state"].text(), "STATE_SUCCEEDED");
    for (size_t i = 1; i < replayed.size(); ++i) {
      EXPECT_EQ(replayed[i]["sequence"].text(), absl::StrCat(after + i));
    }
  }
}

TEST_F(LineTest, OperationsAreListedNewestFirst) {
  Migctl({"upgrade", "head"});
  const Json plan = Object({"plan", "downgrade", "-1"});
  Migctl({"downgrade", "-1", "--confirmation", plan["confirmation"].text()});
  const Json operations = Object({"operations", "list"})["operations"];
  EXPECT_THAT(operations.texts("action"), ElementsAre("ACTION_DOWNGRADE", "ACTION_UPGRADE"));
  const std::string id = operations[1]["operation"].text();
  EXPECT_EQ(Object({"operations", "show", id})["operation"]["state"].text(), "STATE_SUCCEEDED");
  EXPECT_EQ(FailureOf({"operations", "show", "zzzz"}).reason(), "UNKNOWN_OPERATION");
}

TEST_F(LineTest, TheSameRequestIdAttachesToTheSameOperation) {
  const Arguments upgrade = {"upgrade", "+1", "--request-id",
                             "00000000-0000-4000-8000-000000000001"};
  const std::vector<Json> first = Events(upgrade);
  const std::vector<Json> second = Events(upgrade);
  EXPECT_EQ(first.front()["operation"].text(), second.front()["operation"].text());
  EXPECT_EQ(first.size(), second.size());
  EXPECT_EQ(VersionRows(), "aa10");
  EXPECT_EQ(
      FailureOf({"upgrade", "+2", "--request-id", "00000000-0000-4000-8000-000000000001"}).reason(),
      "REQUEST_ID_REUSED");
}

TEST_F(TwoHeadsTest, UpgradeHeadAsksWhichAndHeadsMeansAll) {
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "MULTIPLE_HEADS");
  EXPECT_EQ(failure.json["metadata"]["heads"].text(), "bb20, cc30");
  EXPECT_THAT(failure.text, HasSubstr("bb20, cc30"));
  EXPECT_EQ(VersionRows(), "no table");

  EXPECT_THAT(Text({"upgrade", "heads"}), HasSubstr("to bb20, cc30: 3 revisions"));
  EXPECT_EQ(VersionRows(), "bb20,cc30");
  EXPECT_EQ(Text({"current"}), "bb20 (head)\ncc30 (head)\n");
}

TEST_F(TwoHeadsTest, BranchesPipedAreAlembics) {
  EXPECT_EQ(Text({"branches"}),
            "aa10 (branchpoint)\n"
            "     -> bb20 (head)\n"
            "     -> cc30 (head)\n\n");
  EXPECT_EQ(Object({"branches"})["revisions"][0]["is_branch_point"].text(), "true");
}

TEST_F(TwoHeadsTest, AMergeJoinsTheRowsAndItsDowngradeSplitsThem) {
  Add({.id = "dd40", .revises = "bb20, cc30"});
  Migctl({"upgrade", "head"});
  EXPECT_EQ(VersionRows(), "dd40");
  EXPECT_THAT(Text({"history", "-i"}),
              StartsWith("bb20, cc30 -> dd40 (head) (current) (mergepoint), "
                         "message of dd40\n"));
  Migctl({"downgrade", "bb20", "--yes"});
  EXPECT_EQ(VersionRows(), "bb20,cc30");
}

TEST_F(TwoHeadsTest, OneDownFromAMergeAsksWhichWay) {
  Add({.id = "dd40", .revises = "bb20, cc30"});
  Migctl({"upgrade", "head"});
  const Failure failure = FailureOf({"downgrade", "-1", "--yes"});
  EXPECT_EQ(failure.reason(), "AMBIGUOUS_REVISION");
  EXPECT_THAT(failure.text, AllOf(HasSubstr("bb20"), HasSubstr("cc30")));
  EXPECT_EQ(VersionRows(), "dd40");
}

TEST_F(TwoHeadsTest, ADependencyIsAppliedFirstAndImplied) {
  Add({.id = "ee50", .labels = "reports", .depends_on = "cc30"});
  Migctl({"upgrade", "reports@head"});
  EXPECT_EQ(VersionRows(), "ee50");
  EXPECT_EQ(Query("SELECT to_regclass('c')"), "c");
  EXPECT_EQ(Query("SELECT to_regclass('b')"), "");
}

TEST_F(LineTest, UsageErrorsExitWith2AndSendNothing) {
  for (const Arguments& wrong : {Arguments{},
                                 {"upgrade"},
                                 {"frobnicate"},
                                 {"plan", "sideways"},
                                 {"--output", "yaml", "current"},
                                 {"upgrade", "head", "--bogus"},
                                 {"upgrade", "head", "--lock-timeout", "soon"}}) {
    const Finished usage = Migctl(wrong);
    EXPECT_EQ(usage.exit_code, 2);
    EXPECT_EQ(usage.out, "");
    EXPECT_THAT(usage.err, StartsWith("error: "));
    EXPECT_THAT(usage.err, HasSubstr("--help"));
  }
  EXPECT_EQ(VersionRows(), "no table");
}

TEST_F(LineTest, TheEnvironmentSetsWhatFlagsDo) {
  const std::string server = migd().address();
  const Finished json = RunCommand({{TestVariable("MIGCTL"), "heads"},
                                    {{"MIGCTL_SERVER", server},
                                     {"MIGCTL_OUTPUT", "json"},
                                     {"MIGCTL_DATABASE", database().at("dbname")},
                                     {"MIGCTL_TIMEOUT", "1m"}}});
  EXPECT_EQ(Json::Parse(json.out)["revisions"].texts("revision").front(), "cc30") << json.err;
  const Finished flag_wins = RunCommand({{TestVariable("MIGCTL"), "--server", server, "heads"},
                                         {{"MIGCTL_SERVER", "unix:/nowhere"}}});
  EXPECT_EQ(flag_wins.out, "cc30 (head)\n") << flag_wins.err;
}

TEST_F(LineTest, MigdReadsItsFlagsFromTheEnvironment) {
  const Migd other({}, {{"MIGD_DATABASE", TestCluster::Uri(database())},
                        {"MIGD_DATABASE_NAME", "core"},
                        {"MIGD_VERSION_TABLE", "my_versions"},
                        {"MIGD_MIGRATIONS", migrations()}});
  const Finished upgrade =
      RunCommand({{TestVariable("MIGCTL"), "--server", other.address(), "upgrade", "head"}});
  EXPECT_THAT(upgrade.out, HasSubstr("Upgraded core to cc30")) << upgrade.err;
  EXPECT_EQ(Query("SELECT version_num FROM my_versions"), "cc30");
}

TEST_F(LineTest, MigdTakesTheDatabaseFromThePostgresEnvironment) {
  const Migd other({"--migrations", migrations()}, {{"PGHOST", database().at("host")},
                                                    {"PGPORT", database().at("port")},
                                                    {"PGUSER", database().at("user")},
                                                    {"PGDATABASE", database().at("dbname")}});
  const Finished upgrade =
      RunCommand({{TestVariable("MIGCTL"), "--server", other.address(), "upgrade", "aa10"}});
  EXPECT_EQ(upgrade.exit_code, 0) << upgrade.err;
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(LineTest, OfflineReadsAndPlansWithoutADatabase) {
  const Migd offline({"--offline", "--migrations", migrations()});
  const auto run = [&](Arguments arguments) {
    arguments.insert(arguments.begin(), {TestVariable("MIGCTL"), "--server", offline.address()});
    return RunCommand({arguments});
  };
  EXPECT_EQ(run({"heads"}).out, "cc30 (head)\n");
  EXPECT_THAT(run({"plan", "upgrade", "head", "--from", "aa10"}).out, HasSubstr("2 steps"));
  const Finished upgrade = run({"--output", "json", "upgrade", "head"});
  EXPECT_EQ(upgrade.exit_code, 1);
  EXPECT_EQ(Json::Parse(upgrade.err)["error"]["reason"].text(), "OFFLINE");
}

// On a terminal, which `script` makes.
std::string OnTerminal(const Command& command) {
  std::string line;
  for (const std::string& word : command.arguments) absl::StrAppend(&line, word, " ");
  Command on_terminal{{"script", "--quiet", "--return", "--command", line, "/dev/null"},
                      command.environment};
  on_terminal.environment["TERM"] = "xterm";
  return RunCommand(on_terminal).out;
}

TEST_F(TwoHeadsTest, HistoryOnATerminalDrawsTheGraphInColour) {
  Migctl({"upgrade", "bb20"});
  const std::string history = OnTerminal(MigctlCommand({"history"}));
  EXPECT_THAT(history, HasSubstr(": 2 of 3 applied, 2 heads"));
  EXPECT_THAT(history, HasSubstr("◇"));
  EXPECT_THAT(history, HasSubstr("├─"));
  EXPECT_THAT(history, HasSubstr("\x1b["));
}

TEST_F(TwoHeadsTest, NoColorIsRespectedOnATerminal) {
  const std::string history = OnTerminal(MigctlCommand({"history"}, {{"NO_COLOR", "1"}}));
  EXPECT_THAT(history, HasSubstr("◇"));
  EXPECT_THAT(history, Not(HasSubstr("\x1b[")));
}

TEST_F(LineTest, UpgradeOnATerminalSaysWhatItDoes) {
  const std::string upgrade = OnTerminal(MigctlCommand({"upgrade", "head"}, {{"NO_COLOR", "1"}}));
  EXPECT_THAT(upgrade, HasSubstr("Started  operation "));
  EXPECT_THAT(upgrade, HasSubstr("Applied  cc30 message of cc30"));
  EXPECT_THAT(upgrade, HasSubstr("to cc30: 3 revisions in "));
}

// --- Several databases ---

class TwoDatabasesTest : public ServiceTest {
 protected:
  TwoDatabasesTest() {
    Add({.id = "aa10", .up = "CREATE TABLE a ();"});
    directory().Write("billing/bb20_x.sql", "-- x\n-- Revision ID: bb20\n-- migrate:up\n");
    const std::string config = directory().Write(
        "migd.yaml",
        absl::StrCat("databases:\n"
                     "  core:\n"
                     "    url: ",
                     TestCluster::Uri(database()), "\n", "    migrations: ", migrations(), "\n",
                     "  billing:\n"
                     "    url: ",
                     TestCluster::Uri(billing_), "\n", "    migrations: ", directory().path(),
                     "/billing\n"));
    server_.emplace(Arguments{"--config", config});
  }

  Finished Ask(Arguments arguments) {
    arguments.insert(arguments.begin(), {TestVariable("MIGCTL"), "--server", server_->address()});
    return RunCommand({arguments});
  }

  const ConnectionOptions billing_ = TestCluster::CreateDatabase();
  absl::optional<Migd> server_;
};

TEST_F(TwoDatabasesTest, EachHasItsOwnMigrations) {
  EXPECT_EQ(Ask({"--database", "core", "upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(Ask({"upgrade", "head", "--database", "billing"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "aa10");
  EXPECT_EQ(TestCluster::Query(billing_, "SELECT version_num FROM alembic_version"), "bb20");
}

TEST_F(TwoDatabasesTest, ACallMustNameOneOfThem) {
  for (const Arguments& arguments :
       {Arguments{"upgrade", "head"}, {"--database", "crm", "upgrade", "head"}, {"current"}}) {
    const Finished refused = Ask(arguments);
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.err, HasSubstr("[UNKNOWN_DATABASE]"));
    EXPECT_THAT(refused.err, HasSubstr("core"));
    EXPECT_THAT(refused.err, HasSubstr("billing"));
  }
  EXPECT_EQ(VersionRows(), "no table");
}

}  // namespace
}  // namespace migd
