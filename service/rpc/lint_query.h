// The answer of Lint.
#pragma once

#include "absl/status/status.h"
#include "migration/v1/migration_service.pb.h"
#include "service/rpc/catalog.h"

namespace migd {

// Looks at the revisions that the request names. Thread-safe; asks the database which revisions it
// has, and what types the columns have whose types change; does without if it does not answer.
absl::Status AnswerLint(const Catalog& catalog, const migration::v1::LintRequest& request,
                        migration::v1::LintResponse& response);

}  // namespace migd
