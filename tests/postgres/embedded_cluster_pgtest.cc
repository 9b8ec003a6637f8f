#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/postgres/embedded_cluster.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class EmbeddedClusterTest : public ::testing::Test {
 protected:
  EmbeddedClusterTest() {
    options_.directory = directory_.path() + "/pg";
    options_.database = "app";
    options_.durable = false;
  }

  std::unique_ptr<EmbeddedCluster> Start() {
    auto cluster = EmbeddedCluster::Start(options_);
    EXPECT_TRUE(cluster.ok()) << cluster.status();
    return cluster.ok() ? *std::move(cluster) : nullptr;
  }

  // Why the cluster cannot be started.
  std::string Problem() {
    const auto cluster = EmbeddedCluster::Start(options_);
    EXPECT_EQ(errors::ReasonOf(cluster.status()), migration::v1::ERROR_REASON_DATABASE_UNSUITABLE)
        << cluster.status();
    EXPECT_NE(errors::ToProto(cluster.status()).hint(), "");
    return std::string(cluster.status().message());
  }

  static struct stat StatOf(const std::string& path) {
    struct stat found = {};
    EXPECT_EQ(stat(path.c_str(), &found), 0) << path;
    return found;
  }

  // A process that is gone, or of which only the exit status is left.
  static bool HasEnded(pid_t pid) {
    std::ifstream stat(absl::StrCat("/proc/", pid, "/stat"));
    std::string line;
    if (!std::getline(stat, line)) return true;
    const size_t name_end = line.rfind(')');
    return name_end == std::string::npos || absl::StartsWith(line.substr(name_end), ") Z");
  }

  const TemporaryDirectory directory_;
  EmbeddedOptions options_;
};

TEST_F(EmbeddedClusterTest, KeepsItsDataFromOneStartToTheNext) {
  {
    const auto cluster = Start();
    ASSERT_NE(cluster, nullptr);
    EXPECT_EQ(TestCluster::Query(cluster->connection(), "SELECT current_database()"), "app");
    TestCluster::Query(cluster->connection(), "CREATE TABLE kept AS SELECT 42 AS a");
  }
  const auto again = Start();
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(TestCluster::Query(again->connection(), "SELECT a FROM kept"), "42");
}

TEST_F(EmbeddedClusterTest, SaysHowToConnect) {
  options_.database = "odd name";
  const auto cluster = Start();
  ASSERT_NE(cluster, nullptr);
  std::ifstream file(options_.directory + "/uri");
  std::string uri;
  std::getline(file, uri);
  EXPECT_EQ(uri, cluster->uri());
  const auto options = ParseConninfo(uri);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(TestCluster::Query(*options, "SELECT current_database()"), "odd name");
}

TEST_F(EmbeddedClusterTest, ListensOnNoNetworkAndLetsNoOtherUserIn) {
  const auto cluster = Start();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(TestCluster::Query(cluster->connection(), "SHOW listen_addresses"), "");
  struct stat socket_directory = {};
  ASSERT_EQ(stat(cluster->connection().at("host").c_str(), &socket_directory), 0);
  EXPECT_EQ(socket_directory.st_mode & 0777, 0700U);
}

TEST_F(EmbeddedClusterTest, ADirectoryHasOneUser) {
  const auto cluster = Start();
  ASSERT_NE(cluster, nullptr);
  EXPECT_THAT(Problem(), HasSubstr("another migd uses this directory"));
  EXPECT_EQ(TestCluster::Query(cluster->connection(), "SELECT 1"), "1");
}

TEST_F(EmbeddedClusterTest, StopsWithItsObject) {
  auto cluster = Start();
  ASSERT_NE(cluster, nullptr);
  const pid_t pid = cluster->pid();
  EXPECT_FALSE(HasEnded(pid));
  cluster.reset();
  EXPECT_TRUE(HasEnded(pid));
}

TEST_F(EmbeddedClusterTest, StopsWithAProcessThatIsKilledAndStartsAgain) {
  int channel[2];
  ASSERT_EQ(pipe(channel), 0);
  const pid_t owner = fork();
  ASSERT_GE(owner, 0);
  if (owner == 0) {
    // The process that is killed: it never returns to the test.
    const auto cluster = EmbeddedCluster::Start(options_);
    const pid_t server = cluster.ok() ? (*cluster)->pid() : -1;
    if (cluster.ok()) {
      TestCluster::Query((*cluster)->connection(), "CREATE TABLE kept AS SELECT 42 AS a");
    }
    [[maybe_unused]] const ssize_t written = write(channel[1], &server, sizeof server);
    while (true) pause();
  }
  pid_t server = -1;
  ASSERT_EQ(read(channel[0], &server, sizeof server), static_cast<ssize_t>(sizeof server));
  close(channel[0]);
  close(channel[1]);
  kill(owner, SIGKILL);
  ASSERT_EQ(waitpid(owner, nullptr, 0), owner);
  ASSERT_GT(server, 0);
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (!HasEnded(server) && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_TRUE(HasEnded(server));

  const auto again = Start();
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(TestCluster::Query(again->connection(), "SELECT a FROM kept"), "42");
}

TEST_F(EmbeddedClusterTest, APathTooLongForASocketGetsItsSocketElsewhere) {
  options_.directory = directory_.path() + "/" + std::string(120, 'x');
  std::string socket_directory;
  {
    const auto cluster = Start();
    ASSERT_NE(cluster, nullptr);
    socket_directory = cluster->connection().at("host");
    EXPECT_FALSE(absl::StartsWith(socket_directory, options_.directory));
    EXPECT_EQ(TestCluster::Query(cluster->connection(), "SELECT 1"), "1");
  }
  EXPECT_FALSE(fs::exists(socket_directory));
}

TEST_F(EmbeddedClusterTest, ARelativeDirectoryIsMeantFromHere) {
  const fs::path before = fs::current_path();
  fs::current_path(directory_.path());
  options_.directory = "relative/pg/";
  const auto cluster = Start();
  fs::current_path(before);
  ASSERT_NE(cluster, nullptr);
  EXPECT_TRUE(fs::exists(directory_.path() + "/relative/pg/data/PG_VERSION"));
  EXPECT_EQ(TestCluster::Query(cluster->connection(), "SELECT 1"), "1");
}

TEST_F(EmbeddedClusterTest, MissingProgramsAreNamed) {
  options_.program_directory = directory_.path();
  EXPECT_THAT(Problem(), HasSubstr("initdb and postgres are not installed"));
}

TEST_F(EmbeddedClusterTest, AClusterOfAnotherVersionNeedsItsPrograms) {
  directory_.Write("pg/data/PG_VERSION", "9\n");
  options_.program_directory = directory_.path();
  EXPECT_THAT(Problem(), HasSubstr("PostgreSQL 9"));
}

TEST_F(EmbeddedClusterTest, AFileInTheWayIsNamed) {
  options_.directory = directory_.Write("file", "") + "/pg";
  EXPECT_THAT(Problem(), HasSubstr("cannot make " + options_.directory));
}

TEST_F(EmbeddedClusterTest, AServerThatDoesNotStartShowsItsLog) {
  options_.settings["max_connections"] = "nonsense";
  EXPECT_THAT(Problem(), HasSubstr("max_connections"));
}

TEST_F(EmbeddedClusterTest, ItsDirectoryIsClosedToOthers) {
  ASSERT_TRUE(fs::create_directory(options_.directory));
  ASSERT_EQ(chmod(options_.directory.c_str(), 0755), 0);
  const auto cluster = Start();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(StatOf(options_.directory).st_mode & 07777, 0700U);
}

TEST_F(EmbeddedClusterTest, ADirectoryWithForeignFilesIsRefusedAndStaysAsItIs) {
  directory_.Write("pg/notes.txt", "mine\n");
  ASSERT_EQ(chmod(options_.directory.c_str(), 0751), 0);
  const struct stat before = StatOf(options_.directory);
  EXPECT_THAT(Problem(), HasSubstr("has other files in it"));
  const struct stat after = StatOf(options_.directory);
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_uid, before.st_uid);
  EXPECT_EQ(after.st_gid, before.st_gid);
  EXPECT_EQ(std::distance(fs::directory_iterator(options_.directory), {}), 1);
}

TEST_F(EmbeddedClusterTest, ALinkInPlaceOfTheLockIsNotFollowed) {
  const std::string victim = directory_.path() + "/victim";
  ASSERT_TRUE(fs::create_directory(options_.directory));
  fs::create_symlink(victim, options_.directory + "/lock");
  // Not an empty directory without it: one that was used before.
  ASSERT_TRUE(fs::create_directory(options_.directory + "/data"));
  EXPECT_THAT(Problem(), HasSubstr("cannot write " + options_.directory + "/lock"));
  EXPECT_FALSE(fs::exists(victim));
}

TEST_F(EmbeddedClusterTest, ALinkInPlaceOfTheSocketsDirectoryIsNotFollowed) {
  ASSERT_NE(Start(), nullptr);
  const std::string victim = directory_.path() + "/victim";
  ASSERT_TRUE(fs::create_directory(victim));
  ASSERT_EQ(chmod(victim.c_str(), 0755), 0);
  const struct stat before = StatOf(victim);
  const std::string sockets = options_.directory + "/run";
  fs::remove_all(sockets);
  fs::create_symlink(victim, sockets);
  EXPECT_THAT(Problem(), HasSubstr("cannot make " + sockets));
  const struct stat after = StatOf(victim);
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_uid, before.st_uid);
}

TEST_F(EmbeddedClusterTest, KnowsThatItsServerHasEndedByItself) {
  const auto cluster = Start();
  ASSERT_NE(cluster, nullptr);
  EXPECT_TRUE(cluster->running());
  kill(cluster->pid(), SIGQUIT);
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (cluster->running() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_FALSE(cluster->running());
}

TEST_F(EmbeddedClusterTest, ADirectoryThatTheServersUserCannotReachIsNamed) {
  if (geteuid() != 0) GTEST_SKIP() << "PostgreSQL runs as this user itself";
  const std::string parent = directory_.path() + "/private";
  ASSERT_EQ(mkdir(parent.c_str(), 0700), 0);
  options_.directory = parent + "/pg";
  EXPECT_THAT(Problem(), HasSubstr("initdb failed"));
}

TEST_F(EmbeddedClusterTest, RootNeedsAUserToRunItAs) {
  if (geteuid() != 0) GTEST_SKIP() << "PostgreSQL runs as this user itself";
  options_.user = "no_such_user";
  EXPECT_THAT(Problem(), HasSubstr("no other user \"no_such_user\""));
  options_.user = "root";
  EXPECT_THAT(Problem(), HasSubstr("does not run as root"));
}

TEST_F(EmbeddedClusterTest, AnUnfinishedClusterIsMadeAnew) {
  directory_.Write("pg/data.new/PG_VERSION", "half of it\n");
  const auto cluster = Start();
  ASSERT_NE(cluster, nullptr);
  EXPECT_FALSE(fs::exists(options_.directory + "/data.new"));
}

}  // namespace
}  // namespace migd
