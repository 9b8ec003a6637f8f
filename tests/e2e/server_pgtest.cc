// migd as its surroundings see it: addresses, health, reflection.
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Debian's, which has Debian's grpc.
constexpr char kPython[] = "/usr/bin/python3";

class ServerTest : public ServiceTest {
 protected:
  // Starts a second migd that is expected not to start.
  Finished FailedStart(const Arguments& flags) {
    Arguments arguments = {TestVariable("MIGD"), "--offline", "--migrations", migrations()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return RunCommand({arguments});
  }
};

TEST_F(ServerTest, HealthIsServingForTheServerAndTheService) {
  EXPECT_EQ(Text({"health"}), "SERVING\n");
  EXPECT_EQ(Text({"health", "migration.v1.MigrationService"}), "SERVING\n");
  EXPECT_EQ(Object({"health"})["status"].text(), "SERVING");
  EXPECT_EQ(FailureOf({"health", "no.such.Service"}).exit_code, 1);
}

// Asks by reflection's wire format: Debian has no stubs of it.
TEST_F(ServerTest, ReflectionListsAndDescribesTheServices) {
  const Finished reflection = RunCommand({{kPython, "-", migd().address()},
                                          {},
                                          R"(
import sys, grpc

LIST_SERVICES, FILE_CONTAINING_SYMBOL = b"\x3a", b"\x22"

def request(field, text):
    return field + bytes([len(text)]) + text

channel = grpc.insecure_channel(sys.argv[1])
ask = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
for answer in ask(iter([request(LIST_SERVICES, b"*"),
                        request(FILE_CONTAINING_SYMBOL, b"migration.v1.MigrationService"),
                        request(FILE_CONTAINING_SYMBOL, b"grpc.health.v1.Health")])):
    print(answer)
)"});
  EXPECT_EQ(reflection.exit_code, 0) << reflection.err;
  EXPECT_THAT(reflection.out,
              AllOf(HasSubstr("migration.v1.MigrationService"), HasSubstr("grpc.health.v1.Health"),
                    HasSubstr("UpgradeRequest"), HasSubstr("HealthCheckRequest")));
}

TEST_F(ServerTest, APortThatIsTakenIsNamed) {
  StartMigdWith({"--listen", "127.0.0.1:0"});
  ASSERT_TRUE(migd().process().WaitForOutput("127.0.0.1:"));
  const std::string log = migd().log();
  const size_t begin = log.find("127.0.0.1:");
  const std::string address =
      log.substr(begin, log.find_first_not_of("0123456789.:", begin) - begin);
  EXPECT_TRUE(Eventually([&] {
    return Migctl({"--server", address, "health"}).exit_code == 0;
  })) << address;

  const Finished second = FailedStart({"--listen", address});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, AllOf(HasSubstr(address), HasSubstr("another program listens there")));
}

TEST_F(ServerTest, ASocketThatIsTakenIsNamedAndKeptByItsOwner) {
  const std::string address = migd().address();
  const Finished second = FailedStart({"--listen", address});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, AllOf(HasSubstr(address), HasSubstr("another migd listens there")));
  EXPECT_EQ(Migctl({"health"}).exit_code, 0);
}

TEST_F(ServerTest, TheNetworkIsNotListenedToByAccident) {
  const Finished start = FailedStart({"--listen", "0.0.0.0:0"});
  EXPECT_EQ(start.exit_code, 1);
  EXPECT_THAT(start.err, HasSubstr("--insecure"));
}

TEST_F(ServerTest, ACommandLineWithoutADatabaseIsAUsageError) {
  const Finished none = RunCommand({{TestVariable("MIGD")}});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("which database?"));
  EXPECT_EQ(RunCommand({{TestVariable("MIGD"), "--offline", "--embedded", "x"}}).exit_code, 2);
  EXPECT_EQ(RunCommand({{TestVariable("MIGD"), "--lock-timeout", "soon"}}).exit_code, 2);
  EXPECT_EQ(RunCommand({{TestVariable("MIGD"), "--help"}}).exit_code, 0);
}

TEST_F(ServerTest, ATimeoutThatPostgresCannotKeepIsAUsageError) {
  for (const std::string flag : {"--lock-timeout", "--statement-timeout"}) {
    for (const std::string timeout : {"500us", "1000h", "-1s"}) {
      const Finished start =
          RunCommand({{TestVariable("MIGD"), "--offline", absl::StrCat(flag, "=", timeout)}});
      EXPECT_EQ(start.exit_code, 2) << flag << " " << timeout;
      EXPECT_THAT(start.err, AllOf(HasSubstr(flag), HasSubstr(timeout)));
    }
  }
}

TEST_F(ServerTest, ATimeoutOfAConfigurationThatPostgresCannotKeepIsNamedWithItsLine) {
  for (const std::string timeout : {"500us", "1000h"}) {
    const std::string config = directory().Write(
        "migd.yaml", absl::StrCat("databases:\n  core:\n    url: postgresql:///core\n"
                                  "    lock_timeout: ",
                                  timeout, "\n"));
    const Finished start = RunCommand({{TestVariable("MIGD"), "--config", config}});
    EXPECT_EQ(start.exit_code, 2) << timeout;
    EXPECT_THAT(start.err, HasSubstr(absl::StrCat(config, ":4: must be a duration")));
  }
}

TEST_F(ServerTest, AnAddressThatIsGivenTwiceIsRefused) {
  const std::string address = absl::StrCat("unix:", directory().path(), "/twice.sock");
  const Finished start = FailedStart({"--listen", address, "--listen", address});
  EXPECT_EQ(start.exit_code, 1);
  EXPECT_THAT(start.err, HasSubstr(absl::StrCat(address, ": is given twice")));
}

TEST_F(ServerTest, WhatIsTypedWinsOverADatabaseOfTheEnvironment) {
  Add({.id = "aa10"});
  const Migd server({"--offline", "--migrations", migrations()},
                    {{"MIGD_DATABASE", "postgresql://nobody@nowhere.invalid/none"}});
  const Finished heads =
      RunCommand({{TestVariable("MIGCTL"), "--server", server.address(), "heads"}});
  EXPECT_EQ(heads.out, "aa10 (head)\n");
  const Finished current =
      RunCommand({{TestVariable("MIGCTL"), "--server", server.address(), "current"}});
  EXPECT_THAT(current.err, HasSubstr("[OFFLINE]"));
}

TEST_F(ServerTest, AConfigurationThatIsWrongIsNamedWithItsLine) {
  const std::string config =
      directory().Write("migd.yaml", "databases:\n  core:\n    ulr: postgresql:///core\n");
  const Finished start = RunCommand({{TestVariable("MIGD"), "--config", config}});
  EXPECT_EQ(start.exit_code, 2);
  EXPECT_THAT(start.err, HasSubstr(absl::StrCat(config, ":3: unknown key ulr")));
}

}  // namespace
}  // namespace migd
