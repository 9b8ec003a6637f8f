// Operations outlive the calls that made them, and end where the database is whole.
#include <signal.h>

#include <pqxx/pqxx>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A database at aa10, whose upgrade to cc30 waits for a lock after bb20, until Release.
class OperationsTest : public ServiceTest {
 protected:
  OperationsTest() {
    Add({.id = "aa10", .up = "CREATE TABLE a ();"});
    Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();"});
    Add({.id = "cc30",
         .revises = "bb20",
         .up = "CREATE TABLE c ();\nALTER TABLE a ADD COLUMN x int;"});
    StartMigdWith({"--lock-timeout", "0", "--shutdown-grace", "0"});
    Migctl({"upgrade", "aa10"});
    holder_.emplace(FormatConninfo(database()));
    reading_.emplace(*holder_);
    reading_->exec("SELECT FROM a");
  }

  Command Upgrade(const Arguments& more = {}) {
    Arguments arguments = {"upgrade", "head"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return MigctlCommand(arguments);
  }

  void Release() { reading_->abort(); }

  // That bb20 is whole, and nothing is there of cc30.
  void ExpectAtBb20() const {
    EXPECT_EQ(VersionRows(), "bb20");
    EXPECT_EQ(Query("SELECT to_regclass('b')"), "b");
    EXPECT_EQ(Query("SELECT to_regclass('c')"), "");
  }

  std::string StateOfNewestOperation() {
    return Object({"operations", "list"})["operations"][0]["state"].text();
  }

 private:
  absl::optional<pqxx::connection> holder_;
  absl::optional<pqxx::work> reading_;
};

TEST_F(OperationsTest, CtrlCCancelsAndWhatFinishedStays) {
  Process upgrade(Upgrade());
  ASSERT_TRUE(upgrade.WaitForOutput("applied  bb20"));
  ASSERT_TRUE(SomebodyWaitsForALock());
  upgrade.Signal(SIGINT);
  const Finished finished = upgrade.Wait();
  EXPECT_EQ(finished.exit_code, 130);
  EXPECT_THAT(finished.err,
              AllOf(HasSubstr("interrupted: asking migd to cancel"),
                    HasSubstr("[OPERATION_CANCELLED]"), HasSubstr("what finished before stays")));
  EXPECT_EQ(StateOfNewestOperation(), "STATE_CANCELLED");
  Release();
  ExpectAtBb20();
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "cc30");
}

TEST_F(OperationsTest, ASecondCtrlCLeavesTheOperationRunning) {
  // Nobody answers the cancel: the server is stopped.
  Process upgrade(Upgrade());
  ASSERT_TRUE(upgrade.WaitForOutput("applied  bb20"));
  migd().process().Signal(SIGSTOP);
  upgrade.Signal(SIGINT);
  ASSERT_TRUE(upgrade.WaitForOutput("interrupted: asking migd"));
  upgrade.Signal(SIGINT);
  const Finished finished = upgrade.Wait();
  migd().process().Signal(SIGCONT);
  EXPECT_EQ(finished.exit_code, 130);
  EXPECT_THAT(finished.err, HasSubstr("migctl operations watch "));
}

TEST_F(OperationsTest, DetachLeavesTheOperationToTheServer) {
  const Finished detached = RunCommand(Upgrade({"--detach"}));
  ASSERT_EQ(detached.exit_code, 0) << detached.err;
  const std::string id(absl::StripSuffix(detached.out, "\n"));
  EXPECT_THAT(detached.err, HasSubstr(absl::StrCat("migctl operations watch ", id)));
  ASSERT_TRUE(SomebodyWaitsForALock());
  Release();
  EXPECT_EQ(Migctl({"operations", "watch", id}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "cc30");
}

TEST_F(OperationsTest, AnyoneCanCancel) {
  Process upgrade(Upgrade());
  ASSERT_TRUE(upgrade.WaitForOutput("applied  bb20"));
  const Json operation = Object({"operations", "list", "--state", "running"})["operations"][0];
  EXPECT_EQ(operation["finished_step_count"].text(), "1");
  EXPECT_EQ(Migctl({"operations", "cancel", operation["operation"].text()}).exit_code, 0);
  EXPECT_EQ(upgrade.Wait().exit_code, 130);
  Release();
  ExpectAtBb20();
}

TEST_F(OperationsTest, AClientThatIsKilledDoesNotStopIt) {
  {
    Process upgrade(Upgrade());
    ASSERT_TRUE(upgrade.WaitForOutput("applied  bb20"));
    ASSERT_TRUE(SomebodyWaitsForALock());
    upgrade.Signal(SIGKILL);
    EXPECT_EQ(upgrade.Wait().exit_code, 128 + SIGKILL);
  }
  EXPECT_EQ(StateOfNewestOperation(), "STATE_RUNNING");
  Release();
  EXPECT_TRUE(Eventually([this] { return StateOfNewestOperation() == "STATE_SUCCEEDED"; }));
  EXPECT_EQ(VersionRows(), "cc30");
}

TEST_F(OperationsTest, ADeadlineThatPassesDoesNotStopIt) {
  const Finished upgrade = RunCommand(Upgrade({"--timeout", "3s"}));
  EXPECT_EQ(upgrade.exit_code, 4);
  EXPECT_THAT(upgrade.err,
              AllOf(HasSubstr("did not answer in time"), HasSubstr("goes on in the server"),
                    HasSubstr("migctl operations watch ")));
  EXPECT_EQ(StateOfNewestOperation(), "STATE_RUNNING");
  Release();
  const std::string id = Object({"operations", "list"})["operations"][0]["operation"].text();
  EXPECT_EQ(Migctl({"operations", "watch", id}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "cc30");
}

TEST_F(OperationsTest, AWatcherThatComesLateSeesItAll) {
  Process upgrade(Upgrade());
  ASSERT_TRUE(upgrade.WaitForOutput("applied  bb20"));
  const std::string id = Object({"operations", "list"})["operations"][0]["operation"].text();
  Process watcher(MigctlCommand({"operations", "watch", id.substr(0, 6)}));
  ASSERT_TRUE(watcher.WaitForOutput("applied  bb20"));
  Release();
  EXPECT_EQ(upgrade.Wait().exit_code, 0);
  const Finished watched = watcher.Wait();
  EXPECT_EQ(watched.exit_code, 0);
  EXPECT_THAT(watched.err, HasSubstr("applied  cc30"));
}

TEST_F(OperationsTest, SigtermLeavesWhatIsStillRunningAfterTheGraceToTheNextServer) {
  Process upgrade(Upgrade({"--timeout", "3s"}));
  ASSERT_TRUE(upgrade.WaitForOutput("applied  bb20"));
  ASSERT_TRUE(SomebodyWaitsForALock());
  migd().process().Signal(SIGTERM);
  EXPECT_EQ(migd().process().Wait().exit_code, 0) << migd().log();
  ExpectAtBb20();
  const Finished client = upgrade.Wait();
  EXPECT_EQ(client.exit_code, 4);
  EXPECT_THAT(client.err,
              AllOf(HasSubstr("cut off  "), HasSubstr("stops, and has handed it over")));
  Release();
  StartMigdWith({"--takeover-after", "1h"});
  EXPECT_TRUE(Eventually([this] { return StateOfNewestOperation() == "STATE_SUCCEEDED"; }));
  EXPECT_EQ(VersionRows(), "cc30");
}

TEST_F(OperationsTest, SigtermLetsWhatIsRunningFinishWithinTheGrace) {
  StartMigdWith({"--lock-timeout", "0", "--shutdown-grace", "1h"});
  Process upgrade(Upgrade());
  ASSERT_TRUE(upgrade.WaitForOutput("applied  bb20"));
  migd().process().Signal(SIGTERM);
  // From now on it takes nothing new, and says so.
  EXPECT_TRUE(Eventually([this] { return Migctl({"health"}).exit_code == 3; }));
  const Failure refused = FailureOf({"upgrade", "head", "--timeout", "1s"});
  EXPECT_EQ(refused.exit_code, 4);
  EXPECT_EQ(refused.reason(), "DRAINING");

  Release();
  EXPECT_EQ(upgrade.Wait().exit_code, 0);
  EXPECT_EQ(migd().process().Wait().exit_code, 0) << migd().log();
  EXPECT_EQ(VersionRows(), "cc30");
}

TEST_F(OperationsTest, AServerThatIsKilledLeavesTheDatabaseWhole) {
  Process upgrade(Upgrade({"--timeout", "10s"}));
  ASSERT_TRUE(upgrade.WaitForOutput("applied  bb20"));
  ASSERT_TRUE(SomebodyWaitsForALock());
  migd().process().Signal(SIGKILL);
  migd().process().Wait();
  const Finished client = upgrade.Wait();
  EXPECT_EQ(client.exit_code, 4) << client.err;
  Release();
  ExpectAtBb20();
  StartMigdWith({});
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "cc30");
}

TEST_F(OperationsTest, AServerThatIsNotThereIsUnreachable) {
  const Finished upgrade =
      RunCommand({{TestVariable("MIGCTL"), "upgrade", "head"},
                  {{"MIGCTL_SERVER", absl::StrCat("unix:", directory().path(), "/nobody")}}});
  EXPECT_EQ(upgrade.exit_code, 4);
  EXPECT_EQ(upgrade.out, "");
  EXPECT_THAT(upgrade.err, AllOf(HasSubstr("no migd answers at unix:"), HasSubstr("--server")));
}

}  // namespace
}  // namespace migd
