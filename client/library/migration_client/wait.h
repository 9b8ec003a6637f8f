// Waits for a database to be at a revision: the gate of a service that needs it there.
#pragma once

#include <functional>
#include <string>

#include "absl/time/time.h"
#include "migration/v1/migration_service.pb.h"
#include "migration_client/connection.h"
#include "migration_client/result.h"

namespace migration_client {

struct WaitSettings {
  std::string database;
  // A revision symbol; empty for the heads of the files.
  std::string revision;
  // How long to wait; zero looks once.
  absl::Duration patience = absl::InfiniteDuration();
  // Gets one line each time that the server cannot be asked, for another reason than before.
  std::function<void(const std::string&)> note = nullptr;
};

// Blocks until the database is at the revision or beyond it, and tells which. A server that is not
// there, and a database that is not, are waited for. WAIT_TIMEOUT when patience is over, as the
// server says it; UNAVAILABLE or DEADLINE_EXCEEDED if it could not be asked; at once what else the
// server refuses, such as UNKNOWN_REVISION. Safe from any thread.
Result<migration::v1::WaitResponse> Wait(Connection& connection, const WaitSettings& settings);

}  // namespace migration_client
