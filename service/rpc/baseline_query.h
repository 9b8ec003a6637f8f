// The answer of ComposeBaseline: the first migration file of a database that is there already.
#pragma once

#include "absl/status/status.h"
#include "migration/v1/migration_service.pb.h"
#include "service/execute/cancellation.h"
#include "service/rpc/catalog.h"

namespace migd {

// See the proto for the errors; OperationCancelled. Thread-safe; takes as long as pg_dump takes,
// and its file in a scratch database.
absl::Status AnswerComposeBaseline(const Catalog& catalog,
                                   const migration::v1::ComposeBaselineRequest& request,
                                   Cancellation& cancellation,
                                   migration::v1::ComposeBaselineResponse& response);

}  // namespace migd
