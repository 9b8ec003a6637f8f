#include "service/rpc/migration_service.h"

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/execute/plan_action.h"
#include "service/execute/run_options.h"
#include "service/rpc/baseline_query.h"
#include "service/rpc/call_cancellation.h"
#include "service/rpc/check_query.h"
#include "service/rpc/lint_query.h"
#include "service/rpc/paging.h"
#include "service/rpc/queries.h"
#include "service/rpc/rehearse_call.h"
#include "service/rpc/status.h"
#include "service/rpc/verify_query.h"
#include "service/rpc/wait_call.h"

namespace migd {
namespace {

constexpr PageLimits kOperationPages = {50, 1000};

absl::Status FillOperations(OperationManager& operations,
                            const migration::v1::ListOperationsRequest& request,
                            migration::v1::ListOperationsResponse& response) {
  OperationFilter filter{request.database(), {}};
  for (const int state : request.states()) {
    filter.states.push_back(static_cast<migration::v1::Operation::State>(state));
  }
  const std::string fingerprint =
      absl::StrCat(request.database(), "\n", absl::StrJoin(request.states(), ","));
  const auto place = PlaceOfToken(request.page_token(), fingerprint);
  if (!place.ok()) return place.status();
  const auto size = PageSize(request.page_size(), kOperationPages);
  if (!size.ok()) return size.status();
  auto page = operations.List(filter, *place, *size);
  if (!page.ok()) return page.status();
  for (migration::v1::Operation& operation : page->operations) {
    *response.add_operations() = std::move(operation);
  }
  for (const absl::Status& error : page->database_errors) {
    *response.add_database_errors() = errors::ToProto(error);
  }
  response.set_next_page_token(TokenOfPlace(page->rest, fingerprint));
  return absl::OkStatus();
}

// Reads the interval of a request, or takes the usual one.
absl::StatusOr<absl::Duration> ReadHeartbeatInterval(bool is_set,
                                                     const google::protobuf::Duration& field) {
  if (!is_set) return kHeartbeatInterval;
  const absl::Duration interval = FromProtoDuration(field);
  if (interval < kShortestHeartbeatInterval) {
    return errors::InvalidRequest(
        "heartbeat_interval",
        absl::StrCat("must be at least ", absl::FormatDuration(kShortestHeartbeatInterval)));
  }
  return interval;
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
    : catalog_(catalog), operations_(operations), streams_(operations) {}

void MigrationServiceImpl::EndWaits() {
  streams_.closing = true;
  wait_room_.Close();
}

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

grpc::Status MigrationServiceImpl::Lint(grpc::ServerContext*,
                                        const migration::v1::LintRequest* request,
                                        migration::v1::LintResponse* response) {
  return ToGrpcStatus(AnswerLint(catalog_, *request, *response));
}

grpc::Status MigrationServiceImpl::Check(grpc::ServerContext*,
                                         const migration::v1::CheckRequest* request,
                                         migration::v1::CheckResponse* response) {
  return ToGrpcStatus(AnswerCheck(catalog_, *request, *response));
}

grpc::Status MigrationServiceImpl::Verify(grpc::ServerContext* context,
                                          const migration::v1::VerifyRequest* request,
                                          migration::v1::VerifyResponse* response) {
  CallCancellation call(*context);
  return ToGrpcStatus(
      AnswerVerify(catalog_, *request, call.cancellation(), streams_.announcements, *response));
}

grpc::Status MigrationServiceImpl::Rehearse(
    grpc::ServerContext* context, const migration::v1::RehearseRequest* request,
    grpc::ServerWriter<migration::v1::RehearseResponse>* writer) {
  return RunRehearsal(catalog_, *context, *request, *writer, streams_.closing);
}

grpc::Status MigrationServiceImpl::ComposeRevision(
    grpc::ServerContext*, const migration::v1::ComposeRevisionRequest* request,
    migration::v1::ComposeRevisionResponse* response) {
  return ToGrpcStatus(AnswerComposeRevision(catalog_, *request, *response));
}

grpc::Status MigrationServiceImpl::ComposeBaseline(
    grpc::ServerContext* context, const migration::v1::ComposeBaselineRequest* request,
    migration::v1::ComposeBaselineResponse* response) {
  CallCancellation call(*context);
  return ToGrpcStatus(AnswerComposeBaseline(catalog_, *request, call.cancellation(), *response));
}

EventReactor* MigrationServiceImpl::StartOperation(migration::v1::Operation wanted) {
  const std::vector<std::string> targets(wanted.targets().begin(), wanted.targets().end());
  absl::Status status = CheckTargets(wanted.action(), targets, wanted.purge());
  if (!status.ok()) return RefuseStream(status);
  if (!wanted.request_id().empty() && !IsUuid(wanted.request_id())) {
    return RefuseStream(
        errors::InvalidRequest("request_id", "is no UUID; write 8-4-4-4-12 hex digits"));
  }
  const auto workspace = catalog_.Find(wanted.database());
  if (!workspace.ok()) return RefuseStream(workspace.status());
  ExecuteRequest checked;
  checked.action = wanted.action();
  status = ReadRunOptions(wanted.options(), **workspace, checked);
  if (!status.ok()) return RefuseStream(status);
  EventStreamOptions options;
  options.status_of_operation = true;
  return StreamEvents(
      streams_,
      [&](DatabaseOperations::OnAccepted on_accepted) {
        operations_.Start(**workspace, std::move(wanted), std::move(on_accepted));
      },
      options);
}

EventReactor* MigrationServiceImpl::Upgrade(grpc::CallbackServerContext*,
                                            const migration::v1::UpgradeRequest* request) {
  migration::v1::Operation wanted;
  wanted.set_database(request->database());
  wanted.set_action(migration::v1::ACTION_UPGRADE);
  wanted.add_targets(request->target());
  wanted.set_request_id(request->request_id());
  *wanted.mutable_options() = request->options();
  return StartOperation(std::move(wanted));
}

EventReactor* MigrationServiceImpl::Downgrade(grpc::CallbackServerContext*,
                                              const migration::v1::DowngradeRequest* request) {
  migration::v1::Operation wanted;
  wanted.set_database(request->database());
  wanted.set_action(migration::v1::ACTION_DOWNGRADE);
  wanted.add_targets(request->target());
  wanted.set_request_id(request->request_id());
  *wanted.mutable_options() = request->options();
  return StartOperation(std::move(wanted));
}

EventReactor* MigrationServiceImpl::Stamp(grpc::CallbackServerContext*,
                                          const migration::v1::StampRequest* request) {
  migration::v1::Operation wanted;
  wanted.set_database(request->database());
  wanted.set_action(migration::v1::ACTION_STAMP);
  *wanted.mutable_targets() = request->targets();
  wanted.set_purge(request->purge());
  wanted.set_request_id(request->request_id());
  *wanted.mutable_options() = request->options();
  return StartOperation(std::move(wanted));
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
  const auto interval =
      ReadHeartbeatInterval(request->has_heartbeat_interval(), request->heartbeat_interval());
  if (!interval.ok()) return RefuseStream(interval.status());
  EventStreamOptions options;
  options.after_sequence = request->after_sequence();
  options.snapshot = true;
  options.heartbeat_interval = *interval;
  return StreamEvents(
      streams_,
      [&](std::function<void(OperationManager::Found)> on_found) {
        operations_.FindLater(request->operation(), std::move(on_found));
      },
      options);
}

EventReactor* MigrationServiceImpl::Watch(grpc::CallbackServerContext*,
                                          const migration::v1::WatchRequest* request) {
  const auto interval =
      ReadHeartbeatInterval(request->has_heartbeat_interval(), request->heartbeat_interval());
  if (!interval.ok()) return RefuseStream(interval.status());
  std::string database;
  if (!request->database().empty()) {
    const auto workspace = catalog_.Find(request->database());
    if (!workspace.ok()) return RefuseStream(workspace.status());
    database = (*workspace)->name;
  }
  const absl::Time finished_since = request->has_finished_since()
                                        ? FromProtoTimestamp(request->finished_since())
                                        : absl::InfiniteFuture();
  return StreamAllEvents(streams_, database, finished_since, *interval);
}

grpc::Status MigrationServiceImpl::CancelOperation(
    grpc::ServerContext*, const migration::v1::CancelOperationRequest* request,
    migration::v1::CancelOperationResponse* response) {
  const auto operation = operations_.Find(request->operation());
  if (!operation.ok()) return ToGrpcStatus(operation.status());
  const absl::Status status = operations_.Cancel(**operation, "somebody asked for it");
  if (!status.ok()) return ToGrpcStatus(status);
  *response->mutable_operation() = (*operation)->Snapshot();
  return grpc::Status::OK;
}

grpc::ServerUnaryReactor* MigrationServiceImpl::Wait(grpc::CallbackServerContext*,
                                                     const migration::v1::WaitRequest* request,
                                                     migration::v1::WaitResponse* response) {
  return StartWait(catalog_, wait_room_, *request, *response);
}

}  // namespace migd
