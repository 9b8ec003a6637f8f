// Tables that others hold: who is in the way is told, and the step is tried again.
#include <pqxx/pqxx>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A database at aa10, with bb20 to come, which alters the table that aa10 made.
class BlockedTablesTest : public ServiceTest {
 protected:
  BlockedTablesTest() {
    Add({.id = "aa10", .up = "CREATE TABLE users (id int, name text);"});
    Add({.id = "bb20",
         .revises = "aa10",
         .up = "CREATE TABLE other ();\nALTER TABLE users ADD COLUMN age int;"});
  }

  void StartAtAa10(const Arguments& flags = {}) {
    StartMigdWith(flags);
    Migctl({"upgrade", "aa10"});
  }

  // A session that has read the table and then went for a coffee.
  void Block(const std::string& sql = "SELECT * FROM users WHERE name = 'a secret'") {
    holder_.emplace(absl::StrCat(FormatConninfo(database()), " application_name=reporting"));
    reading_.emplace(*holder_);
    reading_->exec(sql);
  }
  void Unblock() { reading_->abort(); }
  int pid() const { return holder_->backendpid(); }

 private:
  absl::optional<pqxx::connection> holder_;
  absl::optional<pqxx::work> reading_;
};

TEST_F(BlockedTablesTest, WhoIsInTheWayIsToldInEventsAndInTheError) {
  StartAtAa10();
  Block();
  const Finished upgrade =
      Migctl({"upgrade", "head", "--lock-timeout", "500ms", "--lock-retries", "1"},
             {{"MIGCTL_OUTPUT", "json"}});
  EXPECT_EQ(upgrade.exit_code, 1);
  const std::vector<Json> events = Json::ParseLines(upgrade.out);
  const std::vector<Json> waits = OfKind(events, "lock_wait");
  ASSERT_EQ(waits.size(), 2U);
  EXPECT_EQ(waits[0]["revision"].text(), "bb20");
  EXPECT_EQ(waits[0]["statement_index"].text(), "2");
  EXPECT_EQ(waits[0]["relation"].text(), "users");
  EXPECT_EQ(waits[0]["lock_mode"].text(), "AccessExclusiveLock");
  const Json blocker = waits[0]["blockers"][0];
  EXPECT_EQ(blocker["pid"].text(), absl::StrCat(pid()));
  EXPECT_EQ(blocker["application"].text(), "reporting");
  EXPECT_EQ(blocker["state"].text(), "idle in transaction");
  EXPECT_EQ(blocker["holds_lock"].text(), "true");
  EXPECT_EQ(blocker["query"].text(), "SELECT * FROM users WHERE name = ?");
  EXPECT_EQ(OfKind(events, "step_retried").size(), 1U);

  const Json error = Json::Parse(upgrade.err)["error"];
  EXPECT_EQ(error["code"].text(), "ABORTED");
  EXPECT_EQ(error["reason"].text(), "LOCK_TIMEOUT");
  EXPECT_EQ(error["blockers"]["sessions"].texts("pid"),
            std::vector<std::string>{absl::StrCat(pid())});
  EXPECT_EQ(VersionRows(), "aa10");
  EXPECT_EQ(Query("SELECT to_regclass('other')"), "");
}

TEST_F(BlockedTablesTest, APersonSeesWhoIsInTheWay) {
  StartAtAa10({"--lock-retries", "0"});
  Block();
  const Finished upgrade = Migctl({"upgrade", "head", "--lock-timeout", "500ms"});
  EXPECT_EQ(upgrade.exit_code, 1);
  EXPECT_THAT(
      upgrade.err,
      AllOf(HasSubstr(" blocked  bb20 statement=2 for AccessExclusiveLock on users, behind "),
            HasSubstr(absl::StrCat("\nblocked by pid ", pid(), " (reporting, user ")),
            HasSubstr("idle in transaction"), Not(HasSubstr("secret"))));
}

TEST_F(BlockedTablesTest, AStepSucceedsWhenTheTableIsFree) {
  StartAtAa10();
  Block();
  Process upgrade(
      MigctlCommand({"upgrade", "head", "--lock-timeout", "200ms", "--lock-retries", "50"}));
  ASSERT_TRUE(upgrade.WaitForOutput("retrying bb20 attempt 2 of 51"));
  Unblock();
  const Finished finished = upgrade.Wait();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(VersionRows(), "bb20");
  // Once, though the first statement ran in every attempt.
  EXPECT_EQ(Query("SELECT count(*) FROM migration_service.revision_log WHERE revision = 'bb20'"),
            "1");
}

TEST_F(BlockedTablesTest, OutsideATransactionOnlyWhatIsNotDoneIsTriedAgain) {
  Add({.id = "cc30",
       .revises = "bb20",
       .up = "CREATE TABLE once AS SELECT 1;\nALTER TABLE users ADD COLUMN height int;",
       .options = "transaction:false"});
  StartAtAa10();
  Migctl({"upgrade", "bb20"});
  Block();
  Process upgrade(
      MigctlCommand({"upgrade", "head", "--lock-timeout", "50ms", "--lock-retries", "100"}));
  ASSERT_TRUE(upgrade.WaitForOutput("retrying cc30"));
  Unblock();
  const Finished finished = upgrade.Wait();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(VersionRows(), "cc30");
}

TEST_F(BlockedTablesTest, ABuildOfAnIndexWaitsForOldTransactionsAndIsWatchedToo) {
  Add({.id = "cc30",
       .revises = "bb20",
       .up = "CREATE INDEX CONCURRENTLY users_name ON users (name);",
       .options = "transaction:false"});
  StartAtAa10();
  Migctl({"upgrade", "bb20"});
  Block("INSERT INTO users VALUES (1)");
  Process upgrade(MigctlCommand({"upgrade", "head", "--lock-timeout", "100ms"}));
  ASSERT_TRUE(upgrade.WaitForOutput(absl::StrCat("behind pid ", pid())));
  Unblock();
  EXPECT_EQ(upgrade.Wait().exit_code, 0);
  EXPECT_EQ(VersionRows(), "cc30");
}

TEST_F(BlockedTablesTest, ToEndThoseInTheWayMustBeAllowed) {
  StartAtAa10();
  Block();
  const Failure refused = FailureOf({"upgrade", "head", "--terminate-blockers"});
  EXPECT_EQ(refused.reason(), "TERMINATE_NOT_ALLOWED");
  EXPECT_EQ(refused.json["code"].text(), "PERMISSION_DENIED");
  EXPECT_THAT(refused.text, HasSubstr("--allow-terminate-blockers"));
  EXPECT_EQ(Query(absl::StrCat("SELECT count(*) FROM pg_stat_activity WHERE pid = ", pid())), "1");
}

TEST_F(BlockedTablesTest, ThoseInTheWayAreEndedAndItIsRecorded) {
  StartAtAa10({"--allow-terminate-blockers"});
  Block();
  const std::vector<Json> events =
      Events({"upgrade", "head", "--lock-timeout", "1s", "--terminate-blockers"});
  const std::vector<Json> terminated = OfKind(events, "blocker_terminated");
  ASSERT_EQ(terminated.size(), 1U);
  EXPECT_EQ(terminated[0]["blocker"]["pid"].text(), absl::StrCat(pid()));
  EXPECT_EQ(terminated[0]["terminated"].text(), "true");
  EXPECT_THAT(migd().log(), HasSubstr(absl::StrCat("session terminated pid=", pid())));
  EXPECT_EQ(VersionRows(), "bb20");
}

}  // namespace
}  // namespace migd
