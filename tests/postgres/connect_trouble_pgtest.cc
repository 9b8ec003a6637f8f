// Databases that cannot be reached or used: each has its reason, and no message has a password.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/postgres/embedded_cluster.h"
#include "service/postgres/postgres_database.h"
#include "tests/support/pgbouncer.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

using migration::v1::ErrorReason;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPassword[] = "hunter2";

// Why the database cannot be read or opened. Both ways must give one reason, and neither may tell
// the password.
absl::Status TroubleOf(const PostgresOptions& options) {
  PostgresDatabase database(options);
  const absl::Status read = database.ReadRows().status();
  const absl::Status opened = database.OpenSession("op").status();
  EXPECT_EQ(errors::ReasonOf(read), errors::ReasonOf(opened));
  EXPECT_THAT(read.ToString(), Not(HasSubstr(kPassword)));
  EXPECT_THAT(errors::ToProto(read).DebugString(), Not(HasSubstr(kPassword)));
  return read;
}

// A cluster that asks everybody but its superuser for a password.
class PasswordTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new TemporaryDirectory();
    EmbeddedOptions options;
    options.directory = directory_->path() + "/pg";
    options.database = "orders";
    options.durable = false;
    auto cluster = EmbeddedCluster::Start(options);
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = cluster->release();
    const ConnectionOptions& superuser = cluster_->connection();
    TestCluster::Query(superuser, absl::StrCat("CREATE ROLE ann LOGIN PASSWORD '", kPassword, "'"));
    TestCluster::Query(superuser, "CREATE ROLE outsider LOGIN");
    directory_->Write("pg/data/pg_hba.conf",
                      "local all postgres trust\n"
                      "local all outsider reject\n"
                      "local all all scram-sha-256\n");
    TestCluster::Query(superuser, "SELECT pg_reload_conf()");
    // The server reads the file on its own time.
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    while (PostgresDatabase(OptionsFor("ann", "wrong")).ReadRows().ok()) {
      ASSERT_LT(absl::Now(), deadline);
      absl::SleepFor(absl::Milliseconds(5));
    }
  }

  static void TearDownTestSuite() {
    delete cluster_;
    delete directory_;
  }

  static PostgresOptions OptionsFor(const std::string& user, const std::string& password) {
    PostgresOptions options;
    options.name = "orders";
    options.connection = cluster_->connection();
    options.connection["user"] = user;
    if (!password.empty()) options.connection["password"] = password;
    return options;
  }

  static TemporaryDirectory* directory_;
  static EmbeddedCluster* cluster_;
};
TemporaryDirectory* PasswordTest::directory_ = nullptr;
EmbeddedCluster* PasswordTest::cluster_ = nullptr;

TEST_F(PasswordTest, TheRightOneOpens) {
  PostgresDatabase database(OptionsFor("ann", kPassword));
  EXPECT_TRUE(database.ReadRows().ok());
}

TEST_F(PasswordTest, AWrongOneIsRefused) {
  const absl::Status status = TroubleOf(OptionsFor("ann", absl::StrCat(kPassword, "x")));
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_DATABASE_LOGIN_REFUSED);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("password authentication failed for user \"ann\""));
}

TEST_F(PasswordTest, NoneIsRefused) {
  EXPECT_EQ(errors::ReasonOf(TroubleOf(OptionsFor("ann", ""))),
            ErrorReason::ERROR_REASON_DATABASE_LOGIN_REFUSED);
}

TEST_F(PasswordTest, ARoleThatIsNotThereIsRefused) {
  EXPECT_EQ(errors::ReasonOf(TroubleOf(OptionsFor("nobody", kPassword))),
            ErrorReason::ERROR_REASON_DATABASE_LOGIN_REFUSED);
}

TEST_F(PasswordTest, ARoleThatPgHbaRejectsIsRefused) {
  EXPECT_EQ(errors::ReasonOf(TroubleOf(OptionsFor("outsider", kPassword))),
            ErrorReason::ERROR_REASON_DATABASE_LOGIN_REFUSED);
}

// A fresh database, and how to connect to it as a role of its own that has no privileges.
struct Stranger {
  Stranger() : role(absl::StrCat("stranger_", owner.name)), options(owner) {
    TestCluster::Query(owner.connection, absl::StrCat("CREATE ROLE ", role, " LOGIN"));
    options.connection["user"] = role;
  }

  const PostgresOptions owner = TestCluster::NewDatabaseOptions();
  const std::string role;
  PostgresOptions options;
};

TEST(ConnectTrouble, ADatabaseThatIsNotThereIsMissing) {
  PostgresOptions options = TestCluster::NewDatabaseOptions();
  options.connection["dbname"] = "nowhere";
  const absl::Status status = TroubleOf(options);
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_DATABASE_MISSING);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"nowhere\" does not exist"));
}

TEST(ConnectTrouble, ADatabaseWithoutTheConnectPrivilegeRefusesTheLogin) {
  const Stranger stranger;
  TestCluster::Query(stranger.owner.connection, absl::StrCat("REVOKE CONNECT ON DATABASE ",
                                                             stranger.owner.name, " FROM PUBLIC"));
  EXPECT_EQ(errors::ReasonOf(TroubleOf(stranger.options)),
            ErrorReason::ERROR_REASON_DATABASE_LOGIN_REFUSED);
}

TEST(ConnectTrouble, AServerThatIsNotThereIsUnavailable) {
  const TemporaryDirectory empty;
  PostgresOptions options;
  options.name = "orders";
  options.connection = {{"host", empty.path()}, {"password", kPassword}, {"user", "ann"}};
  const absl::Status status = TroubleOf(options);
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_DATABASE_UNAVAILABLE);
  EXPECT_THAT(std::string(status.message()), HasSubstr("orders"));
}

TEST(ConnectTrouble, AServerThatDoesNotAnswerIsUnavailable) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 10), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);

  PostgresOptions options;
  options.name = "orders";
  options.connection = {{"host", "127.0.0.1"},
                        {"port", absl::StrCat(ntohs(address.sin_port))},
                        {"password", kPassword},
                        {"user", "ann"}};
  options.connect_timeout = absl::Milliseconds(50);
  const absl::Status status = TroubleOf(options);
  close(listener);
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_DATABASE_UNAVAILABLE);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no answer within 50ms"));
}

TEST(ConnectTrouble, AReadOnlyDatabaseCanBeReadButNotMigrated) {
  const PostgresOptions options = TestCluster::NewDatabaseOptions();
  TestCluster::Query(options.connection, absl::StrCat("ALTER DATABASE ", options.name,
                                                      " SET default_transaction_read_only = on"));
  PostgresDatabase database(options);
  EXPECT_TRUE(database.ReadRows().ok());
  const auto session = database.OpenSession("op").value();
  EXPECT_EQ(errors::ReasonOf(session->TryAcquireMutex().status()),
            ErrorReason::ERROR_REASON_DATABASE_READ_ONLY);
  EXPECT_EQ(errors::ReasonOf(session->PrepareForWriting()),
            ErrorReason::ERROR_REASON_DATABASE_READ_ONLY);
}

// --- Poolers ---

class PoolerTest : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Modes, PoolerTest, ::testing::Values("transaction", "session"),
                         [](const auto& mode) { return std::string(mode.param); });

TEST_P(PoolerTest, IsRefusedByReadersAndSessions) {
  PostgresOptions options = TestCluster::NewDatabaseOptions();
  const PgBouncer pooler(options.connection, GetParam());
  options.connection = pooler.connection();
  const absl::Status status = TroubleOf(options);
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_POOLED_CONNECTION) << status;
}

TEST(Pooler, ItsOtherClientsAreLeftAlone) {
  PostgresOptions options = TestCluster::NewDatabaseOptions();
  TestCluster::Query(options.connection, absl::StrCat("ALTER DATABASE ", options.name,
                                                      " SET statement_timeout = '77s'"));
  const PgBouncer pooler(options.connection, "transaction");
  options.connection = pooler.connection();
  EXPECT_FALSE(TroubleOf(options).ok());
  // On the one connection that the pooler has to the server.
  EXPECT_EQ(TestCluster::Query(options.connection, "SHOW statement_timeout"), "77s");
  EXPECT_EQ(TestCluster::Query(options.connection, "SHOW lock_timeout"), "0");
}

// --- Privileges ---

// Whether a session of `options` may begin to write, and if not, what is to be done about it.
migration::v1::Error RefusalOf(const PostgresOptions& options) {
  PostgresDatabase database(options);
  return errors::ToProto(database.OpenSession("op").value()->PrepareForWriting());
}

// Runs the statements of the hint, as a person would.
void RunHint(const Stranger& stranger, const std::string& hint) {
  const std::string text = hint.substr(0, hint.find(" (instead"));
  TestCluster::Query(stranger.owner.connection, text.substr(text.find(": ") + 2));
}

TEST(Privileges, AllThatIsMissingIsNamedAtOnceAndTheHintGivesIt) {
  const Stranger stranger;
  const migration::v1::Error error = RefusalOf(stranger.options);
  EXPECT_EQ(error.reason(), "INSUFFICIENT_PRIVILEGE");
  EXPECT_EQ(error.message(), absl::StrCat("database ", stranger.owner.name, ": role ",
                                          stranger.role, " lacks CREATE on database ",
                                          stranger.owner.name, "; CREATE on schema public"));
  EXPECT_EQ(error.hint(),
            absl::StrCat("as the owner or a superuser, run: GRANT CREATE ON DATABASE ",
                         stranger.owner.name, " TO ", stranger.role,
                         "; GRANT CREATE ON SCHEMA public TO ", stranger.role,
                         "; (instead of the first, CREATE SCHEMA migration_service "
                         "AUTHORIZATION ",
                         stranger.role, "; is enough)"));
  EXPECT_EQ(TestCluster::Query(stranger.owner.connection, "SELECT to_regclass('alembic_version')"),
            "");
  RunHint(stranger, error.hint());
  EXPECT_EQ(RefusalOf(stranger.options).message(), "");
}

TEST(Privileges, OfTablesThatAreThereAreNeededToo) {
  const Stranger stranger;
  EXPECT_EQ(RefusalOf(stranger.owner).message(), "");
  const migration::v1::Error error = RefusalOf(stranger.options);
  EXPECT_EQ(error.message(),
            absl::StrCat(
                "database ", stranger.owner.name, ": role ", stranger.role,
                " lacks USAGE, CREATE on schema migration_service; SELECT, INSERT, UPDATE, DELETE "
                "on table public.alembic_version; INSERT on table "
                "migration_service.revision_log; SELECT, INSERT, UPDATE, DELETE on table "
                "migration_service.statement_journal"));
  RunHint(stranger, error.hint());
  EXPECT_EQ(RefusalOf(stranger.options).message(), "");
  PostgresDatabase database(stranger.options);
  const auto session = database.OpenSession("op").value();
  EXPECT_TRUE(session->WriteVersion({VersionWrite::Kind::kInsert, "", "a"}, "a").ok());
  EXPECT_TRUE(session->AppendLog({"a", Step::Direction::kUpgrade, "", "op", absl::Now(), {}}).ok());
  EXPECT_TRUE(
      session->RecordStatements({"a", Step::Direction::kUpgrade}, {{1, JournalEntry()}}).ok());
  EXPECT_TRUE(
      session->RecordDecision({"a", Step::Direction::kUpgrade}, 1, {}, JournalDecision::kSkip)
          .ok());
}

TEST(Privileges, OfASchemaThatTheRoleMayNotLookIntoAreFound) {
  Stranger stranger;
  TestCluster::Query(stranger.owner.connection, "CREATE SCHEMA \"My Apps\"");
  stranger.options.version_table = {"My Apps", "Versions"};
  const migration::v1::Error error = RefusalOf(stranger.options);
  EXPECT_THAT(error.message(), HasSubstr("; USAGE, CREATE on schema \"My Apps\""));
  RunHint(stranger, error.hint());
  EXPECT_EQ(RefusalOf(stranger.options).message(), "");
}

TEST(Privileges, OneOnTheColumnIsEnough) {
  const Stranger stranger;
  EXPECT_EQ(RefusalOf(stranger.owner).message(), "");
  RunHint(stranger, RefusalOf(stranger.options).hint());
  TestCluster::Query(stranger.owner.connection,
                     absl::StrCat("REVOKE ALL ON alembic_version FROM ", stranger.role,
                                  "; GRANT SELECT (version_num), INSERT (version_num), UPDATE "
                                  "(version_num), DELETE ON alembic_version TO ",
                                  stranger.role));
  EXPECT_EQ(RefusalOf(stranger.options).message(), "");
}

TEST(Privileges, OfARoleThatTheLoginBecomesAndOfTheLogin) {
  const Stranger stranger;
  const std::string owner = absl::StrCat("owner_of_", stranger.owner.name);
  TestCluster::Query(
      stranger.owner.connection,
      absl::StrCat("CREATE ROLE ", owner, "; ALTER ROLE ", stranger.role, " NOINHERIT; GRANT ",
                   owner, " TO ", stranger.role, "; CREATE SCHEMA migration_service AUTHORIZATION ",
                   owner, "; GRANT CREATE ON SCHEMA public TO ", owner, "; ALTER ROLE ",
                   stranger.role, " SET role = ", owner));
  const migration::v1::Error login = RefusalOf(stranger.options);
  EXPECT_THAT(login.message(), HasSubstr(absl::StrCat("role ", stranger.role,
                                                      " lacks USAGE on schema migration_service")));
  RunHint(stranger, login.hint());
  EXPECT_EQ(RefusalOf(stranger.options).message(), "");
  const migration::v1::Error tables = RefusalOf(stranger.options);
  EXPECT_THAT(tables.message(),
              HasSubstr(absl::StrCat("role ", stranger.role,
                                     " lacks SELECT, INSERT, UPDATE, "
                                     "DELETE on table migration_service.statement_journal; INSERT "
                                     "on table migration_service.revision_log")));
}

TEST(ConnectTrouble, ARoleThatMayNotReadTheVersionTableIsToldSo) {
  const Stranger stranger;
  TestCluster::Query(stranger.owner.connection,
                     "CREATE TABLE alembic_version (version_num varchar(32))");
  EXPECT_EQ(errors::ReasonOf(PostgresDatabase(stranger.options).ReadRows().status()),
            ErrorReason::ERROR_REASON_INSUFFICIENT_PRIVILEGE);
}

}  // namespace
}  // namespace migd
