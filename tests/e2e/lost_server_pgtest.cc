// A migd that is gone leaves nothing behind that runs on.
#include <signal.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

class LostServerTest : public ServiceTest {
 protected:
  // The sessions of operations.
  std::string Sessions() const {
    return Query(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
        "application_name LIKE 'migd %'");
  }
};

TEST_F(LostServerTest, TheStatementOfAKilledServerIsEnded) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();\nSELECT pg_sleep(3600);"});
  migd();
  Process upgrade(MigctlCommand({"upgrade", "head"}));
  const std::string sleepers =
      "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
      "wait_event = 'PgSleep'";
  ASSERT_TRUE(Eventually([&] { return Query(sleepers) == "1"; }));
  migd().process().Signal(SIGKILL);
  EXPECT_TRUE(Eventually([&] { return Query(sleepers) == "0" && Sessions() == "0"; }));
  // Neither its locks nor the mutex.
  EXPECT_EQ(Query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
  EXPECT_EQ(VersionRows(), "");
}

TEST_F(LostServerTest, TheServerWatchesOverASessionWhateverAMigrationHasReset) {
  const std::string settings =
      "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN "
      "('client_connection_check_interval', 'idle_in_transaction_session_timeout', "
      "'idle_session_timeout')";
  Add({.id = "aa10", .up = "CREATE TABLE seen AS " + settings + ";\nRESET ALL;"});
  Add({.id = "bb20", .revises = "aa10", .up = "INSERT INTO seen " + settings + ";"});
  const Finished upgrade = Migctl({"upgrade", "head"});
  ASSERT_EQ(upgrade.exit_code, 0) << upgrade.err;
  EXPECT_EQ(Query("SELECT string_agg(DISTINCT string_agg, ';') FROM seen"),
            "client_connection_check_interval=5000 idle_in_transaction_session_timeout=60000 "
            "idle_session_timeout=300000");
  EXPECT_EQ(Query("SELECT count(*) FROM seen"), "2");
}

TEST_F(LostServerTest, AScriptLeavesTheSettingsOfItsUserAlone) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();"});
  const std::string script = Text({"upgrade", "head", "--sql"});
  EXPECT_THAT(script, ::testing::Not(::testing::HasSubstr("idle_in_transaction_session_timeout")));
  EXPECT_THAT(script, ::testing::Not(::testing::HasSubstr("keepalive")));
}

}  // namespace
}  // namespace migd
