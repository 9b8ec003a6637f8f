// The connection that a command line asks for.
#pragma once

#include <memory>

#include "client/invocation.h"
#include "migration_client/connection.h"
#include "migration_client/result.h"

namespace migctl {

// A connection that makes no call yet. INVALID_ARGUMENT if the options of TLS and tokens cannot be
// used. The time of --timeout begins now.
migration_client::Result<std::unique_ptr<migration_client::Connection>> Connect(
    const GlobalOptions& options);

}  // namespace migctl
