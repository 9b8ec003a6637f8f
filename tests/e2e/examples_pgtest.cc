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

// How to run an example.
struct Example {
  const char* name;
  Command (*command)(const std::string& directory);
};

Command CppExample(const std::string&) { return {{TestVariable("EXAMPLE_UPGRADE")}}; }

// Makes the stubs as the example says.
Command PythonExample(const std::string& directory) {
  const std::string source = TestVariable("PROJECT_SOURCE");
  const std::string stubs = directory + "/stubs";
  std::filesystem::create_directories(stubs);
  const Finished protoc = RunCommand(
      {{"protoc", "--proto_path", source + "/proto", "--python_out", stubs, "--grpc_python_out",
        stubs, "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin",
        "migration/v1/error.proto", "migration/v1/finding.proto", "migration/v1/revision.proto",
        "migration/v1/schema.proto", "migration/v1/statement.proto", "migration/v1/operation.proto",
        "migration/v1/migration_service.proto", "google/rpc/status.proto",
        "google/rpc/error_details.proto"}});
  EXPECT_EQ(protoc.exit_code, 0) << protoc.err;
  return {{kPython, "-u", source + "/tests/examples/upgrade.py"},
          {{"PYTHONPATH", stubs}, {"PYTHONDONTWRITEBYTECODE", "1"}}};
}

class ExampleTest : public ServiceTest, public ::testing::WithParamInterface<Example> {
 protected:
  ExampleTest() {
    Add({.id = "aa10", .up = "CREATE TABLE a ();"});
    Add({.id = "bb20", .revises = "aa10", .up = "CREATE TABLE IF NOT EXISTS b ();"});
  }

  Command ExampleAt(const std::string& server) {
    Command command = GetParam().command(directory().path());
    command.arguments.push_back(server);
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
  EXPECT_EQ(VersionRows(), "bb20");
}

INSTANTIATE_TEST_SUITE_P(Languages, ExampleTest,
                         ::testing::Values(Example{"Python", PythonExample},
                                           Example{"Cpp", CppExample}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace migd
