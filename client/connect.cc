#include "client/connect.h"

#include <utility>

#include "absl/time/clock.h"

namespace migctl {

migration_client::Result<std::unique_ptr<migration_client::Connection>> Connect(
    const GlobalOptions& options) {
  migration_client::ConnectOptions connect;
  connect.server = options.server;
  connect.tls = options.tls;
  connect.token = options.token;
  connect.token_file = options.token_file;
  connect.traceparent = options.traceparent;
  if (options.timeout.has_value()) {
    // A call may take all of the command's time.
    connect.call_timeout = absl::InfiniteDuration();
    connect.deadline = absl::Now() + *options.timeout;
  }
  return migration_client::Connection::Open(std::move(connect));
}

}  // namespace migctl
