// What a service manager sees of migd: health, reload, readiness.
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "service/base/unique_fd.h"
#include "service/postgres/conninfo.h"
#include "service/postgres/embedded_cluster.h"
#include "tests/support/connection_proxy.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class LifecycleTest : public ServiceTest {
 protected:
  int HealthOf(const std::string& service) {
    return Migctl(service.empty() ? Arguments{"health"} : Arguments{"health", service}).exit_code;
  }

  // Waits until the log of migd has `text`.
  bool WaitForLog(const std::string& text) { return migd().process().WaitForOutput(text); }

  std::string config() const { return directory().path() + "/migd.yaml"; }
  // A configuration with one database, `app`, and more settings for it.
  void WriteConfig(const std::string& more) const {
    directory().Write("migd.yaml",
                      absl::StrCat("databases:\n  app:\n    url: ", TestCluster::Uri(database()),
                                   "\n    migrations: ", migrations(), "\n", more));
  }
};

TEST_F(LifecycleTest, HealthTellsOfEachDatabaseByName) {
  StartMigdWith({});
  EXPECT_EQ(HealthOf(""), 0);
  EXPECT_EQ(HealthOf("migration.v1.MigrationService"), 0);
  const std::string service = "database/" + database().at("dbname");
  EXPECT_TRUE(Eventually([&] { return HealthOf(service) == 0; }));
}

TEST_F(LifecycleTest, ADatabaseMayComeLater) {
  const TemporaryDirectory cluster_directory;
  EmbeddedOptions options;
  options.directory = cluster_directory.path() + "/cluster";
  options.program_directory = TestCluster::ProgramDirectory();
  options.database = "later";
  auto cluster = EmbeddedCluster::Start(options);
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  const std::string url = TestCluster::Uri((*cluster)->connection());
  cluster->reset();

  directory().Write("migd.yaml", absl::StrCat("databases:\n  later:\n    url: ", url,
                                              "\n    migrations: ", migrations(), "\n"));
  StartMigdWithConfig(config());
  // It lives, though there is nothing to migrate.
  EXPECT_EQ(HealthOf("migration.v1.MigrationService"), 0);
  EXPECT_TRUE(WaitForLog("the database does not answer"));
  EXPECT_EQ(HealthOf("database/later"), 3);

  cluster = EmbeddedCluster::Start(options);
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  EXPECT_TRUE(Eventually([&] { return HealthOf("database/later") == 0; })) << migd().log();
}

TEST_F(LifecycleTest, SighupBringsWhatTheConfigurationDemandsNow) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();", .down = "DROP TABLE a;"});
  WriteConfig("");
  StartMigdWithConfig(config());
  ASSERT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);

  WriteConfig("    protected: true\n");
  migd().process().Signal(SIGHUP);
  ASSERT_TRUE(WaitForLog("the configuration was read anew"));
  const Failure refused = FailureOf({"downgrade", "base", "--yes"});
  EXPECT_EQ(refused.reason(), "DATABASE_PROTECTED");
}

TEST_F(LifecycleTest, SighupSaysWhatTakesARestart) {
  WriteConfig("");
  StartMigdWithConfig(config());
  EXPECT_EQ(HealthOf(""), 0);
  WriteConfig("    version_table: other_version\n");
  migd().process().Signal(SIGHUP);
  EXPECT_TRUE(WaitForLog("setting=databases.app.version_table")) << migd().log();
}

TEST_F(LifecycleTest, SighupWithAMistakeChangesNothing) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();"});
  WriteConfig("    protected: true\n");
  StartMigdWithConfig(config());
  EXPECT_EQ(HealthOf(""), 0);
  WriteConfig("    protekted: true\n");
  migd().process().Signal(SIGHUP);
  ASSERT_TRUE(WaitForLog("what was read before holds")) << migd().log();
  EXPECT_THAT(migd().log(), AllOf(HasSubstr("migd.yaml:5: unknown key protekted"),
                                  Not(HasSubstr("migd --help"))));
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
}

TEST_F(LifecycleTest, SighupTakesARuleForADatabaseThatComesWithARestart) {
  const auto write = [&](const std::string& databases, const std::string& rule_for) {
    directory().Write(
        "migd.yaml",
        absl::StrCat("authorization:\n  rules:\n    - principals: [\"unix:*\"]\n      databases: [",
                     rule_for, "]\n      role: admin\ndatabases:\n  app:\n    url: ",
                     TestCluster::Uri(database()), "\n    migrations: ", migrations(), "\n",
                     databases));
  };
  write("", "app");
  StartMigdWithConfig(config());
  ASSERT_EQ(Migctl({"current"}).exit_code, 0);

  write("", "app, billing");
  migd().process().Signal(SIGHUP);
  ASSERT_TRUE(WaitForLog("what was read before holds"));
  EXPECT_THAT(migd().log(), HasSubstr("a rule names the database billing"));

  write("  billing:\n    url: postgresql:///billing\n", "app, billing");
  migd().process().Signal(SIGHUP);
  ASSERT_TRUE(WaitForLog("the configuration was read anew")) << migd().log();
  EXPECT_THAT(migd().log(), HasSubstr("setting=\"databases.billing (new)\""));
  EXPECT_EQ(Migctl({"current", "--database", "app"}).exit_code, 0);
}

// --- Stopping ---

// Takes connections to PostgreSQL, and answers none.
class SilentServer {
 public:
  explicit SilentServer(const std::string& directory)
      : directory_(directory), socket_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    (directory + "/.s.PGSQL.5432").copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(socket_.get(), SOMAXCONN), 0);
  }

  std::string conninfo() const { return absl::StrCat("host=", directory_, " dbname=silent"); }

 private:
  const std::string directory_;
  const UniqueFd socket_;
};

TEST_F(LifecycleTest, StopsThoughNoneOfItsDatabasesAnswers) {
  const SilentServer silent(directory().path());
  Add({.id = "aa10", .up = "CREATE TABLE a ();"});
  // To wait until connecting is given up would take hours.
  std::string text = absl::StrCat("shutdown_grace: 0\nmetrics_listen: unix:", directory().path(),
                                  "/metrics\ndatabases:\n");
  for (const char* name : {"one", "two", "three"}) {
    absl::StrAppend(&text, "  ", name, ":\n    url: ", silent.conninfo(),
                    "\n    connect_timeout: 1h\n    migrations: ", migrations(), "\n");
  }
  directory().Write("migd.yaml", text);
  StartMigdWithConfig(config());
  Process upgrade(MigctlCommand({"upgrade", "head", "--database", "one"}));
  Process wait(MigctlCommand({"wait", "head", "--database", "two"}));
  Process show(MigctlCommand({"operations", "list"}));
  EXPECT_NE(HealthOf("database/three"), 0);
  migd().process().Signal(SIGTERM);
  const Finished stopped = migd().process().Wait();
  EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("info stopped"));
}

TEST_F(LifecycleTest, EndsThoughPostgresHasFrozenOverAQuestion) {
  ConnectionProxy proxy(database());
  directory().Write("migd.yaml", absl::StrCat("shutdown_grace: 0\ndatabases:\n  app:\n    url: ",
                                              FormatConninfo(proxy.connection()),
                                              "\n    migrations: ", migrations(), "\n"));
  StartMigdWithConfig(config());
  ASSERT_TRUE(Eventually([&] { return HealthOf("database/app") == 0; })) << migd().log();
  proxy.Hold();
  // What follows the store asks at least once a second.
  Process ask(MigctlCommand({"current"}));
  EXPECT_TRUE(Eventually([&] { return HealthOf("") == 0; }));
  absl::SleepFor(absl::Seconds(2));
  migd().process().Signal(SIGTERM);
  const Finished stopped = migd().process().Wait();
  EXPECT_EQ(stopped.exit_code, 1) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("stopping takes too long"));
}

// What sd_notify(3) sends to.
class NotifySocket {
 public:
  explicit NotifySocket(std::string path)
      : path_(std::move(path)), socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const timeval most = {60, 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
  }

  const std::string& path() const { return path_; }
  // Waits for the next message.
  std::string Receive() {
    std::string message(1000, '\0');
    const ssize_t size = recv(socket_.get(), message.data(), message.size(), 0);
    return message.substr(0, size < 0 ? 0 : static_cast<size_t>(size));
  }

 private:
  const std::string path_;
  const UniqueFd socket_;
};

TEST_F(LifecycleTest, TellsTheServiceManagerWhenItIsReadyReloadsAndStops) {
  NotifySocket manager(directory().path() + "/notify");
  WriteConfig("shutdown_grace: 10m\n");
  StartMigdWithConfig(config(), {{"NOTIFY_SOCKET", manager.path()}});
  migd();
  EXPECT_EQ(manager.Receive(), "READY=1");
  migd().process().Signal(SIGHUP);
  EXPECT_THAT(manager.Receive(), AllOf(HasSubstr("RELOADING=1"), HasSubstr("MONOTONIC_USEC=")));
  EXPECT_EQ(manager.Receive(), "READY=1");
  migd().process().Signal(SIGTERM);
  // As long as shutdown_grace, and what comes after it.
  EXPECT_EQ(manager.Receive(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=625000000");
  EXPECT_EQ(migd().process().Wait().exit_code, 0) << migd().log();
}

TEST_F(LifecycleTest, TellsTheServiceManagerThatItLivesUntilItStops) {
  NotifySocket manager(directory().path() + "/notify");
  WriteConfig("");
  StartMigdWithConfig(config(), {{"NOTIFY_SOCKET", manager.path()}, {"WATCHDOG_USEC", "2000000"}});
  migd();
  EXPECT_EQ(manager.Receive(), "READY=1");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(manager.Receive(), "WATCHDOG=1");
  migd().process().Signal(SIGTERM);
  std::string message = manager.Receive();
  while (message == "WATCHDOG=1") message = manager.Receive();
  EXPECT_THAT(message, HasSubstr("STOPPING=1"));
  EXPECT_EQ(migd().process().Wait().exit_code, 0) << migd().log();
}

}  // namespace
}  // namespace migd
