// A PostgreSQL cluster for the tests of one binary.
#pragma once

#include <string>

#include "service/postgres/conninfo.h"
#include "service/postgres/postgres_database.h"

namespace migd {

// Starts the cluster on first use; it stops when the binary ends, however it ends. Not durable: a
// test that kills PostgreSQL starts an EmbeddedCluster of its own. Aborts if it cannot be started,
// with the reason.
class TestCluster {
 public:
  // Makes a fresh, empty database and returns how to connect to it as the superuser.
  static ConnectionOptions CreateDatabase();

  // A fresh, empty database as the engine sees it.
  static PostgresOptions NewDatabaseOptions();

  // Runs SQL in a database and returns the first column of the first row of its last result, or
  // "" if there is none. Aborts if the server refuses it.
  static std::string Query(const ConnectionOptions& database, const std::string& sql);

  // The folder of the server's programs that the environment names with TEST_POSTGRES_PROGRAMS;
  // empty: those that migd finds by itself.
  static std::string ProgramDirectory();
  // The major version of the server, such as 15.
  static int MajorVersion();
  // False if the server is newer than the pg_dump at hand, which then refuses it.
  static bool HasPgDump();

  // A connection as a URI, for other programs.
  static std::string Uri(const ConnectionOptions& database);
};

}  // namespace migd
