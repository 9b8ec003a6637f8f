// A PostgreSQL cluster that a test may crash.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <pqxx/pqxx>
#include <string>

#include "service/postgres/embedded_cluster.h"
#include "tests/support/temporary_directory.h"

namespace migd {

// Durable, unlike TestCluster: what was committed is there after a crash. Stops with this object.
// Use from the main thread (see EmbeddedCluster). Aborts if the server cannot be started.
class CrashCluster {
 public:
  CrashCluster();

  // How to connect to its database as the superuser.
  const ConnectionOptions& connection() const { return server_->connection(); }

  // As `pg_ctl stop -m immediate`, and waits for the end: the next start recovers.
  void StopAtOnce();
  void Start();

  // Runs `work` in a connection of its own, and again as long as the server is down, recovers or
  // goes down meanwhile: what it does must bear that.
  void Run(const std::function<void(pqxx::connection&)>& work) const;
  // Runs SQL as above and returns the first column of the first row, or "".
  std::string Query(const std::string& sql) const;

 private:
  const TemporaryDirectory directory_;
  std::unique_ptr<EmbeddedCluster> server_;
};

}  // namespace migd
