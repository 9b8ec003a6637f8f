// The answer of Check: whether all is well for an upgrade, question by question.
#pragma once

#include "absl/status/status.h"
#include "migration/v1/migration_service.pb.h"
#include "service/rpc/catalog.h"

namespace migd {

// Asks every question that can be asked; one that fails keeps none of the others from being asked
// that does not depend on it. UnknownDatabase. Thread-safe; waits for the database.
absl::Status AnswerCheck(const Catalog& catalog, const migration::v1::CheckRequest& request,
                         migration::v1::CheckResponse& response);

}  // namespace migd
