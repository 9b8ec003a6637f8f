#include "service/rpc/migration_service.h"

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/errors.h"
#include "service/execute/plan_action.h"
#include "service/rpc/paging.h"
#include "service/rpc/queries.h"
#include "service/rpc/run_options.h"
#include "service/rpc/status.h"

namespace migd {
namespace {

constexpr PageLimits kOperationPages = {50, 1000};

absl::Status FillOperations(const OperationManager& operations,
                            const migration::v1::ListOperationsRequest& request,
                            migration::v1::ListOperationsResponse& response) {
  OperationFilter filter{request.database(), {}};
  for (const int state : request.states()) {
    filter.states.push_back(static_cast<migration::v1::Operation::State>(state));
  }
  const auto matching = operations.List(filter);
  std::vector<std::string> ids;
  for (const auto& operation : matching) ids.push_back(operation->id());
  const auto page =
      FindPageAfterId(ids, request.page_size(), request.page_token(), kOperationPages,
                      absl::StrCat(request.database(), "\n", absl::StrJoin(request.states(), ",")));
  if (!page.ok()) return page.status();
  for (size_t i = page->begin; i < page->end; ++i) {
    *response.add_operations() = matching[i]->Snapshot();
  }
  response.set_next_page_token(page->next_token);
  return absl::OkStatus();
}

// 8-4-4-4-12 hex digits.
bool IsUuid(absl::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !absl::ascii_isxdigit(static_cast<unsigned char>(text[i]))) {
      return false;
    }
  }
  return true;
}

}  // namespace

MigrationServiceImpl::MigrationServiceImpl(const Catalog& catalog, OperationManager& operations)
    : catalog_(catalog), operations_(operations) {}

grpc::Status MigrationServiceImpl::Current(grpc::ServerContext*,
                                           const migration::v1::CurrentRequest* request,
                                           migration::v1::CurrentResponse* response) {
  return ToGrpcStatus(AnswerCurrent(catalog_, *request, *response));
}

grpc::Status MigrationServiceImpl::History(grpc::ServerContext*,
                                           const migration::v1::HistoryRequest* request,
                                           migration::v1::HistoryResponse* response) {
  return ToGrpcStatus(AnswerHistory(catalog_, *request, *response));
}

grpc::Status MigrationServiceImpl::Heads(grpc::ServerContext*,
                                         const migration::v1::HeadsRequest* request,
                                         migration::v1::HeadsResponse* response) {
  return ToGrpcStatus(AnswerHeads(catalog_, *request, *response));
}

grpc::Status MigrationServiceImpl::Branches(grpc::ServerContext*,
                                            const migration::v1::BranchesRequest* request,
                                            migration::v1::BranchesResponse* response) {
  return ToGrpcStatus(AnswerBranches(catalog_, *request, *response));
}

grpc::Status MigrationServiceImpl::Show(grpc::ServerContext*,
                                        const migration::v1::ShowRequest* request,
                                        migration::v1::ShowResponse* response) {
  return ToGrpcStatus(AnswerShow(catalog_, *request, *response));
}

grpc::Status MigrationServiceImpl::Plan(grpc::ServerContext*,
                                        const migration::v1::PlanRequest* request,
                                        migration::v1::PlanResponse* response) {
  return ToGrpcStatus(AnswerPlan(catalog_, *request, *response));
}

grpc::Status MigrationServiceImpl::RenderScript(
    grpc::ServerContext*, const migration::v1::RenderScriptRequest* request,
    grpc::ServerWriter<migration::v1::RenderScriptResponse>* writer) {
  return ToGrpcStatus(AnswerRenderScript(catalog_, *request, [writer](std::string piece) {
    migration::v1::RenderScriptResponse response;
    response.set_sql(std::move(piece));
    return writer->Write(response);
  }));
}

grpc::Status MigrationServiceImpl::ComposeRevision(
    grpc::ServerContext*, const migration::v1::ComposeRevisionRequest* request,
    migration::v1::ComposeRevisionResponse* response) {
  return ToGrpcStatus(AnswerComposeRevision(catalog_, *request, *response));
}

absl::StatusOr<std::shared_ptr<Operation>> MigrationServiceImpl::StartOperation(
    OperationRequest request, const migration::v1::RunOptions& options) {
  absl::Status status = CheckTargets(request.action, request.targets, request.purge);
  if (!status.ok()) return status;
  if (!request.request_id.empty() && !IsUuid(request.request_id)) {
    return errors::InvalidRequest("request_id", "is no UUID; write 8-4-4-4-12 hex digits");
  }
  const auto workspace = catalog_.Find(request.database);
  if (!workspace.ok()) return workspace.status();
  request.database = (*workspace)->name;
  status = ReadRunOptions(options, **workspace, request);
  if (!status.ok()) return status;
  const auto decisions = ReadRunDecisions(options, request.action);
  if (!decisions.ok()) return decisions.status();
  request.decisions = *decisions;
  return operations_.Start(**workspace, std::move(request));
}

EventReactor* MigrationServiceImpl::StreamOperation(
    absl::StatusOr<std::shared_ptr<Operation>> operation) {
  if (!operation.ok()) return RefuseStream(operation.status());
  return StreamEvents(*std::move(operation), 0, StreamEnd::kStatusOfOperation);
}

EventReactor* MigrationServiceImpl::Upgrade(grpc::CallbackServerContext*,
                                            const migration::v1::UpgradeRequest* request) {
  OperationRequest wanted;
  wanted.database = request->database();
  wanted.action = migration::v1::ACTION_UPGRADE;
  wanted.targets = {request->target()};
  wanted.request_id = request->request_id();
  return StreamOperation(StartOperation(std::move(wanted), request->options()));
}

EventReactor* MigrationServiceImpl::Downgrade(grpc::CallbackServerContext*,
                                              const migration::v1::DowngradeRequest* request) {
  OperationRequest wanted;
  wanted.database = request->database();
  wanted.action = migration::v1::ACTION_DOWNGRADE;
  wanted.targets = {request->target()};
  wanted.request_id = request->request_id();
  return StreamOperation(StartOperation(std::move(wanted), request->options()));
}

EventReactor* MigrationServiceImpl::Stamp(grpc::CallbackServerContext*,
                                          const migration::v1::StampRequest* request) {
  OperationRequest wanted;
  wanted.database = request->database();
  wanted.action = migration::v1::ACTION_STAMP;
  wanted.targets = {request->targets().begin(), request->targets().end()};
  wanted.purge = request->purge();
  wanted.request_id = request->request_id();
  return StreamOperation(StartOperation(std::move(wanted), request->options()));
}

grpc::Status MigrationServiceImpl::GetOperation(grpc::ServerContext*,
                                                const migration::v1::GetOperationRequest* request,
                                                migration::v1::GetOperationResponse* response) {
  const auto operation = operations_.Find(request->operation());
  if (!operation.ok()) return ToGrpcStatus(operation.status());
  *response->mutable_operation() = (*operation)->Snapshot();
  return grpc::Status::OK;
}

grpc::Status MigrationServiceImpl::ListOperations(
    grpc::ServerContext*, const migration::v1::ListOperationsRequest* request,
    migration::v1::ListOperationsResponse* response) {
  return ToGrpcStatus(FillOperations(operations_, *request, *response));
}

EventReactor* MigrationServiceImpl::WatchOperation(
    grpc::CallbackServerContext*, const migration::v1::WatchOperationRequest* request) {
  auto operation = operations_.Find(request->operation());
  if (!operation.ok()) return RefuseStream(operation.status());
  return StreamEvents(*std::move(operation), request->after_sequence(), StreamEnd::kOk);
}

grpc::Status MigrationServiceImpl::CancelOperation(
    grpc::ServerContext*, const migration::v1::CancelOperationRequest* request,
    migration::v1::CancelOperationResponse* response) {
  const auto operation = operations_.Find(request->operation());
  if (!operation.ok()) return ToGrpcStatus(operation.status());
  (*operation)->cancellation().Request("somebody asked for it");
  *response->mutable_operation() = (*operation)->Snapshot();
  return grpc::Status::OK;
}

}  // namespace migd
