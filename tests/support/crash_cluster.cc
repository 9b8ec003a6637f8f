#include "tests/support/crash_cluster.h"

#include <signal.h>

#include <cstdlib>
#include <iostream>

#include "absl/strings/match.h"
#include "tests/support/process.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

[[noreturn]] void Abort(const std::string& problem) {
  std::cerr << "tests: " << problem << std::endl;
  std::abort();
}

}  // namespace

CrashCluster::CrashCluster() { Start(); }

void CrashCluster::StopAtOnce() {
  kill(server_->pid(), SIGQUIT);
  if (!Eventually([this] { return !server_->running(); })) Abort("PostgreSQL does not stop");
}

void CrashCluster::Start() {
  server_.reset();
  EmbeddedOptions options;
  options.directory = directory_.path() + "/pg";
  options.database = "chaos";
  options.program_directory = TestCluster::ProgramDirectory();
  options.settings["max_connections"] = "100";
  auto started = EmbeddedCluster::Start(options);
  if (!started.ok()) Abort(std::string(started.status().message()));
  server_ = *std::move(started);
}

void CrashCluster::Run(const std::function<void(pqxx::connection&)>& work) const {
  std::string problem;
  const bool done = Eventually([&] {
    try {
      pqxx::connection session(FormatConninfo(connection()));
      work(session);
      return true;
    } catch (const pqxx::broken_connection& down) {
      problem = down.what();
    } catch (const pqxx::sql_error& refused) {
      // 57P01 to 57P03: the server is told to go down, crashes, or is not up yet.
      if (!absl::StartsWith(refused.sqlstate(), "57P")) throw;
      problem = refused.what();
    }
    return false;
  });
  if (!done) Abort(problem);
}

std::string CrashCluster::Query(const std::string& sql) const {
  std::string answer;
  Run([&](pqxx::connection& session) {
    const pqxx::result result = pqxx::nontransaction(session).exec(sql);
    answer = result.empty() || result.columns() == 0 ? "" : result[0][0].as<std::string>("");
  });
  return answer;
}

}  // namespace migd
