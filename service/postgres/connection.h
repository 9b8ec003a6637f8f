// A libpqxx connection whose libpq handle can be had.
#pragma once

#include <libpq-fe.h>

#include <map>
#include <pqxx/pqxx>
#include <string>

#include "absl/time/time.h"
#include "service/postgres/hurry.h"

namespace migd {

// PostgreSQL, or the way to it, refused a connection. libpqxx alone tells it as a text in the
// server's language; this has the SQLSTATE.
class ConnectFailure : public pqxx::broken_connection {
 public:
  ConnectFailure(std::string sqlstate, const std::string& message)
      : pqxx::broken_connection(message), sqlstate_(std::move(sqlstate)) {}

  // Empty if no server answered.
  const std::string& sqlstate() const { return sqlstate_; }

 private:
  std::string sqlstate_;
};

namespace internal {

// Connects as libpq does, and keeps the handle and the SQLSTATE of a refusal.
class ConnectPolicy : public pqxx::connectionpolicy {
 public:
  ConnectPolicy(const std::string& conninfo, absl::Duration timeout, const Hurry* hurry);
  handle do_startconnect(handle old) override;
  handle do_disconnect(handle old) noexcept override;

  PGconn* connection() const { return connection_; }

 private:
  const absl::Duration timeout_;
  const Hurry* const hurry_;
  bool connected_before_ = false;
  PGconn* connection_ = nullptr;
};

// The policy must exist before the connection that refers to it.
struct PolicyHolder {
  ConnectPolicy policy;
};

}  // namespace internal

// An open connection. libpqxx runs the service's own queries on it; migrations run on the handle,
// because libpqxx hides what an error says beyond its message, keeps only the last result of a
// text, and cannot feed COPY. Used by one thread. It never reconnects by itself: a new connection
// has neither the mutex nor the transaction of the old one.
class Connection : private internal::PolicyHolder, public pqxx::connection_base {
 public:
  // Connects. ConnectFailure if that fails, or takes longer than `timeout`; zero sets no limit.
  // `hurry`, which may be null, leaves little time once it is requested.
  Connection(const std::string& conninfo, absl::Duration timeout, const Hurry* hurry = nullptr);
  ~Connection() noexcept;

  // Null once libpqxx has found the connection lost, and closed it: ask for it each time. libpq's
  // functions take null for a lost connection.
  PGconn* handle() const { return policy.connection(); }

  // A name under which `sql` is prepared when it is first run; empty if it is not to be: so many
  // others are that this one will hardly come again.
  std::string PreparedName(const std::string& sql);

 private:
  // By their texts.
  std::map<std::string, std::string> prepared_;
};

}  // namespace migd
