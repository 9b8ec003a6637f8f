#include "tests/support/test_cluster.h"

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <pqxx/pqxx>

#include "absl/strings/str_cat.h"
#include "service/postgres/embedded_cluster.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace migd {
namespace {

[[noreturn]] void Abort(absl::string_view problem) {
  std::cerr << "tests: " << problem << std::endl;
  std::abort();
}

// Members end in the opposite order: the server first, then its directory.
struct Cluster {
  Cluster() {
    EmbeddedOptions options;
    options.directory = directory.path() + "/pg";
    options.database = "tests";
    options.durable = false;
    options.program_directory = TestCluster::ProgramDirectory();
    options.settings["max_connections"] = "300";
    auto started = EmbeddedCluster::Start(options);
    if (!started.ok()) Abort(started.status().message());
    server = *std::move(started);
  }

  TemporaryDirectory directory;
  std::unique_ptr<EmbeddedCluster> server;
};

EmbeddedCluster& Server() {
  static Cluster cluster;
  return *cluster.server;
}

}  // namespace

ConnectionOptions TestCluster::CreateDatabase() {
  static std::atomic<int> count = 0;
  ConnectionOptions database = Server().connection();
  const std::string name = absl::StrCat("test_", ++count);
  Query(database, absl::StrCat("CREATE DATABASE ", name));
  database["dbname"] = name;
  return database;
}

PostgresOptions TestCluster::NewDatabaseOptions() {
  PostgresOptions options;
  options.connection = CreateDatabase();
  options.name = options.connection.at("dbname");
  return options;
}

std::string TestCluster::Query(const ConnectionOptions& database, const std::string& sql) {
  try {
    pqxx::connection connection(FormatConninfo(database));
    const pqxx::result result = pqxx::nontransaction(connection).exec(sql);
    return result.empty() || result.columns() == 0 ? "" : result[0][0].as<std::string>("");
  } catch (const std::exception& failure) {
    Abort(absl::StrCat(sql, ": ", failure.what()));
  }
}

std::string TestCluster::ProgramDirectory() {
  const char* directory = std::getenv("TEST_POSTGRES_PROGRAMS");
  return directory == nullptr ? "" : directory;
}

int TestCluster::MajorVersion() {
  return std::stoi(Query(Server().connection(), "SHOW server_version_num")) / 10000;
}

bool TestCluster::HasPgDump() {
  static const bool has = [] {
    // "pg_dump (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)"
    const std::string version = RunCommand({{"pg_dump", "--version"}}).out;
    const size_t number = version.find_first_of("0123456789");
    return number != version.npos && std::atoi(version.c_str() + number) >= MajorVersion();
  }();
  return has;
}

std::string TestCluster::Uri(const ConnectionOptions& database) {
  return absl::StrCat("postgresql://", database.at("user"), "@/", database.at("dbname"),
                      "?host=", database.at("host"), "&port=", database.at("port"));
}

}  // namespace migd
