// A private PostgreSQL server, kept in a directory and run as a child of this process.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "service/base/unique_fd.h"
#include "service/postgres/child_process.h"
#include "service/postgres/conninfo.h"

namespace migd {

// What to run, and where.
struct EmbeddedOptions {
  // Made if it is missing. Holds `data` (the cluster), `postgres.log`, `uri` (how to connect) and,
  // if its path is short enough, the socket.
  std::string directory;
  // Made if the cluster does not have it.
  std::string database;
  // Whom PostgreSQL runs as if this process is root's; PostgreSQL itself refuses root.
  std::string user = "postgres";
  // Where initdb and postgres are; empty: the PATH, then the places where distributions put them.
  std::string program_directory;
  // False gives up crash safety for speed: for tests only.
  bool durable = true;
  // Further settings of postgresql.conf.
  std::map<std::string, std::string> settings;
};

// A running server. It listens on a unix socket only, in a directory that only its user (and root)
// can enter. Stops with this object, and also if this process is killed.
class EmbeddedCluster {
 public:
  // Makes the cluster on first use, starts it, makes the database, and returns when connections
  // are accepted. DatabaseUnsuitable says what is missing or in the way: programs, the user, a
  // directory that cannot be written or reached, another migd in the same directory.
  static absl::StatusOr<std::unique_ptr<EmbeddedCluster>> Start(const EmbeddedOptions& options);

  // Stops the server: finishes no transaction, loses none that was committed.
  ~EmbeddedCluster();

  // How to connect to the database.
  const ConnectionOptions& connection() const { return connection_; }
  // The same as a URI for psql.
  std::string uri() const;

  // False once the server has ended by itself.
  bool running() { return !server_.Poll().has_value(); }

  // The server's process, for tests that kill it.
  pid_t pid() const { return server_.pid(); }

 private:
  EmbeddedCluster(UniqueFd lock, std::string socket_directory, bool remove_socket_directory,
                  ConnectionOptions connection, ChildProcess server);

  const UniqueFd lock_;
  const std::string socket_directory_;
  const bool remove_socket_directory_;
  const ConnectionOptions connection_;
  ChildProcess server_;
};

}  // namespace migd
