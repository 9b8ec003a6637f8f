// The answers of the calls that only read: the migration files, and what the database has of them.
#pragma once

#include "absl/status/status.h"
#include "migration/v1/migration_service.pb.h"
#include "service/execute/sql_script.h"
#include "service/rpc/catalog.h"

namespace migd {

// Each fills in `response`, or fails as the proto says. Thread-safe; they wait for the database.
absl::Status AnswerCurrent(const Catalog& catalog, const migration::v1::CurrentRequest& request,
                           migration::v1::CurrentResponse& response);
absl::Status AnswerHistory(const Catalog& catalog, const migration::v1::HistoryRequest& request,
                           migration::v1::HistoryResponse& response);
absl::Status AnswerHeads(const Catalog& catalog, const migration::v1::HeadsRequest& request,
                         migration::v1::HeadsResponse& response);
absl::Status AnswerBranches(const Catalog& catalog, const migration::v1::BranchesRequest& request,
                            migration::v1::BranchesResponse& response);
absl::Status AnswerShow(const Catalog& catalog, const migration::v1::ShowRequest& request,
                        migration::v1::ShowResponse& response);
absl::Status AnswerPlan(const Catalog& catalog, const migration::v1::PlanRequest& request,
                        migration::v1::PlanResponse& response);
absl::Status AnswerComposeRevision(const Catalog& catalog,
                                   const migration::v1::ComposeRevisionRequest& request,
                                   migration::v1::ComposeRevisionResponse& response);

// The same for an answer in pieces, until `sink` wants no more. Fails before the first piece only.
absl::Status AnswerRenderScript(const Catalog& catalog,
                                const migration::v1::RenderScriptRequest& request, ScriptSink sink);

}  // namespace migd
