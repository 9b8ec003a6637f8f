// The text of `migctl plan`. Pure.
#pragma once

#include <string>

#include "client/output.h"
#include "migration/v1/migration_service.pb.h"

namespace migctl {

// Numbered steps with what their statements do, where they lead, what is lost, and the hash of the
// plan; or that there is nothing to do. `command` is what runs the call, such as "migctl upgrade
// head", for the last line; without it there is none. All text from the server is escaped.
std::string PlanText(const migration::v1::PlanResponse& response, const TextSettings& settings,
                     const std::string& command = "");

// "upgrade", "downgrade", "stamp".
std::string DirectionName(migration::v1::Direction direction);

}  // namespace migctl
