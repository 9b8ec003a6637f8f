// A real pgbouncer before a database.
#pragma once

#include <memory>
#include <string>

#include "service/postgres/child_process.h"
#include "service/postgres/conninfo.h"
#include "tests/support/temporary_directory.h"

namespace migd {

// Listens on a unix socket in a directory of its own, and has a single connection to the server, so
// that what one client leaves on it is what the next one finds. Stops with this object. Aborts if
// it cannot be started, with the reason. Make it on the main thread (see ChildProcess).
class PgBouncer {
 public:
  // `pool_mode` is pgbouncer's: session, transaction or statement.
  PgBouncer(const ConnectionOptions& server, const std::string& pool_mode);
  ~PgBouncer();

  // How to connect to the server's database through it.
  const ConnectionOptions& connection() const { return connection_; }

 private:
  const TemporaryDirectory directory_;
  ConnectionOptions connection_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace migd
