// The answer of Verify: how the schema of a database compares with its files.
#pragma once

#include "absl/status/status.h"
#include "migration/v1/migration_service.pb.h"
#include "service/execute/cancellation.h"
#include "service/rpc/announcements.h"
#include "service/rpc/catalog.h"

namespace migd {

// Replays and compares; what was found is announced. See the proto for the errors;
// OperationCancelled. Thread-safe; takes as long as the files take on empty tables.
absl::Status AnswerVerify(const Catalog& catalog, const migration::v1::VerifyRequest& request,
                          Cancellation& cancellation, Announcements& announcements,
                          migration::v1::VerifyResponse& response);

}  // namespace migd
