// Who may call a real migd: its configuration, and what it does with it.
#include <signal.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/service_fixture.h"

namespace migd {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class AccessTest : public ServiceTest {
 protected:
  std::string config() const { return directory().path() + "/migd.yaml"; }
  // One database, `app`, and what stands beside `databases`.
  void WriteConfig(const std::string& more) const {
    directory().Write("migd.yaml", absl::StrCat(more, "databases:\n  app:\n    url: ",
                                                TestCluster::Uri(database()),
                                                "\n    migrations: ", migrations(), "\n"));
  }
  // The user of this test has `role`.
  void Grant(const std::string& role) const {
    WriteConfig(absl::StrCat("authorization:\n  rules:\n    - principals: [unix:", getuid(),
                             "]\n      databases: [app]\n      role: ", role, "\n"));
  }
  // Why migd does not start.
  std::string ProblemWith(const std::string& more) const {
    WriteConfig(more);
    const Finished start = RunCommand({{TestVariable("MIGD"), "--config", config()}});
    EXPECT_NE(start.exit_code, 0);
    return start.err;
  }
};

TEST_F(AccessTest, TheUserOfAUnixSocketHasTheirRoleUntilItIsAnother) {
  Add({.id = "aa10", .up = "CREATE TABLE a ();", .down = "DROP TABLE a;"});
  Grant("viewer");
  StartMigdWithConfig(config());
  EXPECT_EQ(Migctl({"current"}).exit_code, 0);
  EXPECT_EQ(FailureOf({"upgrade", "head"}).reason(), "PERMISSION_DENIED");

  Grant("operator");
  migd().process().Signal(SIGHUP);
  ASSERT_TRUE(migd().process().WaitForOutput("the configuration was read anew")) << migd().log();
  EXPECT_EQ(Migctl({"upgrade", "head"}).exit_code, 0);
  EXPECT_EQ(FailureOf({"downgrade", "base", "--yes"}).reason(), "PERMISSION_DENIED");
}

TEST_F(AccessTest, AConfigurationThatIsWrongIsNamedWithItsLine) {
  EXPECT_THAT(ProblemWith("authorization:\n  rules:\n    - principals: [root]\n"),
              HasSubstr(":3: principals: \"root\" is no principal"));
  EXPECT_THAT(ProblemWith("authorization:\n  rules:\n    - principals: [unix:root]\n"
                          "      databases: [app]\n      role: owner\n"),
              HasSubstr(":5: must be viewer, operator, destructive or admin"));
  EXPECT_THAT(ProblemWith("authorization:\n  rules:\n    - principals: [unix:root]\n"
                          "      role: admin\n"),
              HasSubstr("a rule has principals, databases and a role"));
  EXPECT_THAT(ProblemWith("authorization:\n  rules:\n    - principals: [unix:root]\n"
                          "      databases: [other]\n      role: admin\n"),
              HasSubstr("a rule names the database other"));
  EXPECT_THAT(ProblemWith("authorization: {tokens_file: /nowhere/tokens}\n"),
              HasSubstr("cannot read /nowhere/tokens"));
  EXPECT_THAT(ProblemWith("tls: {cert: /nowhere/cert.pem}\n"),
              HasSubstr("TLS needs a certificate and a key"));
  EXPECT_THAT(ProblemWith("tls: {cert: /nowhere/cert.pem, key: /nowhere/key.pem}\n"),
              HasSubstr("/nowhere/cert.pem: cannot be read"));
  EXPECT_THAT(ProblemWith("limits:\n  message_size: 2GiB\n"), HasSubstr(":2: must be 1GiB"));
  EXPECT_THAT(ProblemWith("limits:\n  threads: 0\n"), HasSubstr(":2: must be a number from 1"));
  EXPECT_THAT(ProblemWith("limits:\n  read_deadline: 0\n"), HasSubstr(":2: must not be 0"));
  EXPECT_THAT(ProblemWith("metrics_tls: true\n"), HasSubstr("--metrics-tls needs --tls-cert"));
}

TEST_F(AccessTest, HashTokenPrintsTheLineOfATokenThatItReadsOrMakes) {
  const std::string migd_program = TestVariable("MIGD");
  const Finished read =
      RunCommand({{migd_program, "hash-token", "ci"}, {}, "correct-horse-battery-staple\n"});
  EXPECT_EQ(read.exit_code, 0) << read.err;
  EXPECT_EQ(read.out,
            "ci sha256:87cbebfeebc05f7c54ac9336c4b4bbec831227a641951a4bde7edd56020f8590\n");
  const std::string file = directory().path() + "/deploy.token";
  const Command make{{migd_program, "hash-token", "deploy", "--new", file}};
  EXPECT_THAT(RunCommand(make).out, StartsWith("deploy sha256:"));
  EXPECT_EQ(access(file.c_str(), R_OK), 0);
  // It overwrites nothing.
  EXPECT_THAT(RunCommand(make).err, HasSubstr("cannot write"));
  EXPECT_THAT(RunCommand({{migd_program, "hash-token", "ci"}, {}, "short\n"}).err,
              HasSubstr("must have 20 at least"));
}

}  // namespace
}  // namespace migd
