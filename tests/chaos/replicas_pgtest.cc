// Several servers on one database, many clients at once, and servers that are killed: each revision
// is applied once, and every client is told the truth.
//
// CHAOS_SEED repeats the choices of an earlier run.
#include <signal.h>

#include <iostream>
#include <map>
#include <memory>
#include <pqxx/pqxx>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/chaos/chaos.h"
#include "tests/support/service_fixture.h"
#include "tests/support/tallied_migrations.h"

namespace migd {
namespace {

using ::testing::SizeIs;

constexpr int kClients = 50;
// So many pairs of them share a request_id.
constexpr int kPairs = 10;
constexpr int kKills = 4;
constexpr absl::Duration kLongestBetweenKills = absl::Milliseconds(300);

// A caller that repeats its request, word for word, until it is told that it is done.
struct Client {
  std::string request_id;
  std::unique_ptr<Process> run;
  bool done = false;
};

class ReplicasTest : public ServiceTest, public ::testing::WithParamInterface<int> {
 protected:
  ReplicasTest() {
    std::cout << "CHAOS_SEED=" << seed_ << std::endl;
    Query(TalliedMigrations::SetupSql());
    for (const Migration& file : migrations_.Files()) Add(file);
    for (int i = 0; i < GetParam(); ++i) servers_.push_back(NewServer());
    for (int i = 0; i < kClients; ++i) {
      const bool shares = i % 2 == 1 && i < 2 * kPairs;
      clients_.push_back({shares ? clients_.back().request_id : NewRequestId(random_), {}});
    }
    pqxx::connection connection(FormatConninfo(database()));
    pass_ = migrations_.Begin(connection, true);
  }

  std::unique_ptr<Migd> NewServer() const {
    return std::make_unique<Migd>(Arguments{"--database", TestCluster::Uri(database()),
                                            "--migrations", migrations(), "--takeover-after",
                                            kTakeoverAfter, "--destructive", "allow"});
  }

  size_t RandomServer() {
    return std::uniform_int_distribution<size_t>(0, servers_.size() - 1)(random_);
  }

  void Start(Client& client) {
    client.run = std::make_unique<Process>(
        Command{{TestVariable("MIGCTL"), "--server", servers_[RandomServer()]->address(),
                 "--output", "json", "upgrade", "head", "--request-id", client.request_id}});
  }

  // Looks how far a client is; what failed is tried again.
  void Attend(Client& client) {
    if (client.done || client.run->running()) return;
    const Finished finished = client.run->Wait();
    // A line that was cut off is none.
    const std::string lines = finished.out.substr(0, finished.out.rfind('\n') + 1);
    for (const Json& event : Json::ParseLines(lines)) {
      const std::string operation = event["operation"].text();
      if (!operation.empty()) operations_[client.request_id].insert(operation);
    }
    client.done = finished.exit_code == 0;
    if (client.done) {
      EXPECT_EQ(VersionRows(), "ff60") << "a client was told: " << finished.out;
      return;
    }
    EXPECT_EQ(finished.exit_code, 4) << finished.err;
    ++repeated_;
    Start(client);
  }

  void KillSomeServer() {
    servers_[RandomServer()]->KillAndRestart();
    next_kill_ = RandomMoment();
  }

  absl::Time RandomMoment() {
    return absl::Now() +
           std::uniform_real_distribution<double>(0, 1)(random_) * kLongestBetweenKills;
  }

  const uint64_t seed_ = ChaosSeed();
  std::mt19937_64 random_{seed_};
  // Without those of which only people can tell what became of them: no repetition helps there.
  const TalliedMigrations migrations_{TalliedMigrations::Procedures::kNone};
  std::vector<std::unique_ptr<Migd>> servers_;
  std::vector<Client> clients_;
  // By request_id, the operations that those who gave it were told of.
  std::map<std::string, std::set<std::string>> operations_;
  TalliedMigrations::Pass pass_;
  absl::Time next_kill_ = RandomMoment();
  int repeated_ = 0;
};

TEST_P(ReplicasTest, ApplyEachRevisionOnceAndTellEveryClientTheTruth) {
  SCOPED_TRACE(absl::StrCat("CHAOS_SEED=", seed_));
  for (Client& client : clients_) Start(client);
  int kills = 0;
  int done = 0;
  const bool all_done = Eventually([&] {
    if (kills < kKills && absl::Now() > next_kill_) {
      KillSomeServer();
      ++kills;
    }
    done = 0;
    for (Client& client : clients_) {
      Attend(client);
      if (client.done) ++done;
    }
    return HasFailure() || done == kClients;
  });
  EXPECT_TRUE(all_done) << done << " of " << kClients << " clients are done";

  pqxx::connection connection(FormatConninfo(database()));
  const auto snapshot = TalliedMigrations::Read(connection, pass_);
  EXPECT_EQ(migrations_.Problems(snapshot, pass_), "");
  EXPECT_EQ(migrations_.AppliedIn(snapshot), migrations_.count());
  for (const auto& [request_id, operations] : operations_) {
    EXPECT_THAT(operations, SizeIs(1)) << request_id;
  }
  std::cout << kills << " kills, " << repeated_ << " requests repeated" << std::endl;
}

INSTANTIATE_TEST_SUITE_P(Servers, ReplicasTest, ::testing::Values(2, 5));

}  // namespace
}  // namespace migd
