// Many callers at once: each revision is applied once, whoever comes first.
#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::HasSubstr;

constexpr int kClients = 10;

class ConcurrencyTest : public ServiceTest {
 protected:
  ConcurrencyTest() {
    // None of them can be run twice.
    Add({.id = "aa10", .up = "CREATE TABLE a (id int);"});
    Add({.id = "bb20", .revises = "aa10", .up = "INSERT INTO a VALUES (1);"});
    Add({.id = "cc30",
         .revises = "bb20",
         .up = "CREATE INDEX CONCURRENTLY a_id ON a (id);",
         .options = "transaction:false"});
  }

  std::vector<std::unique_ptr<Process>> StartClients(int count, const std::string& server) {
    std::vector<std::unique_ptr<Process>> clients;
    for (int i = 0; i < count; ++i) {
      clients.push_back(std::make_unique<Process>(
          Command{{TestVariable("MIGCTL"), "--server", server, "upgrade", "head"}}));
    }
    return clients;
  }

  void ExpectEachRevisionOnce() const {
    EXPECT_EQ(VersionRows(), "cc30");
    EXPECT_EQ(Query("SELECT string_agg(revision, ',' ORDER BY entry) FROM "
                    "migration_service.revision_log"),
              "aa10,bb20,cc30");
    EXPECT_EQ(Query("SELECT count(*) FROM a"), "1");
  }

  static void ExpectSuccess(const std::vector<std::unique_ptr<Process>>& clients) {
    for (const auto& client : clients) {
      const Finished finished = client->Wait();
      EXPECT_EQ(finished.exit_code, 0) << finished.err;
    }
  }
};

// The mutex of the database, as another migd holds it: see service/postgres/postgres_session.cc.
class HeldMutex {
 public:
  explicit HeldMutex(ConnectionOptions database) : connection_(Named(std::move(database))) {
    pqxx::nontransaction(connection_).exec1("SELECT pg_advisory_lock(1835624292, 1)");
  }

 private:
  static std::string Named(ConnectionOptions database) {
    database["application_name"] = "another deployer";
    return FormatConninfo(database);
  }

  pqxx::connection connection_;
};

TEST_F(ConcurrencyTest, TenClientsAtOnceApplyEachRevisionOnce) {
  const auto clients = StartClients(kClients, migd().address());
  ExpectSuccess(clients);
  ExpectEachRevisionOnce();
}

TEST_F(ConcurrencyTest, TwoServersOnOneDatabaseApplyEachRevisionOnce) {
  Migd other({"--database", TestCluster::Uri(database()), "--migrations", migrations()});
  const auto clients = StartClients(kClients / 2, migd().address());
  const auto clients_of_other = StartClients(kClients / 2, other.address());
  ExpectSuccess(clients);
  ExpectSuccess(clients_of_other);
  ExpectEachRevisionOnce();
}

TEST_F(ConcurrencyTest, ACallerWaitsForTheMutexAndSeesWhoHoldsIt) {
  auto holder = std::make_unique<HeldMutex>(database());
  Process upgrade(MigctlCommand({"upgrade", "head"}));
  ASSERT_TRUE(upgrade.WaitForOutput(" waiting  for pid "));
  EXPECT_THAT(upgrade.err(), HasSubstr("(another deployer, user postgres)"));
  EXPECT_EQ(VersionRows(), "no table");

  holder.reset();
  EXPECT_EQ(upgrade.Wait().exit_code, 0);
  ExpectEachRevisionOnce();
}

TEST_F(ConcurrencyTest, ACallerSeesWhichOperationIsAheadOfIt) {
  auto holder = std::make_unique<HeldMutex>(database());
  Process first(MigctlCommand({"upgrade", "head"}));
  ASSERT_TRUE(first.WaitForOutput("waiting"));
  Process second(MigctlCommand({"upgrade", "head"}));
  ASSERT_TRUE(second.WaitForOutput(" waiting  for operation "));

  holder.reset();
  EXPECT_EQ(first.Wait().exit_code, 0);
  const Finished last = second.Wait();
  EXPECT_EQ(last.exit_code, 0);
  EXPECT_THAT(last.out, HasSubstr("nothing to do"));
  ExpectEachRevisionOnce();
}

TEST_F(ConcurrencyTest, WaitingForTheMutexCanBeLimited) {
  const HeldMutex holder(database());
  const Failure failure = FailureOf({"upgrade", "head", "--mutex-timeout", "100ms"});
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.reason(), "MUTEX_TIMEOUT");
  EXPECT_THAT(failure.text, HasSubstr("another deployer"));
  EXPECT_EQ(VersionRows(), "no table");
}

TEST_F(ConcurrencyTest, ReadingDoesNotWait) {
  const HeldMutex holder(database());
  EXPECT_EQ(Migctl({"current"}).exit_code, 0);
  EXPECT_EQ(Migctl({"plan", "upgrade", "head"}).exit_code, 0);
}

}  // namespace
}  // namespace migd
