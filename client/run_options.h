// The timeouts of a command line as a request has them.
#pragma once

#include "client/invocation.h"
#include "migration/v1/migration_service.pb.h"

namespace migctl {

// What is unset stays unset, for the server to decide.
migration::v1::RunOptions ToRunOptions(const RunSettings& settings);

}  // namespace migctl
