// The examples for other services, run as their readers will run them.
#include <signal.h>

#include <filesystem>
#include <pqxx/pqxx>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/e2e/monitored_service.h"
#include "tests/support/service_fixture.h"
#include "tests/support/test_ca.h"

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

// --- Over TLS, with a token ---

// As a service of another machine would: migd has a certificate of an authority of the test's own,
// and lets those in who have a token or a certificate.
class ExampleOverTlsTest : public ExampleTest {
 protected:
  void SetUp() override {
    ExampleTest::SetUp();
    if (IsSkipped()) return;
    Install("server", {"server", "DNS:localhost"});
    directory().Write("ca.pem", ca_.certificate());
    NewToken("deploy");
    NewToken("reader");
    WriteTokens({"deploy", "reader"});
    directory().Write(
        "migd.yaml",
        absl::StrCat("tls: {cert: ", File("server.pem"), ", key: ", File("server.key"),
                     ", client_ca: ", File("ca.pem"), ", client_certificate: optional}\n",
                     "authorization:\n  tokens_file: ", File("tokens"), "\n  rules:\n",
                     "    - principals: [\"token:deploy\", \"token:renewed\", ",
                     "\"certificate:deploy\"]\n      databases: [app]\n      role: operator\n",
                     "    - principals: [\"token:reader\"]\n      databases: [app]\n",
                     "      role: viewer\n",
                     "    - principals: [\"unix:*\"]\n      databases: [app]\n      role: admin\n",
                     "databases:\n  app:\n    url: ", TestCluster::Uri(database()),
                     "\n    migrations: ", migrations(), "\n    lock_timeout: 0\n"));
    // On a port of its own, to which it comes back.
    server_.emplace(
        Arguments{"--config", File("migd.yaml"), "--listen", absl::StrCat("127.0.0.1:", port_)});
  }

  std::string File(const std::string& name) const { return directory().path() + "/" + name; }
  // A certificate NAME.pem with its key NAME.key.
  void Install(const std::string& name, const CertificateWish& wish) const {
    const Issued issued = ca_.Issue(wish);
    directory().Write(name + ".pem", issued.certificate);
    directory().Write(name + ".key", issued.key);
  }
  // A token in NAME.token.
  void NewToken(const std::string& name) {
    const Finished made =
        RunCommand({{TestVariable("MIGD"), "hash-token", name, "--new", File(name + ".token")}});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    hashes_[name] = made.out;
  }
  // Those that migd knows.
  void WriteTokens(const std::vector<std::string>& names) {
    std::string lines;
    for (const std::string& name : names) lines += hashes_.at(name);
    directory().Write("tokens", lines);
  }

  // What the example finds in its environment, besides what it needs anyhow.
  static Command With(Command command, const Environment& variables) {
    command.environment.insert(variables.begin(), variables.end());
    return command;
  }
  Environment Token(const std::string& name) const {
    return {{"MIGCTL_TLS_CA", File("ca.pem")}, {"MIGCTL_TOKEN_FILE", File(name + ".token")}};
  }
  std::string address() const { return absl::StrCat("localhost:", port_); }
  Finished UpgradeWith(const Environment& variables) {
    return RunCommand(With(ExampleAt(address()), variables));
  }

  const TestCa ca_;
  const int port_ = FreePort();
  std::map<std::string, std::string> hashes_;
  absl::optional<Migd> server_;
};

TEST_P(ExampleOverTlsTest, BringsTheDatabaseToHeadAsTheHolderOfAToken) {
  Process gate(With(GateAt(address(), "bb20"), Token("reader")));
  const Finished example = UpgradeWith(Token("deploy"));
  EXPECT_EQ(example.exit_code, 0) << example.err;
  EXPECT_EQ(example.out, "applied aa10\napplied bb20\nat bb20\n");
  const Finished opened = gate.Wait();
  EXPECT_EQ(opened.exit_code, 0) << opened.err;
  EXPECT_EQ(opened.out, "ready at bb20\n");
  EXPECT_EQ(Query("SELECT DISTINCT principal FROM migration_service.audit"), "token:deploy");
}

TEST_P(ExampleOverTlsTest, BringsTheDatabaseToHeadAsTheHolderOfACertificate) {
  Install("deploy", {"deploy"});
  // By an address that the certificate of the server does not name.
  const Finished example = RunCommand(With(ExampleAt(absl::StrCat("127.0.0.1:", port_)),
                                           {{"MIGCTL_TLS_CA", File("ca.pem")},
                                            {"MIGCTL_TLS_CERT", File("deploy.pem")},
                                            {"MIGCTL_TLS_KEY", File("deploy.key")},
                                            {"MIGCTL_TLS_SERVER_NAME", "localhost"}}));
  EXPECT_EQ(example.exit_code, 0) << example.err;
  EXPECT_EQ(VersionRows(), "bb20");
  EXPECT_EQ(Query("SELECT DISTINCT principal FROM migration_service.audit"), "certificate:deploy");
}

TEST_P(ExampleOverTlsTest, SaysWhoIsNotKnownAndWhoMayNot) {
  const Finished nobody = UpgradeWith({{"MIGCTL_TLS_CA", File("ca.pem")}});
  EXPECT_EQ(nobody.exit_code, 1) << nobody.out;
  EXPECT_THAT(nobody.err, HasSubstr("UNAUTHENTICATED: "));
  EXPECT_THAT(nobody.err, HasSubstr("hint: "));
  const Finished reader = UpgradeWith(Token("reader"));
  EXPECT_EQ(reader.exit_code, 1) << reader.out;
  EXPECT_THAT(reader.err, HasSubstr("PERMISSION_DENIED: token:reader lacks the role operator"));
  EXPECT_EQ(VersionRows(), "no table");
}

TEST_P(ExampleOverTlsTest, DoesNotSpeakToAServerOfAnotherAuthority) {
  directory().Write("other.pem", TestCa("other").certificate());
  Process example(With(ExampleAt(address()), {{"MIGCTL_TLS_CA", File("other.pem")},
                                              {"MIGCTL_TOKEN_FILE", File("deploy.token")}}));
  // What is wrong with the certificate only the library in C++ tells, and gives up.
  EXPECT_TRUE(
      example.WaitForOutput(GetParam().command == CppExample ? "not trusted" : "trying again"))
      << example.err();
  EXPECT_EQ(VersionRows(), "no table");
}

TEST_P(ExampleOverTlsTest, GoesOnWithATokenThatWasRenewedWhileTheServerWasAway) {
  const Environment token = Token("deploy");
  ASSERT_EQ(UpgradeWith(token).exit_code, 0);
  Add({.id = "cc30", .revises = "bb20", .up = "ALTER TABLE a ADD COLUMN x int;"});
  pqxx::connection holder(FormatConninfo(database()));
  pqxx::work reading(holder);
  reading.exec("SELECT FROM a");

  Process example(With(ExampleAt(address()), token));
  ASSERT_TRUE(SomebodyWaitsForALock());
  NewToken("renewed");
  // It does not see that the token is taken away before it is gone.
  server_->process().Signal(SIGSTOP);
  WriteTokens({"renewed"});
  std::filesystem::rename(File("renewed.token"), File("deploy.token"));
  server_->KillAndRestart();
  reading.abort();
  const Finished finished = example.Wait();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(finished.out, "applied cc30\nat cc30\n");
  EXPECT_EQ(VersionRows(), "cc30");
}

const auto kLanguages = ::testing::Values(Example{"Python", PythonExample},
                                          Example{"Node", NodeExample}, Example{"Cpp", CppExample});

std::string NameOf(const ::testing::TestParamInfo<Example>& test) { return test.param.language; }

INSTANTIATE_TEST_SUITE_P(Languages, ExampleTest, kLanguages, NameOf);
INSTANTIATE_TEST_SUITE_P(Languages, ExampleOverTlsTest, kLanguages, NameOf);

}  // namespace
}  // namespace migd
