// The examples for other services, run as their readers will run them.
#include <signal.h>

#include <filesystem>
#include <pqxx/pqxx>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::HasSubstr;

// Debian's, which has Debian's grpc.
constexpr char kPython[] = "/usr/bin/python3";

// A language, and how to run its example `name` ("gate", "upgrade").
struct Example {
  const char* language;
  Command (*command)(const std::string& name, const std::string& directory);
};

std::string ExampleFile(const std::string& name) {
  return TestVariable("PROJECT_SOURCE") + "/client/examples/" + name;
}

Command CppExample(const std::string& name, const std::string&) {
  return {{TestVariable(name == "gate" ? "EXAMPLE_GATE" : "EXAMPLE_UPGRADE")}};
}

// Makes the stubs as the example says.
Command PythonExample(const std::string& name, const std::string& directory) {
  const std::string proto = TestVariable("PROJECT_SOURCE") + "/proto";
  const std::string stubs = directory + "/stubs";
  std::filesystem::create_directories(stubs);
  Command protoc = {{"protoc", "--proto_path", proto, "--python_out", stubs, "--grpc_python_out",
                     stubs, "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin",
                     "google/rpc/status.proto", "google/rpc/error_details.proto"}};
  for (const auto& file : std::filesystem::directory_iterator(proto + "/migration/v1")) {
    protoc.arguments.push_back("migration/v1/" + file.path().filename().string());
  }
  const Finished made = RunCommand(protoc);
  EXPECT_EQ(made.exit_code, 0) << made.err;
  return {{kPython, "-u", ExampleFile("python/") + name + ".py"},
          {{"PYTHONPATH", stubs}, {"PYTHONDONTWRITEBYTECODE", "1"}}};
}

Command NodeExample(const std::string& name, const std::string&) {
  return {{"node", ExampleFile("node/") + name + ".js"}};
}

bool HasGrpcForNode() {
  return std::filesystem::exists(TestVariable("PROJECT_SOURCE") + "/node_modules/@grpc/grpc-js");
}

class ExampleTest : public ServiceTest, public ::testing::WithParamInterface<Example> {
 protected:
  void SetUp() override {
    if (GetParam().command == NodeExample && !HasGrpcForNode()) {
      GTEST_SKIP() << "@grpc/grpc-js is not installed: npm install --no-save";
    }
    Add({.id = "aa10", .up = "CREATE TABLE a ();"});
    Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE IF NOT EXISTS b ();"});
  }

  Command ExampleAt(const std::string& server) {
    Command command = GetParam().command("upgrade", directory().path());
    command.arguments.push_back(server);
    return command;
  }
  Command GateAt(const std::string& server, const std::string& revision) {
    Command command = GetParam().command("gate", directory().path());
    command.arguments.insert(command.arguments.end(), {server, revision});
    return command;
  }
};

TEST_P(ExampleTest, BringsTheDatabaseToHeadAndShowsWhatHappens) {
  Query("CREATE TABLE b (kept int)");
  const Finished example = RunCommand(ExampleAt(migd().address()));
  EXPECT_EQ(example.exit_code, 0) << example.err;
  EXPECT_EQ(example.out, "applied aa10\ntable b is there already\napplied bb20\nat bb20\n");
  EXPECT_EQ(VersionRows(), "bb20");
}

TEST_P(ExampleTest, FailsWithTheReasonAndTheHint) {
  Query("CREATE TABLE a (kept int)");
  const Finished example = RunCommand(ExampleAt(migd().address()));
  EXPECT_EQ(example.exit_code, 1);
  EXPECT_THAT(example.err, HasSubstr("OBJECT_EXISTS: revision aa10 failed at statement 1 of 1"));
  EXPECT_THAT(example.err, HasSubstr("hint: "));
}

TEST_P(ExampleTest, WaitsForAServerThatIsNotUpYet) {
  const std::string address = absl::StrCat("unix:", directory().path(), "/gate.sock");
  Process example(ExampleAt(address));
  ASSERT_TRUE(example.WaitForOutput("trying again")) << example.err();
  StartMigdWith({"--listen", address});
  const Finished finished = example.Wait();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(VersionRows(), "bb20");
}

TEST_P(ExampleTest, GoesOnWithTheServerThatReplacesALostOne) {
  const std::string address = absl::StrCat("unix:", directory().path(), "/gate.sock");
  StartMigdWith({"--listen", address, "--lock-timeout", "0"});
  Migctl({"upgrade", "aa10"});
  Add({.id = "bb20", .revises = "aa10", .up = "ALTER TABLE a ADD COLUMN x int;"});
  pqxx::connection holder(FormatConninfo(database()));
  pqxx::work reading(holder);
  reading.exec("SELECT FROM a");

  Process example(ExampleAt(address));
  ASSERT_TRUE(SomebodyWaitsForALock());
  migd().process().Signal(SIGKILL);
  ASSERT_TRUE(example.WaitForOutput("trying again")) << example.err();
  reading.abort();
  StartMigdWith({"--listen", address});
  const Finished finished = example.Wait();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(finished.out, "applied bb20\nat bb20\n");
  EXPECT_EQ(VersionRows(), "bb20");
}

// --- The gate ---

TEST_P(ExampleTest, TheGateOpensWhenSomebodyHasMigratedTheDatabase) {
  Process gate(GateAt(migd().address(), "bb20"));
  Migctl({"upgrade", "aa10"});
  EXPECT_TRUE(gate.out().empty()) << gate.out();
  Migctl({"upgrade", "bb20"});
  const Finished finished = gate.Wait();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(finished.out, "ready at bb20\n");
}

TEST_P(ExampleTest, TheGateWaitsForAServerThatIsLost) {
  Process gate(GateAt(migd().address(), "bb20"));
  migd().KillAndRestart();
  Migctl({"upgrade", "head"});
  const Finished finished = gate.Wait();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(finished.out, "ready at bb20\n");
}

TEST_P(ExampleTest, TheGateDoesNotWaitForARevisionThatThereIsNot) {
  const Finished gate = RunCommand(GateAt(migd().address(), "cc30"));
  EXPECT_EQ(gate.exit_code, 1);
  EXPECT_THAT(gate.err, HasSubstr("UNKNOWN_REVISION: "));
}

INSTANTIATE_TEST_SUITE_P(Languages, ExampleTest,
                         ::testing::Values(Example{"Python", PythonExample},
                                           Example{"Node", NodeExample},
                                           Example{"Cpp", CppExample}),
                         [](const auto& test) { return std::string(test.param.language); });

}  // namespace
}  // namespace migd
