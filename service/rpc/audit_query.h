// The answers of the calls that read the audit.
#pragma once

#include "absl/status/status.h"
#include "migration/v1/migration_service.pb.h"
#include "service/execute/cancellation.h"
#include "service/rpc/catalog.h"

namespace migd {

// Each fills in `response`, or fails as the proto says. Thread-safe; they wait for the database.
// A cancellation ends the verifying of a long audit with OperationCancelled.
absl::Status AnswerListAuditEntries(const Catalog& catalog,
                                    const migration::v1::ListAuditEntriesRequest& request,
                                    migration::v1::ListAuditEntriesResponse& response);
absl::Status AnswerVerifyAudit(const Catalog& catalog,
                               const migration::v1::VerifyAuditRequest& request,
                               const Cancellation& cancellation,
                               migration::v1::VerifyAuditResponse& response);

}  // namespace migd
