// Metrics as a real Prometheus reads them, and what is made of them.

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "tests/e2e/monitored_service.h"
#include "tests/support/test_ca.h"

namespace migd {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string ProjectFile(const std::string& path) {
  return TestVariable("PROJECT_SOURCE") + "/" + path;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A panel or an alert, and what it asks.
struct PanelQuery {
  std::string name;
  std::string expression;
};

std::vector<PanelQuery> DashboardQueries() {
  const Json dashboard = Json::Parse(ReadFile(ProjectFile("docker/grafana/migd.json")));
  std::vector<PanelQuery> queries;
  for (int i = 0; i < dashboard["panels"].size(); ++i) {
    const Json panel = dashboard["panels"][i];
    for (int j = 0; j < panel["targets"].size(); ++j) {
      // As Grafana does it.
      queries.push_back({panel["title"].text(),
                         absl::StrReplaceAll(panel["targets"][j]["expr"].text(),
                                             {{"$database", ".*"}, {"$__rate_interval", "1m"}})});
    }
  }
  return queries;
}

// A Prometheus that reads one migd, by the rules of the project.
class Prometheus {
 public:
  Prometheus(const std::string& directory, const std::string& target)
      : port_(FreePort()), process_(Prepare(directory, target, port_)) {}

  // What a question of its API is answered.
  Json Ask(const std::string& path, const httplib::Params& parameters = {}) {
    httplib::Client client("127.0.0.1", port_);
    const auto answer = client.Get(path, parameters, httplib::Headers());
    // It says in plain text that it is not ready yet.
    const bool is_json = answer && absl::StartsWith(answer->body, "{");
    return is_json ? Json::Parse(answer->body) : Json();
  }

  Json Evaluate(const std::string& expression) {
    return Ask("/api/v1/query", {{"query", expression}});
  }

  bool AwaitResult(const std::string& expression) {
    return Eventually([&] { return Evaluate(expression)["data"]["result"].size() > 0; });
  }

 private:
  static Command Prepare(const std::string& directory, const std::string& target, int port) {
    std::filesystem::create_directories(directory);
    std::ofstream(directory + "/prometheus.yaml")
        << "global: {scrape_interval: 200ms, evaluation_interval: 200ms}\n"
        << "rule_files: [" << ProjectFile("docker/prometheus/alerts.yaml") << "]\n"
        << "scrape_configs:\n  - job_name: migd\n    static_configs: [{targets: [\"" << target
        << "\"]}]\n";
    return {{"prometheus", "--config.file=" + directory + "/prometheus.yaml",
             "--storage.tsdb.path=" + directory + "/data",
             absl::StrCat("--web.listen-address=127.0.0.1:", port), "--log.level=warn"}};
  }

  const int port_;
  Process process_;
};

class MetricsTest : public MonitoredServiceTest {
 protected:
  MetricsTest() {
    Add({.id = "aa10", .up = "CREATE TABLE a ();", .down = "DROP TABLE a;"});
    Add({.id = "bb20", .revises = "aa10", .up = "ALTER TABLE a ADD COLUMN x int;"});
    Add({.id = "cc30", .revises = "bb20", .up = "SELECT 1 / 0;"});
  }

  // A token, by the name of its owner.
  static std::string Token(const std::string& name) { return name + "-0123456789-abcdefgh"; }
  // Page() for the owner of a token.
  std::string PageFor(const std::string& name, const std::string& path, int status) const {
    httplib::Client client(url());
    client.set_bearer_token_auth(Token(name));
    const auto answer = client.Get(path);
    if (!answer) return httplib::to_string(answer.error());
    EXPECT_EQ(answer->status, status) << name << " " << path << ": " << answer->body;
    return answer->body;
  }

  Finished Promtool(const Arguments& arguments, const std::string& input = "") const {
    Arguments command = {"promtool"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return RunCommand({command, {}, input});
  }
};

TEST_F(MetricsTest, CountOperationsAsTheyEnd) {
  StartMonitoredMigd();
  EXPECT_TRUE(
      AwaitMetric("migd_pending_revisions{database=\"" + database().at("dbname") + "\"} 3"));
  Migctl({"upgrade", "aa10"});
  Migctl({"upgrade", "cc30"});
  const std::string labels = "{action=\"upgrade\",database=\"" + database().at("dbname") + "\",";
  EXPECT_TRUE(AwaitMetric("migd_operations_total" + labels + "result=\"succeeded\"} 1"));
  EXPECT_TRUE(AwaitMetric("migd_operations_total" + labels + "result=\"failed\"} 1"));
  const std::string of_database = "{database=\"" + database().at("dbname") + "\"";
  EXPECT_TRUE(AwaitMetric("migd_revision_duration_seconds_count" + of_database +
                          ",direction=\"upgrade\"} 2"));
  EXPECT_TRUE(AwaitMetric("migd_pending_revisions" + of_database + "} 1"));
  EXPECT_TRUE(AwaitMetric("migd_current_revision_info" + of_database + ",revision=\"bb20\"} 1"));
  EXPECT_THAT(Page("/metrics"), Not(HasSubstr("revision=\"aa10\"")));
  EXPECT_TRUE(AwaitMetric("migd_operations_running" + of_database + "} 0"));
}

TEST_F(MetricsTest, CountWhatIsRefusedApartFromWhatFails) {
  StartMonitoredMigd();
  Migctl({"upgrade", "aa10"});
  Migctl({"upgrade", "nosuch"});
  Migctl({"upgrade", "bb20", "--plan", "0123456789abcdef"});
  Migctl({"downgrade", "base"});
  const std::string database_label = "database=\"" + database().at("dbname") + "\",";
  const auto count = [&](const std::string& action, const std::string& result) {
    return "migd_operations_total{action=\"" + action + "\"," + database_label + "result=\"" +
           result + "\"} ";
  };
  EXPECT_TRUE(AwaitMetric(count("upgrade", "refused") + "2"));
  EXPECT_TRUE(AwaitMetric(count("downgrade", "refused") + "1"));
  EXPECT_TRUE(AwaitMetric(count("upgrade", "failed") + "0"));
  EXPECT_TRUE(AwaitMetric(count("downgrade", "failed") + "0"));
}

TEST_F(MetricsTest, TellOfWhoIsInTheWayOfWhom) {
  StartMonitoredMigd({"--lock-timeout", "0"});
  Migctl({"upgrade", "aa10"});
  Hold("a");
  Process upgrade(MigctlCommand({"upgrade", "bb20"}));
  ASSERT_TRUE(SomebodyWaitsForALock());
  // It waits behind the migration, which waits for the reader.
  pqxx::connection other(FormatConninfo(database()));
  Process reader({{"psql", "--quiet", "--command=SELECT FROM a", TestCluster::Uri(database())}});
  const std::string of_database = "{database=\"" + database().at("dbname") + "\"}";
  EXPECT_TRUE(AwaitMetric("migd_blocking_sessions" + of_database + " 1"));
  EXPECT_TRUE(AwaitMetric("migd_operations_running" + of_database + " 1"));
  EXPECT_TRUE(AwaitMetric("migd_blocked_sessions" + of_database + " 1"));
  Release();
  EXPECT_EQ(upgrade.Wait().exit_code, 0);
  EXPECT_EQ(reader.Wait().exit_code, 0);
  EXPECT_TRUE(AwaitMetric("migd_lock_wait_seconds_count" + of_database + " 1"));
  EXPECT_TRUE(AwaitMetric("migd_blocking_sessions" + of_database + " 0"));
  EXPECT_TRUE(AwaitMetric("migd_blocked_sessions" + of_database + " 0"));
}

TEST_F(MetricsTest, AreThereWhileNoDatabaseIs) {
  const std::string nowhere = absl::StrCat("postgresql://nobody@127.0.0.1:", FreePort(), "/gone");
  Migd migd({"--database", nowhere, "--migrations", migrations(), "--metrics-listen", authority()});
  EXPECT_TRUE(AwaitMetric("migd_database_up{database=\"gone\"} 0"));
  EXPECT_TRUE(AwaitMetric("migd_revisions{database=\"gone\"} 3"));
  EXPECT_EQ(Page("/healthz"), "ok\n");
  EXPECT_EQ(Page("/readyz"), "ready\n");
}

TEST_F(MetricsTest, AreNotReadyWhileOperationsAreWaitedFor) {
  StartMonitoredMigd({"--lock-timeout", "0", "--shutdown-grace", "60s"});
  Migctl({"upgrade", "aa10"});
  Hold("a");
  Process upgrade(MigctlCommand({"upgrade", "bb20"}));
  ASSERT_TRUE(SomebodyWaitsForALock());
  migd().process().Signal(SIGTERM);
  EXPECT_TRUE(Eventually([&] {
    httplib::Client client(url());
    const auto answer = client.Get("/readyz");
    return answer && answer->status == 503;
  }));
  EXPECT_EQ(Page("/healthz"), "ok\n");
  Release();
  EXPECT_EQ(upgrade.Wait().exit_code, 0);
}

TEST_F(MetricsTest, NeedATokenIfThereIsOne) {
  directory().Write("token", "open sesame\n");
  StartMonitoredMigd({"--metrics-token-file", directory().path() + "/token"});
  EXPECT_THAT(Page("/metrics", 401), Not(HasSubstr("migd_")));
  EXPECT_THAT(Page("/", 401), Not(HasSubstr("<main>")));
  Page("/events", 401);
  Page("/healthz");
  httplib::Client client(url());
  client.set_bearer_token_auth("open sesame");
  EXPECT_EQ(client.Get("/metrics")->status, 200);
  client.set_bearer_token_auth("wrong");
  EXPECT_EQ(client.Get("/metrics")->status, 401);
}

TEST_F(MetricsTest, NeedTheTokenOfAViewerOfEveryDatabaseWhereThereIsAPolicy) {
  const auto line_of = [](const std::string& name) {
    const Finished line = RunCommand({{TestVariable("MIGD"), "hash-token", name}, {}, Token(name)});
    EXPECT_EQ(line.exit_code, 0) << line.err;
    return line.out;
  };
  const std::string tokens = directory().Write("tokens", line_of("all") + line_of("some"));
  const std::string url = TestCluster::Uri(database());
  const auto config = [&](const std::string& viewers_of_all) {
    return absl::StrCat("metrics_listen: ", authority(),
                        "\nauthorization:\n  tokens_file: ", tokens,
                        "\n  rules:\n    - {principals: [", viewers_of_all,
                        "], databases: [app, billing], role: viewer}\n",
                        "    - {principals: [\"token:some\"], databases: [app], role: admin}\n",
                        "databases:\n  app: {url: \"", url, "\", migrations: ", migrations(),
                        "}\n  billing: {url: \"", url, "\", migrations: ", migrations(), "}\n");
  };
  const std::string file = directory().Write("migd.yaml", config("\"token:all\""));
  StartMigdWithConfig(file);
  migd();
  for (const std::string path : {"/metrics", "/", "/events"}) {
    EXPECT_THAT(Page(path, 401), HasSubstr("needs a token"));
    EXPECT_THAT(PageFor("some", path, 401), HasSubstr("a viewer of every database"));
    EXPECT_THAT(PageFor("nobody", path, 401), HasSubstr("a viewer of every database"));
  }
  EXPECT_THAT(PageFor("all", "/metrics", 200), HasSubstr("migd_build_info"));
  EXPECT_THAT(PageFor("all", "/", 200), HasSubstr("<main>"));

  // As the policy is at the moment.
  directory().Write("migd.yaml", config("\"token:some\""));
  migd().process().Signal(SIGHUP);
  ASSERT_TRUE(migd().process().WaitForOutput("the configuration was read anew")) << migd().log();
  PageFor("all", "/metrics", 401);
  PageFor("some", "/metrics", 200);
}

TEST_F(MetricsTest, AreEncryptedWithTheCertificateOfTheServerWhoseEndTheyTell) {
  const TestCa ca;
  const absl::Time end = absl::Now() + absl::Hours(1);
  const Issued issued =
      ca.Issue({"localhost", "DNS:localhost,IP:127.0.0.1", end - absl::Hours(20), end});
  const Arguments flags = {"--metrics-tls", "--tls-cert",
                           directory().Write("cert.pem", issued.certificate), "--tls-key",
                           directory().Write("key.pem", issued.key)};
  StartMonitoredMigd(flags);
  httplib::SSLClient client("127.0.0.1", port());
  client.set_ca_cert_path(directory().Write("ca.pem", ca.certificate()).c_str());
  client.enable_server_certificate_verification(true);
  const auto metrics = client.Get("/metrics");
  ASSERT_TRUE(metrics) << httplib::to_string(metrics.error());
  EXPECT_THAT(metrics->body, HasSubstr(absl::StrCat("migd_certificate_expiry_timestamp_seconds ",
                                                    absl::ToUnixSeconds(end))));
  EXPECT_TRUE(migd().process().WaitForOutput("the certificate expires at"));
}

TEST_F(MetricsTest, EncryptionNeedsACertificate) {
  const Finished start = RunCommand(
      {{TestVariable("MIGD"), "--offline", "--metrics-listen", authority(), "--metrics-tls"}});
  EXPECT_EQ(start.exit_code, 2);
  EXPECT_THAT(start.err, HasSubstr("--metrics-tls needs --tls-cert and --tls-key"));
}

TEST_F(MetricsTest, AreThoseOfTheManualAndNoOthers) {
  const TestCa ca;
  const Issued issued = ca.Issue({"localhost", "DNS:localhost"});
  StartMonitoredMigd({"--tls-cert", directory().Write("cert.pem", issued.certificate), "--tls-key",
                      directory().Write("key.pem", issued.key)});
  Migctl({"upgrade", "bb20"});
  Migctl({"verify"});
  std::set<std::string> of_manual;
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(ReadFile(ProjectFile("docker/README.md")), '\n'))) {
    if (!absl::StartsWith(line, "| `migd_") && !absl::StartsWith(line, "| `grpc_")) continue;
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    const std::vector<std::string> names = absl::StrSplit(cells.at(1), '`');
    for (size_t i = 1; i < names.size(); i += 2) of_manual.insert(names[i]);
  }
  EXPECT_GT(of_manual.size(), 20U);
  // Some come when a database was first asked, or a call has ended.
  const auto served = [this] {
    std::set<std::string> names;
    for (absl::string_view line : absl::StrSplit(Page("/metrics"), '\n')) {
      if (!absl::ConsumePrefix(&line, "# TYPE ")) continue;
      names.insert(std::string(line.substr(0, line.find(' '))));
    }
    return names;
  };
  Eventually([&] { return served() == of_manual; });
  EXPECT_EQ(served(), of_manual);
}

TEST_F(MetricsTest, PromtoolFindsNothingWrong) {
  StartMonitoredMigd();
  Migctl({"upgrade", "bb20"});
  const Finished metrics = Promtool({"check", "metrics"}, Page("/metrics"));
  EXPECT_EQ(metrics.exit_code, 0) << metrics.out << metrics.err;
  const Finished rules = Promtool({"check", "rules", ProjectFile("docker/prometheus/alerts.yaml")});
  EXPECT_EQ(rules.exit_code, 0) << rules.out << rules.err;
  const Finished config =
      Promtool({"check", "config", ProjectFile("docker/prometheus/prometheus.yaml")});
  EXPECT_EQ(config.exit_code, 0) << config.out << config.err;
}

TEST_F(MetricsTest, TheAlertsFireWhenTheyShouldAndNotBefore) {
  const Finished tests = Promtool({"test", "rules", ProjectFile("tests/e2e/alerts_test.yaml")});
  EXPECT_EQ(tests.exit_code, 0) << tests.out << tests.err;
}

TEST_F(MetricsTest, TellHowManyObjectsTheLastComparisonFoundToDiffer) {
  StartMonitoredMigd();
  Migctl({"upgrade", "aa10"});
  const std::string drift =
      absl::StrCat("migd_drift_objects{database=\"", database().at("dbname"), "\"} ");
  EXPECT_THAT(Page("/metrics"), Not(HasSubstr(drift)));
  Migctl({"verify"});
  EXPECT_TRUE(AwaitMetric(drift + "0"));
  Query("ALTER TABLE a ADD COLUMN y int; CREATE TABLE b ()");
  Migctl({"verify"});
  EXPECT_TRUE(AwaitMetric(drift + "2"));
}

TEST_F(MetricsTest, TheCommandsThatTheAlertsNameAreUnderstood) {
  StartMigdWith({});
  Text({"upgrade", "aa10"});
  const std::string operation = Object({"operations", "list"})["operations"][0]["operation"].text();
  const std::vector<std::string> parts =
      absl::StrSplit(ReadFile(ProjectFile("docker/prometheus/alerts.yaml")), '`');
  int commands = 0;
  for (size_t i = 1; i < parts.size(); i += 2) {
    const std::string text = absl::StrReplaceAll(
        parts[i], {{"{{ $labels.database }}", database().at("dbname")}, {" ID", " " + operation}});
    absl::string_view arguments = text;
    ASSERT_TRUE(absl::ConsumePrefix(&arguments, "migctl ")) << text;
    const Finished finished = Migctl(absl::StrSplit(arguments, ' '));
    EXPECT_NE(finished.exit_code, 2) << text << ": " << finished.err;
    ++commands;
  }
  EXPECT_GT(commands, 6);
}

TEST_F(MetricsTest, EveryQueryOfTheDashboardAndTheAlertsIsAnswered) {
  StartMonitoredMigd();
  Migctl({"upgrade", "bb20"});
  Migctl({"current"});
  Migctl({"verify"});
  Migctl({"upgrade", "cc30"});
  Prometheus prometheus(directory().path() + "/prometheus", authority());
  // Rates need several readings.
  ASSERT_TRUE(prometheus.AwaitResult("count_over_time(migd_build_info[1m]) > 3"));
  ASSERT_TRUE(prometheus.AwaitResult("count_over_time(migd_drift_objects[1m]) > 3"));
  const std::vector<PanelQuery> queries = DashboardQueries();
  EXPECT_GT(queries.size(), 20U);
  for (const PanelQuery& query : queries) {
    const Json answer = prometheus.Evaluate(query.expression);
    EXPECT_EQ(answer["status"].text(), "success") << query.name << ": " << query.expression;
    EXPECT_GT(answer["data"]["result"].size(), 0) << query.name << ": " << query.expression;
  }
  const Json groups = prometheus.Ask("/api/v1/rules")["data"]["groups"];
  ASSERT_EQ(groups.size(), 1);
  ASSERT_TRUE(Eventually([&] {
    const Json rules = prometheus.Ask("/api/v1/rules")["data"]["groups"][0]["rules"];
    for (int i = 0; i < rules.size(); ++i) {
      if (rules[i]["health"].text() == "unknown") return false;
    }
    return rules.size() > 10;
  }));
  const Json rules = prometheus.Ask("/api/v1/rules")["data"]["groups"][0]["rules"];
  for (int i = 0; i < rules.size(); ++i) {
    EXPECT_EQ(rules[i]["health"].text(), "ok") << rules[i]["name"].text();
  }
}

}  // namespace
}  // namespace migd
