// Migrations that are cut off at random moments, in every way that we know. Whatever happens, the
// database holds at any instant what a whole number of revisions leaves, and the journal tells the
// rest; no statement runs twice; and the operation comes to its end without anybody's help, unless
// it has to ask what became of a statement.
//
// CHAOS_ROUNDS says how often something is cut off, CHAOS_SEED repeats the choices of an earlier
// run (moments depend on the machine, too). The outcomes are counted and printed.
#include <signal.h>

#include <iostream>
#include <map>
#include <memory>
#include <pqxx/pqxx>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/chaos/chaos.h"
#include "tests/support/connection_proxy.h"
#include "tests/support/crash_cluster.h"
#include "tests/support/json.h"
#include "tests/support/service_fixture.h"
#include "tests/support/tallied_migrations.h"

namespace migd {
namespace {

constexpr int kServers = 2;
constexpr uint64_t kDefaultRounds = 30;
// A run that ends as it may is repeated so often before that counts as a failure.
constexpr int kMostRuns = 10;
constexpr absl::Duration kDelayOfMessage = absl::Milliseconds(2);
// Longer than kTakeoverAfter.
constexpr absl::Duration kLongestHold = absl::Seconds(2);

enum class Strike {
  kKillServer,
  kKillBackend,
  kTerminateBackend,
  kStopDatabase,
  kCut,
  kCutAtAnswer,
  kHoldAndCut,
  kHoldAndRelease,
  kDelay,
};

constexpr std::pair<Strike, const char*> kStrikes[] = {
    {Strike::kKillServer, "migd killed"},
    {Strike::kKillBackend, "backend killed"},
    {Strike::kTerminateBackend, "backend terminated"},
    {Strike::kStopDatabase, "immediate shutdown"},
    {Strike::kCut, "connections cut"},
    {Strike::kCutAtAnswer, "answer swallowed"},
    {Strike::kHoldAndCut, "connections held, cut"},
    {Strike::kHoldAndRelease, "connections held, let go"},
    {Strike::kDelay, "connections slow"},
};

// The reason with which the service asks people what became of a statement.
constexpr char kAsked[] = "STATEMENT_OUTCOME_UNKNOWN";

// The reason with which it gives up an operation that was interrupted too often.
constexpr char kGivenUp[] = "OPERATION_INTERRUPTED";

// How a run of migctl ended.
struct Outcome {
  bool ok = false;
  // The caller was told of an operation.
  bool accepted = false;
  // "OK", the reason of the error, or its code if it has none.
  std::string said;
  // See PlacesIn.
  std::string where;
  Json error;
  std::string text;
};

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

void Print(const std::map<std::string, int>& counts) {
  for (const auto& [what, count] : counts) std::cout << absl::StrFormat("%5d  %s\n", count, what);
}

class InterruptionsTest : public ::testing::Test {
 protected:
  InterruptionsTest() {
    std::cout << "CHAOS_SEED=" << seed_ << std::endl;
    for (const Migration& file : migrations_.Files()) {
      directory_.Write(absl::StrCat("migrations/", file.id, "_test.sql"), TextOf(file));
    }
    cluster_.Query(TalliedMigrations::SetupSql());
    for (int i = 0; i < kServers; ++i) {
      proxies_.push_back(std::make_unique<ConnectionProxy>(cluster_.connection()));
      servers_.push_back(std::make_unique<Migd>(
          Arguments{"--database", TestCluster::Uri(proxies_.back()->connection()), "--migrations",
                    directory_.path() + "/migrations", "--takeover-after", kTakeoverAfter,
                    "--destructive", "allow"}));
    }
  }

  int Random(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  absl::Duration Random(absl::Duration below) {
    return std::uniform_real_distribution<double>(0, 1)(random_) * below;
  }

  // --- Runs ---

  size_t RandomServer() { return static_cast<size_t>(Random(kServers)); }

  Command CommandTo(size_t server, const Arguments& arguments) const {
    Command command{
        {TestVariable("MIGCTL"), "--server", servers_[server]->address(), "--output", "json"}};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    return command;
  }

  // What goes on with the pass.
  Arguments NextRun(const Arguments& decision) {
    Arguments run = {pass_.upgrade ? "upgrade" : "downgrade", pass_.upgrade ? "head" : "base",
                     "--request-id", NewRequestId(random_)};
    run.insert(run.end(), decision.begin(), decision.end());
    return run;
  }

  // Repeats a request until it is known what became of it.
  Outcome Repeat(const Arguments& request) {
    Outcome outcome;
    for (int i = 0; i < kMostRuns && !outcome.accepted; ++i) {
      cluster_.Query("SELECT 1");
      outcome = OutcomeOf(RunCommand(CommandTo(RandomServer(), request)));
    }
    return outcome;
  }

  Outcome OutcomeOf(const Finished& finished) const {
    Outcome outcome;
    outcome.ok = finished.exit_code == 0;
    outcome.accepted = !finished.out.empty();
    outcome.where = PlacesIn(finished.out);
    outcome.text = absl::StrCat("exit code ", finished.exit_code, "\n", finished.out, finished.err);
    outcome.said = "OK";
    if (outcome.ok) return outcome;
    outcome.error = Json::Parse(finished.err)["error"];
    outcome.said = outcome.error["reason"].text();
    if (outcome.said.empty()) outcome.said = outcome.error["code"].text();
    return outcome;
  }

  // Where an operation was interrupted, by its events; where it ended, if it was not.
  std::string PlacesIn(const std::string& events) const {
    std::string place = "before the plan";
    std::string interrupted;
    // A line that was cut off is none.
    for (const Json& event : Json::ParseLines(events.substr(0, events.rfind('\n') + 1))) {
      if (event.Has("plan") || event.Has("step_finished")) place = "between steps";
      if (event["operation_finished"]["state"].text() == "STATE_SUCCEEDED") place = "at the end";
      if (event.Has("operation_interrupted")) {
        absl::StrAppend(&interrupted, interrupted.empty() ? "" : ", ", place);
        place = "before the plan";
      }
      if (!event.Has("step_started")) continue;
      const std::string revision = event["step_started"]["step"]["revision"].text();
      place = migrations_.IsTransactional(revision, pass_.upgrade) ? "in a transaction"
                                                                   : "in no transaction";
    }
    return interrupted.empty() ? absl::StrCat("not interrupted, ", place) : interrupted;
  }

  // What to add to the next run, if it is asked for.
  Arguments DecisionFor(const Outcome& outcome) {
    const Json failure = outcome.error["statement_failure"];
    const std::string revision = failure["revision"].text();
    int statement = 0;
    EXPECT_TRUE(absl::SimpleAtoi(failure["statement_index"].text(), &statement)) << outcome.text;
    EXPECT_TRUE(migrations_.IsProcedure(revision, pass_.upgrade, statement)) << outcome.text;
    if (TalliedMigrations::HasRun(Look(), revision, pass_.upgrade, statement)) {
      return {"--skip-statement", absl::StrCat(statement)};
    }
    return {"--resume"};
  }

  // --- Passes ---

  TalliedMigrations::Snapshot Look() const {
    TalliedMigrations::Snapshot snapshot;
    cluster_.Run(
        [&](pqxx::connection& database) { snapshot = TalliedMigrations::Read(database, pass_); });
    return snapshot;
  }

  // Expects of the database what must hold at any instant; returns how many revisions are applied.
  int ExpectWhole() const {
    const TalliedMigrations::Snapshot snapshot = Look();
    EXPECT_EQ(migrations_.Problems(snapshot, pass_), "");
    return migrations_.AppliedIn(snapshot);
  }

  int Target() const { return pass_.upgrade ? migrations_.count() : 0; }

  void BeginPass() {
    cluster_.Run([this](pqxx::connection& database) {
      pass_ = migrations_.Begin(database, !pass_.upgrade);
    });
  }

  // Runs until the pass is at its end, without disturbing it; tells how it went.
  std::string FinishPass(Arguments decision = {}) {
    std::string went;
    Outcome outcome;
    for (int run = 0; run < kMostRuns; ++run) {
      if (!decision.empty()) absl::StrAppend(&went, decision[0], ", ");
      outcome = Repeat(NextRun(decision));
      if (outcome.said != kAsked) break;
      decision = DecisionFor(outcome);
    }
    EXPECT_EQ(outcome.said, "OK") << outcome.text;
    EXPECT_EQ(ExpectWhole(), Target()) << outcome.text;
    return absl::StrCat(went, "reached the end");
  }

  // --- Strikes ---

  // A session of migd's: mostly the one that has the database's mutex (see
  // service/database/service_sql.h), otherwise any, such as the one that tells that a server lives.
  // Empty if there is none.
  std::string Backend() {
    return cluster_.Query(absl::StrCat(
        "SELECT a.pid FROM pg_stat_activity a LEFT JOIN pg_locks l ON l.pid = a.pid AND "
        "l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = 1835624292 AND "
        "l.objid = 1 WHERE a.application_name LIKE 'migd%' ORDER BY ",
        Random(4) == 0 ? "random()" : "l.pid IS NULL", " LIMIT 1"));
  }

  // Returns false if there was nothing to hit.
  bool Hit(Strike strike, size_t server) {
    int pid = 0;
    switch (strike) {
      case Strike::kKillServer:
        servers_[server]->KillAndRestart();
        return true;
      case Strike::kKillBackend:
        return absl::SimpleAtoi(Backend(), &pid) && kill(pid, SIGKILL) == 0;
      case Strike::kTerminateBackend:
        return absl::SimpleAtoi(Backend(), &pid) && kill(pid, SIGTERM) == 0;
      case Strike::kStopDatabase:
        cluster_.StopAtOnce();
        return true;
      case Strike::kCut:
        proxies_[server]->Cut();
        return true;
      case Strike::kDelay:
        proxies_[server]->SetDelay(kDelayOfMessage);
        return true;
      case Strike::kHoldAndCut:
      case Strike::kHoldAndRelease:
        proxies_[server]->Hold();
        // A black hole can last; nobody is told of it, so there is nothing to wait for.
        if (Random(3) == 0) absl::SleepFor(Random(kLongestHold));
        return true;
      case Strike::kCutAtAnswer:
        break;
    }
    return true;
  }

  // Waits for a moment of `run`, any of them.
  void AwaitSomeMoment(Process& run, const ConnectionProxy& proxy) {
    const int answer = proxy.answers() + Random(answers_of_pass_);
    while (run.running() && !proxy.WaitForAnswers(answer, absl::Milliseconds(10))) continue;
    // Between two answers of PostgreSQL there is no condition to wait for.
    absl::SleepFor(Random(absl::Milliseconds(6)));
  }

  // Strikes a server, or what it needs, once while `run` runs; tells what was hit.
  std::string StrikeOnce(Process& run, size_t server) {
    const auto& [strike, name] = kStrikes[Random(std::size(kStrikes))];
    ConnectionProxy& proxy = *proxies_[server];
    if (strike == Strike::kCutAtAnswer) {
      proxy.CutAtAnswer(1 + Random(answers_of_pass_));
      return name;
    }
    AwaitSomeMoment(run, proxy);
    const bool hit = Hit(strike, server);
    if (strike == Strike::kStopDatabase) {
      cluster_.Start();
    } else {
      ExpectWhole();
    }
    if (strike == Strike::kHoldAndCut) proxy.Cut();
    proxy.Release();
    return hit ? name : "nothing";
  }

  // Once an operation of `caller` is accepted, kills it, and returns somebody else who follows the
  // operation, on any server.
  std::unique_ptr<Process> ReplacementFor(std::unique_ptr<Process> caller) {
    // A whole line: the first event, or an error.
    if (!caller->WaitForOutput("}\n") || caller->out().empty()) return caller;
    caller->Signal(SIGKILL);
    const std::string operation = Json::Parse(FirstLine(caller->out()))["operation"].text();
    return std::make_unique<Process>(CommandTo(RandomServer(), {"operations", "watch", operation}));
  }

  // A run of the pass that is struck at some moment. Whatever happens to it, its operation comes to
  // its end by itself, and whoever follows it is told.
  Outcome RunStruck(const Arguments& decision) {
    const size_t server = RandomServer();
    const Arguments request = NextRun(decision);
    auto run = std::make_unique<Process>(CommandTo(server, request));
    if (Random(4) == 0) run = ReplacementFor(std::move(run));
    std::string struck = StrikeOnce(*run, server);
    // An operation is taken up again twice.
    const bool twice = Random(4) == 0;
    if (twice) absl::StrAppend(&struck, " + ", StrikeOnce(*run, RandomServer()));
    SCOPED_TRACE(struck);
    Outcome outcome = OutcomeOf(run->Wait());
    for (const auto& proxy : proxies_) {
      proxy->KeepAnswers();
      proxy->SetDelay(absl::ZeroDuration());
    }
    std::string said = outcome.said;
    if (!outcome.accepted) {
      EXPECT_TRUE(said == "UNAVAILABLE" || said == "DATABASE_UNAVAILABLE") << outcome.text;
      outcome = Repeat(request);
      absl::StrAppend(&said, ", repeated: ", outcome.said);
    }
    // A session that an administrator ends stays ended; migd is told which it was.
    const bool ended_by_hand = absl::StrContains(struck, "terminated") &&
                               outcome.error["metadata"]["sqlstate"].text() == "57P01";
    EXPECT_TRUE(outcome.ok || outcome.said == kAsked || ended_by_hand ||
                (twice && outcome.said == kGivenUp))
        << outcome.text;
    const int applied = ExpectWhole();
    // Who is told that it is done is told the truth.
    EXPECT_TRUE(!outcome.ok || applied == Target()) << outcome.text;
    ++counts_[absl::StrFormat("%s | %s | %s", struck, outcome.where, said)];
    return outcome;
  }

  // Learns how many answers of PostgreSQL a pass takes.
  void Measure() {
    const int answers = Answers();
    BeginPass();
    FinishPass();
    answers_of_pass_ = Answers() - answers;
  }

  int Answers() const {
    int answers = 0;
    for (const auto& proxy : proxies_) answers += proxy->answers();
    return answers;
  }

  const uint64_t seed_ = ChaosSeed();
  std::mt19937_64 random_{seed_};
  const TalliedMigrations migrations_;
  const TemporaryDirectory directory_;
  CrashCluster cluster_;
  // Each server has its own.
  std::vector<std::unique_ptr<ConnectionProxy>> proxies_;
  std::vector<std::unique_ptr<Migd>> servers_;
  TalliedMigrations::Pass pass_{.upgrade = false};
  int answers_of_pass_ = 0;
  // Of the runs that were struck, by what, where the last event was, and what was said.
  std::map<std::string, int> counts_;
};

TEST_F(InterruptionsTest, LeaveAWholeNumberOfRevisionsAndTheOperationGoesOn) {
  Measure();
  Measure();
  std::map<std::string, int> finishes;
  const uint64_t rounds = NumberInEnvironment("CHAOS_ROUNDS", kDefaultRounds);
  BeginPass();
  Arguments decision;
  for (uint64_t round = 1; round <= rounds && !HasFailure(); ++round) {
    SCOPED_TRACE(absl::StrCat("CHAOS_SEED=", seed_, " round ", round));
    const Outcome outcome = RunStruck(std::exchange(decision, {}));
    if (outcome.said == kAsked) decision = DecisionFor(outcome);
    // Otherwise the next run is struck as well.
    const bool finish = !outcome.ok && (Random(2) == 0 || round == rounds);
    if (finish) ++finishes[FinishPass(std::exchange(decision, {}))];
    if (finish || outcome.ok) BeginPass();
  }
  std::cout << "  runs that were struck: by | interrupted | said\n";
  Print(counts_);
  std::cout << "  the next run, undisturbed, where it had to ask\n";
  Print(finishes);
}

}  // namespace
}  // namespace migd
