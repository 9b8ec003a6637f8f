// Operations belong to the database: any server of it lists, shows, streams and cancels them, and
// goes on with those whose server is gone.
#include <signal.h>

#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"
#include "gmock/gmock.h"
#include "tests/e2e/monitored_service.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kRequestId[] = "c0ffee00-0000-4000-8000-000000000001";

// Two servers of one database, whose upgrade waits in cc30 for a lock, until Release.
class SeveralServersTest : public ServiceTest {
 protected:
  SeveralServersTest() {
    Add({.id = "aa10", .up = "CREATE TABLE a ();"});
    Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();"});
    Add({.id = "cc30",
         .revises = "bb20",
         .up = "CREATE TABLE c ();\nALTER TABLE a ADD COLUMN x int;"});
    Add({.id = "dd40", .revises = "cc30", .up = "CREATE TABLE d ();"});
    first_.emplace(Flags());
    second_.emplace(Flags());
    EXPECT_EQ(At(*first_, {"upgrade", "aa10"}).exit_code, 0);
    holder_.emplace(FormatConninfo(database()));
    reading_.emplace(*holder_);
    reading_->exec("SELECT FROM a");
  }

  Arguments Flags() const {
    return {"--database",       TestCluster::Uri(database()),
            "--migrations",     migrations(),
            "--lock-timeout",   "0",
            "--shutdown-grace", "0",
            "--takeover-after", "500ms"};
  }

  static Command CommandAt(const Migd& server, const Arguments& arguments) {
    Command command;
    command.arguments = {TestVariable("MIGCTL"), "--server", server.address()};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    return command;
  }
  static Finished At(const Migd& server, const Arguments& arguments) {
    return RunCommand(CommandAt(server, arguments));
  }
  static Json ObjectAt(const Migd& server, Arguments arguments) {
    arguments.insert(arguments.begin(), {"--output", "json"});
    const Finished finished = At(server, arguments);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return Json::Parse(finished.out);
  }
  static Json Show(const Migd& server, const std::string& id) {
    return ObjectAt(server, {"operations", "show", id})["operation"];
  }
  bool AwaitState(const Migd& server, const std::string& id, const std::string& state) const {
    return Eventually([&] { return Show(server, id)["state"].text() == state; });
  }

  // Begins an upgrade at the first server, and returns its id when it waits for the lock.
  std::string BeginUpgrade(const std::string& target = "head") {
    const Finished detached = At(*first_, {"upgrade", target, "--detach"});
    EXPECT_EQ(detached.exit_code, 0) << detached.err;
    EXPECT_TRUE(SomebodyWaitsForALock());
    return std::string(absl::StripSuffix(detached.out, "\n"));
  }

  void Release() { reading_->abort(); }

  // Without a word: one that is told to stop hands over what it runs.
  void KillFirst() {
    first_->process().Signal(SIGKILL);
    first_.reset();
  }

  // The revisions in the order in which they were applied.
  std::string Applied() const {
    return Query(
        "SELECT string_agg(revision, ',' ORDER BY entry) FROM migration_service.revision_log");
  }

  absl::optional<Migd> first_;
  absl::optional<Migd> second_;
  absl::optional<pqxx::connection> holder_;
  absl::optional<pqxx::work> reading_;
};

TEST_F(SeveralServersTest, AnotherServerListsAndShowsTheOperation) {
  const std::string id = BeginUpgrade();
  // By then all that came before it is stored, too.
  ASSERT_TRUE(Eventually([&] {
    return absl::StrContains(At(*second_, {"operations", "show", id}).out,
                             "waits:      for AccessExclusiveLock on ");
  }));
  const Json list = ObjectAt(*second_, {"operations", "list", "--state", "running"});
  ASSERT_EQ(list["operations"].size(), 1);
  const Json operation = list["operations"][0];
  EXPECT_EQ(operation["operation"].text(), id);
  EXPECT_EQ(operation["finished_step_count"].text(), "1");
  EXPECT_EQ(operation["position"]["revision"].text(), "cc30");
  EXPECT_EQ(operation["position"]["finished_statement_count"].text(), "1");
  EXPECT_EQ(operation["server"].text(), Show(*first_, id)["server"].text());
  Release();
}

TEST_F(SeveralServersTest, AWatcherAtAnotherServerSeesItToItsEnd) {
  const std::string id = BeginUpgrade();
  Process watcher(CommandAt(*second_, {"operations", "watch", id}));
  ASSERT_TRUE(watcher.WaitForOutput("blocked"));
  Release();
  const Finished watched = watcher.Wait();
  EXPECT_EQ(watched.exit_code, 0) << watched.err;
  EXPECT_THAT(watched.err, AllOf(HasSubstr("applied  bb20"), HasSubstr("applied  cc30"),
                                 HasSubstr("applied  dd40")));
}

TEST_F(SeveralServersTest, AWatcherThatGoesBackAndForthMissesNothing) {
  const std::string id = BeginUpgrade();
  Release();
  ASSERT_TRUE(AwaitState(*second_, id, "STATE_SUCCEEDED"));
  const int64_t last = std::stoll(Show(*second_, id)["last_sequence"].text());
  int64_t sequence = 0;
  while (sequence < last) {
    const Migd& server = sequence % 2 == 0 ? *first_ : *second_;
    const Finished finished = At(
        server, {"--output", "json", "operations", "watch", id, "--after", absl::StrCat(sequence)});
    ASSERT_EQ(finished.exit_code, 0) << finished.err;
    const std::vector<Json> messages = Json::ParseLines(finished.out);
    ASSERT_GE(messages.size(), 2U);
    EXPECT_EQ(messages[0]["operation_snapshot"]["operation"]["state"].text(), "STATE_SUCCEEDED");
    ++sequence;
    EXPECT_EQ(messages[1]["sequence"].text(), absl::StrCat(sequence));
    EXPECT_EQ(messages.back()["sequence"].text(), absl::StrCat(last));
  }
}

TEST_F(SeveralServersTest, AnotherServerCancelsIt) {
  const std::string id = BeginUpgrade();
  EXPECT_EQ(At(*second_, {"operations", "cancel", id}).exit_code, 0);
  EXPECT_TRUE(AwaitState(*second_, id, "STATE_CANCELLED"));
  EXPECT_EQ(VersionRows(), "bb20");
}

TEST_F(SeveralServersTest, AllOperationsCanBeFollowedAtAnyServer) {
  Process feed(CommandAt(*second_, {"operations", "watch"}));
  const std::string id = BeginUpgrade();
  ASSERT_TRUE(feed.WaitForOutput("blocked"));
  Release();
  ASSERT_TRUE(feed.WaitForOutput("applied  dd40"));
  feed.Signal(SIGINT);
  const Finished finished = feed.Wait();
  EXPECT_EQ(finished.exit_code, 130);
  EXPECT_THAT(finished.out, HasSubstr(absl::StrCat(id, " accepted")));
}

TEST_F(SeveralServersTest, ARequestIsTheSameAtEveryServerAndAfterARestart) {
  const Arguments request = {"--output", "json", "upgrade", "bb20", "--request-id", kRequestId};
  const auto id_of = [](const Finished& finished) {
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return Json::ParseLines(finished.out)[0]["operation"].text();
  };
  const std::string id = id_of(At(*first_, request));
  EXPECT_EQ(id_of(At(*second_, request)), id);
  first_->KillAndRestart();
  EXPECT_EQ(id_of(At(*first_, request)), id);
  const Finished refused = At(*second_, {"upgrade", "dd40", "--request-id", kRequestId});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("[REQUEST_ID_REUSED]"));
}

TEST_F(SeveralServersTest, ALivingServerTakesOverFromADeadOne) {
  const std::string id = BeginUpgrade();
  Process watcher(CommandAt(*second_, {"operations", "watch", id}));
  ASSERT_TRUE(watcher.WaitForOutput("blocked"));
  KillFirst();
  ASSERT_TRUE(watcher.WaitForOutput("resumed  by"));
  Release();
  const Finished watched = watcher.Wait();
  EXPECT_EQ(watched.exit_code, 0) << watched.err;
  EXPECT_THAT(watched.err, AllOf(HasSubstr("cut off  attempt 1 of 3"), HasSubstr("attempt 2 of 3"),
                                 HasSubstr("applied  dd40")));
  EXPECT_EQ(Applied(), "aa10,bb20,cc30,dd40");
  EXPECT_EQ(Show(*second_, id)["finished_step_count"].text(), "3");
}

TEST_F(SeveralServersTest, WhatAServerGivesAwayWhenItStopsCountsAsNoAttempt) {
  const std::string id = BeginUpgrade();
  Process watcher(CommandAt(*second_, {"operations", "watch", id}));
  ASSERT_TRUE(watcher.WaitForOutput("blocked"));
  first_->process().Signal(SIGTERM);
  EXPECT_EQ(first_->process().Wait().exit_code, 0);
  EXPECT_THAT(first_->log(), AllOf(HasSubstr("an operation still runs: it is stopped"),
                                   HasSubstr("operation handed over"), HasSubstr(id)));
  ASSERT_TRUE(watcher.WaitForOutput("resumed  by"));
  EXPECT_EQ(Show(*second_, id)["hand_over_count"].text(), "1");
  Release();
  const Finished watched = watcher.Wait();
  EXPECT_EQ(watched.exit_code, 0) << watched.err;
  EXPECT_THAT(watched.err,
              AllOf(HasSubstr("stops, and has handed it over"), HasSubstr("attempt 2 of 4")));
}

TEST_F(SeveralServersTest, ARelativeTargetIsReachedOnceHoweverOftenItIsCutOff) {
  const std::string id = BeginUpgrade("+2");
  first_.reset();
  ASSERT_TRUE(Eventually([&] { return Show(*second_, id)["attempt"].text() == "2"; }));
  ASSERT_TRUE(SomebodyWaitsForALock());
  second_->KillAndRestart();
  ASSERT_TRUE(Eventually([&] { return Show(*second_, id)["attempt"].text() == "3"; }));
  Release();
  EXPECT_TRUE(AwaitState(*second_, id, "STATE_SUCCEEDED"));
  EXPECT_EQ(VersionRows(), "cc30");
}

TEST_F(SeveralServersTest, AfterThreeAttemptsItFails) {
  const std::string id = BeginUpgrade();
  KillFirst();
  for (const std::string attempt : {"2", "3"}) {
    ASSERT_TRUE(Eventually([&] { return Show(*second_, id)["attempt"].text() == attempt; }));
    ASSERT_TRUE(SomebodyWaitsForALock());
    second_->KillAndRestart();
  }
  EXPECT_TRUE(AwaitState(*second_, id, "STATE_FAILED"));
  EXPECT_EQ(Show(*second_, id)["error"]["reason"].text(), "OPERATION_INTERRUPTED");
  EXPECT_EQ(VersionRows(), "bb20");
  Release();
  EXPECT_EQ(At(*second_, {"upgrade", "head"}).exit_code, 0);
}

TEST_F(SeveralServersTest, WhatWasCancelledBeforeItsServerDiedIsNotTakenUp) {
  const std::string id = BeginUpgrade();
  first_->process().Signal(SIGSTOP);
  EXPECT_EQ(At(*second_, {"operations", "cancel", id}).exit_code, 0);
  first_->process().Signal(SIGKILL);
  EXPECT_TRUE(AwaitState(*second_, id, "STATE_CANCELLED"));
  EXPECT_EQ(VersionRows(), "bb20");
}

TEST_F(SeveralServersTest, AClientFollowsItsOperationThroughTheDeathOfItsServer) {
  Process upgrade(CommandAt(*first_, {"upgrade", "head"}));
  ASSERT_TRUE(upgrade.WaitForOutput("applied  bb20"));
  ASSERT_TRUE(SomebodyWaitsForALock());
  first_->KillAndRestart();
  Release();
  const Finished finished = upgrade.Wait();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.err, AllOf(HasSubstr("resumed  by"), HasSubstr("applied  dd40")));
}

TEST_F(SeveralServersTest, AClientWithSeveralAddressesGoesOnAtAnotherServer) {
  std::string list;
  for (absl::optional<Migd>* server : {&first_, &second_}) {
    const int port = FreePort();
    Arguments flags = Flags();
    flags.insert(flags.end(), {"--listen", absl::StrCat("127.0.0.1:", port)});
    server->emplace(flags);
    absl::StrAppend(&list, list.empty() ? "ipv4:" : ",", "127.0.0.1:", port);
  }
  Process upgrade({{TestVariable("MIGCTL"), "--server", list, "upgrade", "head"}});
  ASSERT_TRUE(upgrade.WaitForOutput("applied  bb20")) << upgrade.err();
  ASSERT_TRUE(SomebodyWaitsForALock());
  first_->process().Signal(SIGKILL);
  Release();
  const Finished finished = upgrade.Wait();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.err, AllOf(HasSubstr("resumed  by"), HasSubstr("applied  dd40")));
}

TEST_F(SeveralServersTest, ASessionThatAnAdministratorEndsStaysEnded) {
  const std::string id = BeginUpgrade();
  Query(absl::StrCat(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'migd ", id,
      "'"));
  EXPECT_TRUE(AwaitState(*second_, id, "STATE_FAILED"));
  EXPECT_EQ(Show(*second_, id)["error"]["reason"].text(), "SESSION_ENDED");
  EXPECT_EQ(Show(*second_, id)["attempt"].text(), "1");
  EXPECT_EQ(VersionRows(), "bb20");
}

TEST_F(SeveralServersTest, ThePlanIsKeptBeforeTheSchemaIsTouched) {
  const std::string id = BeginUpgrade();
  EXPECT_EQ(Query(absl::StrCat("SELECT plan IS NOT NULL AND attempt = 1 AND state = 'RUNNING' FROM "
                               "migration_service.operation WHERE operation = '",
                               id, "'")),
            "t");
  Release();
}

}  // namespace
}  // namespace migd
