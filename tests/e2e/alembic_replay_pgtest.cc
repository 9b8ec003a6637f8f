// Random graphs, and random operations on them, done by the real Alembic to one database and by
// migd to another: rows, tables, and the order of the steps must come to the same. To a third
// database the two do them in turn.
//
// An operation that the two plan differently is passed over: what may differ, and why, is in
// tests/plan/alembic_difference_test.cc.
//
// ALEMBIC_REPLAY_SEED and ALEMBIC_REPLAY_GRAPHS choose what is compared.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

constexpr int kOperationsOfAGraph = 8;

int Number(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  int number = 0;
  return text != nullptr && absl::SimpleAtoi(text, &number) ? number : otherwise;
}

// What alembic_replay.py says to one command: its lines, in words.
using Reply = std::vector<std::vector<std::string>>;

// alembic_replay.py, which runs as long as this object lives.
class Alembic {
 public:
  Alembic(int seed, const TemporaryDirectory& directory)
      : commands_path_(directory.path() + "/commands"), commands_(OpenCommands(commands_path_)) {
    process_.emplace(Command{{"/usr/bin/python3",
                              TestVariable("PROJECT_SOURCE") + "/tests/e2e/alembic_replay.py",
                              absl::StrCat(seed), directory.path() + "/alembic", commands_path_}});
  }
  ~Alembic() { close(commands_); }

  // What the program says next, up to its `done`.
  Reply Read() {
    const bool replied = Eventually([this] { return NewOutput().second || !process_->running(); });
    EXPECT_TRUE(replied && NewOutput().second) << "alembic_replay.py ended:\n" << process_->err();
    const std::string text = NewOutput().first;
    read_ += text.size();
    Reply reply;
    for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      if (line != "done") reply.push_back(absl::StrSplit(line, ' '));
    }
    return reply;
  }

  Reply Ask(const std::string& command) {
    const std::string line = command + "\n";
    EXPECT_EQ(write(commands_, line.data(), line.size()), static_cast<ssize_t>(line.size()));
    return Read();
  }

 private:
  // Open for reading, too, so that opening it does not wait for the program.
  static int OpenCommands(const std::string& path) {
    EXPECT_EQ(mkfifo(path.c_str(), 0600), 0) << path;
    return open(path.c_str(), O_RDWR | O_CLOEXEC);
  }

  // What has come since the last reply, and whether it is complete.
  std::pair<std::string, bool> NewOutput() const {
    const std::string text = process_->out().substr(read_);
    return {text, text == "done\n" || absl::EndsWith(text, "\ndone\n")};
  }

  const std::string commands_path_;
  const int commands_;
  absl::optional<Process> process_;
  size_t read_ = 0;
};

// An operation, and what comes of it.
struct Operation {
  std::string action;
  std::string target;
  bool refused = false;
  std::vector<std::string> steps = {};
  // Which it leads to: those that were there, if it is refused.
  std::string rows = {};

  std::string Describe() const {
    return absl::StrCat(action, " ", target, refused ? " (refused)" : "");
  }
};

// Lists are separated by commas; `-` is an empty one.
std::string List(const std::string& words) { return words == "-" ? "" : words; }

class AlembicReplay : public ServiceTest, public ::testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    for (const ConnectionOptions* database : {&alembics_, &this->database(), &shared_}) {
      TestCluster::Query(*database, "CREATE TABLE steps (n serial, step text)");
    }
    seed_ = Number("ALEMBIC_REPLAY_SEED", 20250116) + GetParam();
    std::printf("ALEMBIC_REPLAY_SEED=%d ALEMBIC_REPLAY_GRAPHS=1\n", seed_);
    alembic_.emplace(seed_, directory());
    for (const std::vector<std::string>& file : alembic_->Read()) {
      ASSERT_EQ(file.size(), 5u) << absl::StrJoin(file, " ");
      AddRevision(file);
    }
    second_migd_.emplace(
        Arguments{"--database", TestCluster::Uri(shared_), "--migrations", migrations()});
  }

  // A line `file`: its id, what it revises and depends on, its labels.
  void AddRevision(const std::vector<std::string>& file) {
    const std::string& id = file[1];
    const auto note = [&id](const char* sign) {
      return absl::StrCat("INSERT INTO steps (step) VALUES ('", sign, id, "');");
    };
    Add({.id = id,
         .revises = List(file[2]),
         .up = absl::StrCat("CREATE TABLE IF NOT EXISTS t_", id, " (); ", note("+")),
         .down = absl::StrCat("DROP TABLE IF EXISTS t_", id, "; ", note("-")),
         .labels = List(file[4]),
         .depends_on = List(file[3])});
  }

  // An operation that both plan alike at the rows as they are; nullopt if the one drawn is not.
  absl::optional<Operation> Draw() {
    const std::string rows = RowsOf(alembics_);
    const Reply reply = alembic_->Ask("draw " + (rows.empty() ? "-" : rows));
    Operation theirs{reply.at(0).at(1), reply.at(0).at(2), reply.back().at(1) == "refused"};
    if (reply.back().at(1) == "crashed") return absl::nullopt;
    // Of several rows, Alembic counts `-1` from whichever the database returns first.
    const bool is_arbitrary = theirs.action == "downgrade" &&
                              absl::StartsWith(theirs.target, "-") && absl::StrContains(rows, ',');
    if (is_arbitrary) return absl::nullopt;
    theirs.rows = rows;
    for (const std::vector<std::string>& line : reply) {
      if (line[0] != "step" || theirs.refused) continue;
      theirs.rows = List(line.at(2));
      // A stamp has a step for each row that it changes; only the rows count.
      if (theirs.action != "stamp") theirs.steps.push_back(line.at(1));
    }
    return IsPlannedByMigd(theirs) ? absl::make_optional(theirs) : absl::nullopt;
  }

  bool IsPlannedByMigd(const Operation& operation) {
    const Finished plan = Migctl(ArgumentsOf({"plan"}, operation), {{"MIGCTL_OUTPUT", "json"}});
    if (operation.refused || plan.exit_code != 0) return operation.refused && plan.exit_code != 0;
    const Json json = Json::Parse(plan.out);
    if (absl::StrJoin(json["resulting_revisions"].texts(), ",") != operation.rows) return false;
    return operation.action == "stamp" || json["steps"].texts("revision") == operation.steps;
  }

  static Arguments ArgumentsOf(Arguments arguments, const Operation& operation) {
    arguments.push_back(operation.action);
    for (const absl::string_view target : absl::StrSplit(operation.target, ',')) {
      arguments.emplace_back(target);
    }
    return arguments;
  }

  void RunByAlembic(const ConnectionOptions& database, const Operation& operation) {
    const Reply reply = alembic_->Ask(absl::StrCat("run ", TestCluster::Uri(database), " ",
                                                   operation.action, " ", operation.target));
    EXPECT_EQ(reply.back().at(1), operation.refused ? "refused" : "ok")
        << absl::StrJoin(reply.back(), " ");
  }

  void RunByMigd(const Migd& migd, const Operation& operation) {
    Arguments call = ArgumentsOf({TestVariable("MIGCTL"), "--server", migd.address()}, operation);
    if (operation.action == "downgrade") call.push_back("--yes");
    const Finished finished = RunCommand({call});
    EXPECT_EQ(finished.exit_code == 0, !operation.refused) << finished.err;
  }

  static std::string RowsOf(const ConnectionOptions& database) {
    const std::string rows = VersionRows(database);
    return rows == "no table" ? "" : rows;
  }

  // What the two must agree on besides the rows: the tables, and which steps were taken.
  static std::string StateOf(const ConnectionOptions& database) {
    return TestCluster::Query(database, R"(
        SELECT concat('tables ', (SELECT string_agg(tablename, ',' ORDER BY tablename)
                                    FROM pg_tables WHERE tablename LIKE 't\_%'),
                      ' steps ', (SELECT string_agg(step, ',' ORDER BY n) FROM steps)))");
  }

  // Does it to all three databases, which then must be alike.
  void Replay(const Operation& operation) {
    RunByAlembic(alembics_, operation);
    RunByMigd(migd(), operation);
    if (alembics_turn_) {
      RunByAlembic(shared_, operation);
    } else {
      RunByMigd(*second_migd_, operation);
    }
    const std::string expected = StateOf(alembics_);
    EXPECT_EQ(StateOf(database()), expected);
    EXPECT_EQ(StateOf(shared_), expected) << "by " << (alembics_turn_ ? "Alembic" : "migd");
    for (const ConnectionOptions* database : {&alembics_, &this->database(), &shared_}) {
      EXPECT_EQ(RowsOf(*database), operation.rows);
    }
    alembics_turn_ = !alembics_turn_;
  }

 private:
  // Beside that of ServiceTest, which is migd's.
  const ConnectionOptions alembics_ = TestCluster::CreateDatabase();
  const ConnectionOptions shared_ = TestCluster::CreateDatabase();
  int seed_ = 0;
  bool alembics_turn_ = true;
  absl::optional<Alembic> alembic_;
  absl::optional<Migd> second_migd_;
};

TEST_P(AlembicReplay, LeavesTheSameInTheDatabase) {
  std::vector<std::string> done;
  int passed_over = 0;
  while (done.size() < kOperationsOfAGraph && passed_over < 4 * kOperationsOfAGraph) {
    const absl::optional<Operation> operation = Draw();
    if (!operation) {
      ++passed_over;
      continue;
    }
    done.push_back(operation->Describe());
    Replay(*operation);
    if (HasFailure()) FAIL() << "after " << absl::StrJoin(done, "; ");
  }
  std::printf("%s; %d were planned differently\n", absl::StrJoin(done, "; ").c_str(), passed_over);
  EXPECT_EQ(done.size(), kOperationsOfAGraph);
}

INSTANTIATE_TEST_SUITE_P(RandomGraphs, AlembicReplay,
                         ::testing::Range(0, Number("ALEMBIC_REPLAY_GRAPHS", 3)));

}  // namespace
}  // namespace migd
