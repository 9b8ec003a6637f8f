// A database that is not there, does not let migd in, or must not be written to.
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "service/postgres/embedded_cluster.h"
#include "tests/support/pgbouncer.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPassword[] = "Tr0ub4dor-und-3";

// Not the fixture's migd: one for a database that makes trouble.
class DatabaseTroubleTest : public ServiceTest {
 protected:
  DatabaseTroubleTest() { Add({.id = "aa10", .up = "CREATE TABLE a ();"}); }

  static Finished Ask(const Migd& server, Arguments arguments) {
    arguments.insert(arguments.begin(), {TestVariable("MIGCTL"), "--server", server.address()});
    return RunCommand({arguments});
  }

  // Upgrades the database at `uri` and expects a failure.
  Json FailureAt(const std::string& uri, int exit_code) {
    const Migd server({"--database", uri, "--migrations", migrations()});
    const Finished upgrade = Ask(server, {"--output", "json", "upgrade", "head"});
    EXPECT_EQ(upgrade.exit_code, exit_code) << upgrade.err;
    EXPECT_EQ(Ask(server, {"current"}).exit_code, exit_code);
    // The files are there all the same.
    EXPECT_EQ(Ask(server, {"heads"}).out, "aa10 (head)\n");
    return Json::Parse(upgrade.err)["error"];
  }

  std::string UriAs(const std::string& user) const {
    ConnectionOptions options = database();
    options["user"] = user;
    return TestCluster::Uri(options);
  }
};

TEST_F(DatabaseTroubleTest, AServerThatIsDownIsUnavailable) {
  ConnectionOptions nowhere = database();
  nowhere["host"] = directory().path();
  const Json error = FailureAt(TestCluster::Uri(nowhere), 4);
  EXPECT_EQ(error["code"].text(), "UNAVAILABLE");
  EXPECT_EQ(error["reason"].text(), "DATABASE_UNAVAILABLE");
  EXPECT_THAT(error["message"].text(), HasSubstr(directory().path()));
  EXPECT_THAT(error["hint"].text(), HasSubstr("host and port"));
}

TEST_F(DatabaseTroubleTest, ADatabaseThatIsMissingIsNamed) {
  ConnectionOptions missing = database();
  missing["dbname"] = "atlantis";
  const Json error = FailureAt(TestCluster::Uri(missing), 1);
  EXPECT_EQ(error["reason"].text(), "DATABASE_MISSING");
  EXPECT_THAT(error["message"].text(), HasSubstr("atlantis"));
  EXPECT_THAT(error["hint"].text(), HasSubstr("createdb"));
}

TEST_F(DatabaseTroubleTest, ARoleThatIsUnknownIsRefused) {
  const Json error = FailureAt(UriAs("nobody_knows"), 1);
  EXPECT_EQ(error["reason"].text(), "DATABASE_LOGIN_REFUSED");
  EXPECT_THAT(error["message"].text(), HasSubstr("nobody_knows"));
}

TEST_F(DatabaseTroubleTest, AReadOnlyDatabaseIsNotTouched) {
  Query(absl::StrCat("ALTER DATABASE ", database().at("dbname"),
                     " SET default_transaction_read_only = on"));
  const Failure failure = FailureOf({"upgrade", "head"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "DATABASE_READ_ONLY");
  EXPECT_THAT(failure.text, HasSubstr("target_session_attrs=read-write"));
  EXPECT_EQ(Migctl({"current"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "no table");
}

TEST_F(DatabaseTroubleTest, ARoleThatMayNotCreateIsToldWhatItLacks) {
  const std::string role = absl::StrCat("reader_of_", database().at("dbname"));
  Query(absl::StrCat("CREATE ROLE ", role, " LOGIN"));
  const Migd server({"--database", UriAs(role), "--migrations", migrations()});
  const Finished upgrade = Ask(server, {"--output", "json", "upgrade", "head"});
  EXPECT_EQ(upgrade.exit_code, 1);
  const Json error = Json::Parse(upgrade.err)["error"];
  EXPECT_EQ(error["reason"].text(), "INSUFFICIENT_PRIVILEGE");
  EXPECT_EQ(error["code"].text(), "PERMISSION_DENIED");
  EXPECT_THAT(error["message"].text(),
              AllOf(HasSubstr(absl::StrCat("CREATE on database ", database().at("dbname"))),
                    HasSubstr("CREATE on schema public")));
  EXPECT_THAT(error["hint"].text(),
              HasSubstr(absl::StrCat("GRANT CREATE ON SCHEMA public TO ", role, ";")));
  EXPECT_EQ(VersionRows(), "no table");
  EXPECT_EQ(Ask(server, {"current"}).exit_code, 0);
}

TEST_F(DatabaseTroubleTest, ARoleThatMayNotReadTheVersionTableIsToldAllThatItLacks) {
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  const std::string role = absl::StrCat("outsider_of_", database().at("dbname"));
  Query(absl::StrCat("CREATE ROLE ", role, " LOGIN"));
  const Migd server({"--database", UriAs(role), "--migrations", migrations()});
  const Finished upgrade = Ask(server, {"--output", "json", "upgrade", "head"});
  const Json error = Json::Parse(upgrade.err)["error"];
  EXPECT_EQ(error["reason"].text(), "INSUFFICIENT_PRIVILEGE");
  EXPECT_THAT(error["message"].text(),
              AllOf(HasSubstr("USAGE on schema migration_service"),
                    HasSubstr("SELECT, INSERT, UPDATE, DELETE on table public.alembic_version"),
                    HasSubstr("INSERT on table migration_service.revision_log")));
}

TEST_F(DatabaseTroubleTest, APoolerIsRefusedWithTheReason) {
  const PgBouncer pooler(database(), "transaction");
  const Json error = FailureAt(TestCluster::Uri(pooler.connection()), 1);
  EXPECT_EQ(error["code"].text(), "FAILED_PRECONDITION");
  EXPECT_EQ(error["reason"].text(), "POOLED_CONNECTION");
  EXPECT_THAT(error["hint"].text(), HasSubstr("connect migd to PostgreSQL itself"));
  EXPECT_EQ(VersionRows(), "no table");
}

TEST_F(DatabaseTroubleTest, AStandbyCanBeReadButNotMigrated) {
  if (!TestCluster::HasPgDump()) {
    GTEST_SKIP() << "the server is newer than pg_basebackup, which comes with pg_dump";
  }
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE b ();"});
  // A copy of the whole cluster that follows it by streaming.
  const std::string copy = directory().path() + "/standby";
  const ConnectionOptions primary = database();
  const Finished backup =
      RunCommand({{"pg_basebackup", "--host", primary.at("host"), "--port", primary.at("port"),
                   "--username", primary.at("user"), "--pgdata", copy + "/data",
                   "--write-recovery-conf", "--no-sync", "--checkpoint", "fast"}});
  ASSERT_EQ(backup.exit_code, 0) << backup.err;
  if (geteuid() == 0) {
    ASSERT_EQ(RunCommand({{"chown", "--recursive", "postgres", copy}}).exit_code, 0);
  }
  EmbeddedOptions options;
  options.directory = copy;
  options.database = primary.at("dbname");
  options.durable = false;
  options.settings["max_connections"] = Query("SHOW max_connections");
  const auto standby = EmbeddedCluster::Start(options);
  ASSERT_TRUE(standby.ok()) << standby.status();
  ASSERT_EQ(TestCluster::Query((*standby)->connection(), "SELECT pg_is_in_recovery()"), "t");

  const Migd server({"--database", (*standby)->uri(), "--migrations", migrations()});
  EXPECT_EQ(Ask(server, {"current"}).out, "aa10\n");
  const Finished upgrade = Ask(server, {"--output", "json", "upgrade", "head"});
  EXPECT_EQ(upgrade.exit_code, 1);
  EXPECT_EQ(Json::Parse(upgrade.err)["error"]["reason"].text(), "DATABASE_READ_ONLY");
}

TEST_F(DatabaseTroubleTest, AStatementTimeoutOfTheDatabaseIsNotThatOfTheMigrations) {
  Add({.id = "bb20", .revises = "aa10", .up = "SELECT pg_sleep(0.4);"});
  Query(
      absl::StrCat("ALTER DATABASE ", database().at("dbname"), " SET statement_timeout = '200ms'"));
  const Finished upgrade = Migctl({"upgrade", "head"});
  EXPECT_EQ(upgrade.exit_code, 0) << upgrade.err;
  EXPECT_EQ(Text({"current"}), "bb20 (head)\n");
}

TEST_F(DatabaseTroubleTest, ASchemaMadeBeforehandIsEnoughForARoleThatMayMakeNone) {
  const std::string role = absl::StrCat("deployer_of_", database().at("dbname"));
  Query(absl::StrCat("CREATE ROLE ", role, " LOGIN; CREATE SCHEMA migration_service AUTHORIZATION ",
                     role, "; GRANT CREATE ON SCHEMA public TO ", role));
  ASSERT_EQ(Query(absl::StrCat("SELECT has_database_privilege('", role,
                               "', current_database(), 'CREATE')")),
            "f");
  const Migd server({"--database", UriAs(role), "--migrations", migrations()});
  const Finished upgrade = Ask(server, {"upgrade", "head"});
  EXPECT_EQ(upgrade.exit_code, 0) << upgrade.err;
  EXPECT_EQ(VersionRows(), "aa10");
  EXPECT_EQ(Query("SELECT applied_by FROM migration_service.revision_log"), role);
}

TEST_F(DatabaseTroubleTest, ARoleThatMayOnlyReadTheVersionTableReadsTheHistory) {
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  const std::string role = absl::StrCat("auditor_of_", database().at("dbname"));
  Query(absl::StrCat("CREATE ROLE ", role, " LOGIN; GRANT SELECT ON alembic_version TO ", role));
  const Migd server({"--database", UriAs(role), "--migrations", migrations()});
  const Finished history = Ask(server, {"--output", "json", "history"});
  EXPECT_EQ(history.exit_code, 0) << history.err;
  const Json json = Json::Parse(history.out);
  EXPECT_FALSE(json.Has("database_error")) << history.out;
  EXPECT_EQ(json["applied_count"].text(), "1");
  EXPECT_EQ(Ask(server, {"current"}).out, "aa10 (head)\n");
}

TEST_F(DatabaseTroubleTest, AConnectTimeoutOfZeroSetsNoLimit) {
  StartMigdWith({"--connect-timeout", "0"});
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "aa10");
}

// --- Passwords ---

// A role that needs a password, in a cluster that trusts everybody else.
class PasswordTest : public DatabaseTroubleTest {
 protected:
  PasswordTest() : role_(absl::StrCat("guarded_of_", database().at("dbname"))) {
    Query(absl::StrCat("CREATE ROLE ", role_, " LOGIN SUPERUSER PASSWORD '", kPassword, "'"));
    const std::string file = Query("SHOW hba_file");
    std::ostringstream rules;
    rules << "local all " << role_ << " scram-sha-256\n" << std::ifstream(file).rdbuf();
    std::ofstream(file) << rules.str();
    Query("SELECT pg_reload_conf()");
    // The reload reaches the postmaster by a signal.
    EXPECT_TRUE(Eventually([this] {
      const Finished login =
          RunCommand({{"psql", UriAs(role_), "--no-password", "--command=SELECT 1"}});
      return login.exit_code != 0;
    }));
  }

  std::string UriWith(const std::string& password) const {
    ConnectionOptions options = database();
    options["user"] = absl::StrCat(role_, ":", password);
    return TestCluster::Uri(options);
  }

  const std::string role_;
};

TEST_F(PasswordTest, AWrongPasswordIsRefusedAndShownNowhere) {
  const std::string wrong = "Tr0ub4dor-und-4";
  const Migd server({"--database", UriWith(wrong), "--migrations", migrations()});
  std::string printed;
  for (const Arguments& arguments : {Arguments{"upgrade", "head"},
                                     {"--output", "json", "upgrade", "head"},
                                     {"current"},
                                     {"history"},
                                     {"operations", "list"},
                                     {"--output", "json", "operations", "list"}}) {
    const Finished finished = Ask(server, arguments);
    absl::StrAppend(&printed, finished.out, finished.err);
  }
  EXPECT_THAT(printed, AllOf(HasSubstr("[DATABASE_LOGIN_REFUSED]"),
                             HasSubstr("password authentication failed"), HasSubstr(role_)));
  EXPECT_THAT(printed + server.log(), Not(HasSubstr(wrong)));
  EXPECT_EQ(VersionRows(), "no table");
}

TEST_F(PasswordTest, ARightPasswordIsShownNowhere) {
  const Migd server({"--database", UriWith(kPassword), "--migrations", migrations()});
  std::string printed;
  for (const Arguments& arguments : {Arguments{"--output", "json", "upgrade", "head"},
                                     {"upgrade", "nothing"},
                                     {"history"},
                                     {"--output", "json", "operations", "list"}}) {
    const Finished finished = Ask(server, arguments);
    absl::StrAppend(&printed, finished.out, finished.err);
  }
  EXPECT_EQ(VersionRows(), "aa10");
  EXPECT_THAT(printed + server.log(), Not(HasSubstr(kPassword)));
  EXPECT_EQ(Query(absl::StrCat("SELECT count(*) FROM migration_service.revision_log l WHERE "
                               "l::text LIKE '%",
                               kPassword, "%'")),
            "0");
}

TEST_F(PasswordTest, APasswordComesFromAFile) {
  const std::string file = directory().Write("password", absl::StrCat(kPassword, "\n"));
  const Migd server(
      {"--database", UriAs(role_), "--password-file", file, "--migrations", migrations()});
  EXPECT_EQ(Ask(server, {"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(VersionRows(), "aa10");
}

TEST_F(PasswordTest, AMissingPasswordIsARefusedLogin) {
  const Json error = FailureAt(UriAs(role_), 1);
  EXPECT_EQ(error["reason"].text(), "DATABASE_LOGIN_REFUSED");
  EXPECT_THAT(error["message"].text(), HasSubstr("no password supplied"));
}

TEST_F(PasswordTest, AUriThatCannotBeReadIsNotRepeated) {
  const Finished migd =
      RunCommand({{TestVariable("MIGD"), "--listen", "unix:" + directory().path() + "/s",
                   "--database", absl::StrCat("postgresql://me:", kPassword, "%zz@host/x")}});
  EXPECT_EQ(migd.exit_code, 1);
  EXPECT_THAT(migd.err, HasSubstr("is no connection string"));
  EXPECT_THAT(migd.out + migd.err, Not(HasSubstr(kPassword)));
}

// --- An embedded cluster ---

class EmbeddedTest : public DatabaseTroubleTest {
 protected:
  std::string data() const { return directory().path() + "/embedded"; }
  Arguments flags() const {
    Arguments flags = {"--embedded", data(), "--migrations", migrations()};
    const std::string programs = TestCluster::ProgramDirectory();
    if (!programs.empty()) flags.insert(flags.end(), {"--embedded-programs", programs});
    return flags;
  }

  pid_t PostgresPid() const {
    std::string line;
    std::ifstream file(data() + "/data/postmaster.pid");
    int pid = 0;
    if (!std::getline(file, line) || !absl::SimpleAtoi(line, &pid)) ADD_FAILURE() << "no pid";
    return pid;
  }
};

TEST_F(EmbeddedTest, ItIsMadeOnFirstUseAndKeptAndStopsWithMigd) {
  pid_t postgres = 0;
  {
    const Migd server(flags());
    EXPECT_THAT(Ask(server, {"upgrade", "head"}).out, HasSubstr("Upgraded app to aa10"));
    postgres = PostgresPid();
    EXPECT_EQ(kill(postgres, 0), 0);
  }
  EXPECT_NE(kill(postgres, 0), 0);
  const Migd again(flags());
  EXPECT_EQ(Ask(again, {"current"}).out, "aa10 (head)\n");
}

TEST_F(EmbeddedTest, AServerThatDiesTakesMigdWithIt) {
  Migd server(flags());
  EXPECT_EQ(Ask(server, {"upgrade", "head"}).exit_code, 0);
  kill(PostgresPid(), SIGQUIT);
  EXPECT_EQ(server.process().Wait().exit_code, 1) << server.log();
  EXPECT_THAT(server.log(), HasSubstr("the embedded PostgreSQL has ended"));
  // Whoever starts migd again has everything back.
  const Migd again(flags());
  EXPECT_EQ(Ask(again, {"current"}).out, "aa10 (head)\n");
}

TEST_F(EmbeddedTest, ADirectoryWithOtherFilesIsRefused) {
  directory().Write("embedded/notes.txt", "mine\n");
  const Finished start = RunCommand({{TestVariable("MIGD"), "--embedded", data(), "--listen",
                                      absl::StrCat("unix:", directory().path(), "/s")}});
  EXPECT_EQ(start.exit_code, 1);
  EXPECT_THAT(start.err, AllOf(HasSubstr("has other files in it"), HasSubstr("--embedded")));
}

// Whether the step or the plan, which is being stored meanwhile, comes first to the table is left
// to chance.
TEST_F(DatabaseTroubleTest, AFirstStepMayLockTheTablesOfTheService) {
  Add({.id = "bb20",
       .revises = "aa10",
       .up =
           "LOCK TABLE migration_service.operation IN ACCESS EXCLUSIVE MODE;\nCREATE TABLE b ();"});
  const Migd server({"--database", TestCluster::Uri(database()), "--migrations", migrations()});
  EXPECT_EQ(Ask(server, {"upgrade", "aa10"}).exit_code, 0);
  const Finished upgrade = Ask(server, {"upgrade", "head"});
  EXPECT_EQ(upgrade.exit_code, 0) << upgrade.err;
  EXPECT_EQ(Query("SELECT version_num FROM alembic_version"), "bb20");
  EXPECT_EQ(Query("SELECT state FROM migration_service.operation ORDER BY number DESC LIMIT 1"),
            "SUCCEEDED");
}

}  // namespace
}  // namespace migd
