// How far a long statement is, as PostgreSQL tells it.
#include <signal.h>

#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::HasSubstr;

// A database at aa10, where a table has rows that take their time: slow(id) is id, after a while.
class ProgressTest : public ServiceTest {
 protected:
  ProgressTest() {
    Add({.id = "aa10",
         .up = "CREATE TABLE users (id int, filler text);\n"
               "INSERT INTO users SELECT n, repeat('x', 1000) FROM generate_series(1, 7000) n;\n"
               "CREATE FUNCTION slow(a int) RETURNS int IMMUTABLE LANGUAGE plpgsql\n"
               "AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN a; END $$;"});
  }

  void StartAtAa10() {
    const Finished upgrade = Migctl({"upgrade", "aa10"});
    ASSERT_EQ(upgrade.exit_code, 0) << upgrade.err;
  }

  // What a running upgrade has told of progress so far, from the whole lines of its output.
  static std::vector<Json> ProgressIn(const std::string& out) {
    return OfKind(Json::ParseLines(out.substr(0, out.rfind('\n') + 1)), "statement_progress");
  }

  // By Ctrl-C: the build would take minutes.
  static void Cancel(Process& upgrade) {
    upgrade.Signal(SIGINT);
    upgrade.Wait();
  }
};

TEST_F(ProgressTest, ALongBuildTellsHowFarItIs) {
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "CREATE TABLE other ();\nCREATE INDEX users_slow ON users (slow(id));"});
  StartAtAa10();
  // The table is large, and lint would not let it be locked for so long.
  Process upgrade(MigctlCommand({"upgrade", "head", "--lint=off"}, {{"MIGCTL_OUTPUT", "json"}}));
  ASSERT_TRUE(Eventually([&] { return ProgressIn(upgrade.out()).size() >= 3; }));
  const std::vector<Json> told = ProgressIn(upgrade.out());
  EXPECT_EQ(told[0]["revision"].text(), "bb20");
  EXPECT_EQ(told[0]["statement_index"].text(), "2");
  EXPECT_EQ(told[0]["statement_count"].text(), "2");
  EXPECT_EQ(told[0]["command"].text(), "CREATE INDEX");
  EXPECT_EQ(told[0]["relation"].text(), "users");
  EXPECT_EQ(told[0]["phase"].text(), "building index: scanning table");
  EXPECT_EQ(told[0]["unit"].text(), "PROGRESS_UNIT_BLOCKS");
  EXPECT_EQ(told[0]["total"].text(), "1000");
  EXPECT_LT(std::stoll(told[0]["done"].text()), std::stoll(told[1]["done"].text()));
  EXPECT_LT(std::stoll(told[1]["done"].text()), std::stoll(told[2]["done"].text()));
  Cancel(upgrade);
}

TEST_F(ProgressTest, AConcurrentBuildTellsWhichTransactionItWaitsFor) {
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "CREATE INDEX CONCURRENTLY users_id ON users (id);",
       .options = "transaction:false"});
  StartAtAa10();
  pqxx::connection other(FormatConninfo(database()));
  pqxx::work writing(other);
  writing.exec("UPDATE users SET filler = '' WHERE id = 1");

  Process upgrade(MigctlCommand({"upgrade", "head"}, {{"MIGCTL_OUTPUT", "json"}}));
  ASSERT_TRUE(Eventually([&] { return !ProgressIn(upgrade.out()).empty(); }));
  const Json told = ProgressIn(upgrade.out())[0];
  EXPECT_EQ(told["command"].text(), "CREATE INDEX CONCURRENTLY");
  EXPECT_EQ(told["phase"].text(), "waiting for writers before build");
  EXPECT_EQ(told["unit"].text(), "PROGRESS_UNIT_LOCKERS");
  EXPECT_EQ(told["locker_pid"].text(), absl::StrCat(other.backendpid()));
  EXPECT_EQ(told["total"].text(), "1");
  EXPECT_FALSE(told.Has("phase_remaining"));

  writing.abort();
  EXPECT_EQ(upgrade.Wait().exit_code, 0);
  EXPECT_EQ(VersionRows(), "bb20");
}

TEST_F(ProgressTest, OfDataInTheFileTheEndIsKnown) {
  std::string data;
  for (int i = 1000; i < 9000; ++i) absl::StrAppend(&data, i, "\n");
  Add({.id = "bb20",
       .revises = "aa10",
       .up = absl::StrCat("ALTER TABLE users ADD CHECK (slow(id) = id) NOT VALID;\n"
                          "COPY users (id) FROM stdin;\n",
                          data, "\\.\n")});
  StartAtAa10();
  Process upgrade(MigctlCommand({"upgrade", "head"}, {{"MIGCTL_OUTPUT", "json"}}));
  ASSERT_TRUE(Eventually([&] { return !ProgressIn(upgrade.out()).empty(); }));
  const Json told = ProgressIn(upgrade.out())[0];
  EXPECT_EQ(told["command"].text(), "COPY FROM");
  EXPECT_EQ(told["unit"].text(), "PROGRESS_UNIT_BYTES");
  EXPECT_EQ(told["total"].text(), absl::StrCat(data.size()));
  Cancel(upgrade);
}

TEST_F(ProgressTest, ALogSaysItInAFewLines) {
  Add({.id = "bb20",
       .revises = "aa10",
       .up = "CREATE INDEX CONCURRENTLY users_id ON users (id);",
       .options = "transaction:false"});
  StartAtAa10();
  pqxx::connection other(FormatConninfo(database()));
  pqxx::work writing(other);
  writing.exec("UPDATE users SET filler = '' WHERE id = 1");

  Process upgrade(MigctlCommand({"upgrade", "head"}));
  EXPECT_TRUE(upgrade.WaitForOutput(
      absl::StrCat("progress bb20 statement=1/1 CREATE INDEX CONCURRENTLY on users: waiting for "
                   "writers before build: waits for pid ",
                   other.backendpid(), " (transaction 1 of 1)")));
  writing.abort();
  const Finished finished = upgrade.Wait();
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_THAT(finished.out, HasSubstr("Upgraded"));
}

}  // namespace
}  // namespace migd
