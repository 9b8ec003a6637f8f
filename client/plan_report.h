// The text of `migctl plan`. Pure.
#pragma once

#include <string>

#include "client/output.h"
#include "migration/v1/migration_service.pb.h"

namespace migctl {

// Numbered steps, where they lead, and the hash of the plan; or that there is nothing to do. All
// text from the server is escaped.
std::string PlanText(const migration::v1::PlanResponse& response, const TextSettings& settings);

// "upgrade", "downgrade", "stamp".
std::string DirectionName(migration::v1::Direction direction);

}  // namespace migctl
