#include "service/rpc/migration_service.h"

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/base/trace_context.h"
#include "service/database/audit_chain.h"
#include "service/execute/plan_action.h"
#include "service/execute/run_options.h"
#include "service/rpc/audit_query.h"
#include "service/rpc/baseline_query.h"
#include "service/rpc/call_cancellation.h"
#include "service/rpc/call_trace.h"
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

absl::Status FillOperations(OperationManager& operations, DatabaseSelection visible,
                            const migration::v1::ListOperationsRequest& request,
                            migration::v1::ListOperationsResponse& response) {
  OperationFilter filter{request.database(), {}, std::move(visible)};
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

// The workspace of an operation that is asked for, which from now on has its name, if the request
// is one that can be carried out.
absl::StatusOr<Workspace*> PrepareOperation(const Catalog& catalog,
                                            migration::v1::Operation& wanted) {
  const std::vector<std::string> targets(wanted.targets().begin(), wanted.targets().end());
  absl::Status status = CheckTargets(wanted.action(), targets, wanted.purge());
  if (!status.ok()) return status;
  if (!wanted.request_id().empty() && !IsUuid(wanted.request_id())) {
    return errors::InvalidRequest("request_id", "is no UUID; write 8-4-4-4-12 hex digits");
  }
  const auto workspace = catalog.Find(wanted.database());
  if (!workspace.ok()) return workspace.status();
  ExecuteRequest checked;
  checked.action = wanted.action();
  status = ReadRunOptions(wanted.options(), **workspace, checked);
  if (!status.ok()) return status;
  return workspace;
}

// What the audit keeps of a call that is let in, and whose request is refused.
migration::v1::AuditEntry RefusedEntry(const CallKind& call, const migration::v1::Operation& wanted,
                                       const absl::Status& why) {
  migration::v1::AuditEntry entry = AcceptedEntry(wanted);
  entry.set_rpc(std::string(call.rpc));
  entry.set_outcome(migration::v1::AuditEntry::OUTCOME_REFUSED);
  entry.set_reason(errors::ToProto(why).reason());
  return entry;
}

migration::v1::AuditEntry CancelEntry(const Caller& caller,
                                      const migration::v1::Operation& operation,
                                      const absl::Status& status) {
  migration::v1::AuditEntry entry;
  entry.set_principal(caller.principal);
  entry.set_address(caller.address);
  entry.set_trace_id(TraceIdOf(caller.traceparent));
  entry.set_rpc(std::string(calls::kCancelOperation.rpc));
  entry.set_operation(operation.operation());
  entry.set_outcome(status.ok() ? migration::v1::AuditEntry::OUTCOME_ACCEPTED
                                : migration::v1::AuditEntry::OUTCOME_REFUSED);
  if (!status.ok()) entry.set_reason(errors::ToProto(status).reason());
  return entry;
}

}  // namespace

MigrationServiceImpl::MigrationServiceImpl(const Catalog& catalog, const Admission& admission,
                                           const Limits& limits, Auditor& auditor,
                                           CallTracker& calls, OperationManager& operations)
    : catalog_(catalog),
      admission_(admission),
      auditor_(auditor),
      calls_(calls),
      operations_(operations),
      most_operations_(limits.operations_per_client),
      deadlines_(limits.read_deadline),
      short_calls_("calls", limits.calls_per_client),
      scratch_calls_("calls with a scratch database", limits.scratch_calls_per_client),
      lasting_calls_("streams and waiting calls", limits.streams_per_client),
      streams_(operations) {}

void MigrationServiceImpl::EndWaits() {
  streams_.closing = true;
  wait_room_.Close();
}

absl::StatusOr<Caller> MigrationServiceImpl::Admit(const grpc::ServerContextBase& context,
                                                   const CallKind& call,
                                                   const std::string& database) {
  return Noted(context, call, database, admission_.Admit(context, call, database));
}

absl::StatusOr<Caller> MigrationServiceImpl::AdmitSomewhere(const grpc::ServerContextBase& context,
                                                            const CallKind& call) {
  return Noted(context, call, "", admission_.AdmitSomewhere(context, call));
}

absl::StatusOr<Caller> MigrationServiceImpl::Noted(const grpc::ServerContextBase& context,
                                                   const CallKind& call,
                                                   const std::string& database,
                                                   absl::StatusOr<Caller> caller,
                                                   const migration::v1::Operation* wanted) {
  if (caller.ok()) {
    caller->traceparent = TraceparentOf(context);
    calls_.Note(context, *caller, database);
    return caller;
  }
  migration::v1::AuditEntry entry =
      RefusedEntry(call.rpc, AddressOf(context.peer()), caller.status());
  Caller refused;
  refused.principal = entry.principal();
  refused.address = entry.address();
  refused.traceparent = TraceparentOf(context);
  entry.set_trace_id(TraceIdOf(refused.traceparent));
  if (wanted != nullptr) {
    entry.set_request(AcceptedEntry(*wanted).request());
    entry.set_request_id(wanted->request_id());
  }
  calls_.Note(context, refused, database);
  auditor_.Note(database, entry);
  return caller;
}

void MigrationServiceImpl::NoteRefusal(const CallKind& call, const Caller& caller,
                                       const std::string& database, const absl::Status& why) {
  migration::v1::AuditEntry entry = RefusedEntry(call.rpc, caller.address, why);
  entry.set_principal(caller.principal);
  entry.set_trace_id(TraceIdOf(caller.traceparent));
  if (call.is_write) {
    auditor_.Note(database, std::move(entry));
  } else {
    auditor_.NoteRepeated(database, std::move(entry));
  }
}

absl::StatusOr<Caller> MigrationServiceImpl::AdmitNamedOrSomewhere(
    const grpc::ServerContextBase& context, const CallKind& call, const std::string& database) {
  return database.empty() ? AdmitSomewhere(context, call) : Admit(context, call, database);
}

template <typename Answer>
grpc::Status MigrationServiceImpl::AnswerTo(grpc::ServerContextBase& context, const CallKind& call,
                                            const std::string& database,
                                            const absl::StatusOr<Caller>& caller,
                                            const Answer& answer) {
  if (!caller.ok()) return ToGrpcStatus(caller.status());
  const auto place = short_calls_.Take(*caller);
  if (!place.ok()) {
    NoteRefusal(call, *caller, database, place.status());
    return ToGrpcStatus(place.status());
  }
  if (call.lasts) return ToGrpcStatus(answer(*caller));
  const CallDeadlines::Watch watch(deadlines_, context);
  const absl::Status status = answer(*caller);
  return watch.status().ok() ? ToGrpcStatus(status) : watch.status();
}

template <typename Answer>
grpc::Status MigrationServiceImpl::AnswerWithScratch(grpc::ServerContextBase& context,
                                                     const CallKind& call,
                                                     const std::string& database,
                                                     const Answer& answer) {
  return AnswerIfAdmitted(context, call, database, [&](const Caller& caller) -> absl::Status {
    const auto place = scratch_calls_.Take(caller);
    if (place.ok()) return answer();
    NoteRefusal(call, caller, database, place.status());
    return place.status();
  });
}

absl::StatusOr<CallTerms> MigrationServiceImpl::TermsOf(const Caller& caller,
                                                        const std::string& database) {
  auto place = lasting_calls_.Take(caller);
  if (!place.ok()) return place.status();
  CallTerms terms;
  terms.place = *std::move(place);
  DatabaseNames databases = {database};
  if (database.empty()) databases = admission_.VisibleNames(caller);
  terms.still_admitted = [this, caller, databases = std::move(databases)] {
    return admission_.CheckAgain(caller, databases);
  };
  return terms;
}

absl::StatusOr<CallTerms> MigrationServiceImpl::TermsOfRead(const CallKind& call,
                                                            const Caller& caller,
                                                            const std::string& database) {
  auto terms = TermsOf(caller, database);
  if (!terms.ok()) NoteRefusal(call, caller, database, terms.status());
  return terms;
}

absl::Status MigrationServiceImpl::CheckOperationsOf(const Caller& caller) const {
  int count = 0;
  for (const auto& operation : operations_.Known()) {
    if (!operation->finished() && operation->Snapshot().requested_by() == caller.principal) ++count;
  }
  if (count < most_operations_) return absl::OkStatus();
  return errors::LimitReached(caller.principal, "operations", most_operations_);
}

template <typename Answer>
grpc::Status MigrationServiceImpl::AnswerIfAdmitted(grpc::ServerContextBase& context,
                                                    const CallKind& call,
                                                    const std::string& database,
                                                    const Answer& answer) {
  return AnswerTo(context, call, database, Admit(context, call, database), answer);
}

grpc::Status MigrationServiceImpl::Current(grpc::ServerContext* context,
                                           const migration::v1::CurrentRequest* request,
                                           migration::v1::CurrentResponse* response) {
  return AnswerIfAdmitted(*context, calls::kCurrent, request->database(), [&](const Caller&) {
    return AnswerCurrent(catalog_, *request, *response);
  });
}

grpc::Status MigrationServiceImpl::History(grpc::ServerContext* context,
                                           const migration::v1::HistoryRequest* request,
                                           migration::v1::HistoryResponse* response) {
  return AnswerIfAdmitted(*context, calls::kHistory, request->database(), [&](const Caller&) {
    return AnswerHistory(catalog_, *request, *response);
  });
}

grpc::Status MigrationServiceImpl::Heads(grpc::ServerContext* context,
                                         const migration::v1::HeadsRequest* request,
                                         migration::v1::HeadsResponse* response) {
  return AnswerIfAdmitted(*context, calls::kHeads, request->database(), [&](const Caller&) {
    return AnswerHeads(catalog_, *request, *response);
  });
}

grpc::Status MigrationServiceImpl::Branches(grpc::ServerContext* context,
                                            const migration::v1::BranchesRequest* request,
                                            migration::v1::BranchesResponse* response) {
  return AnswerIfAdmitted(*context, calls::kBranches, request->database(), [&](const Caller&) {
    return AnswerBranches(catalog_, *request, *response);
  });
}

grpc::Status MigrationServiceImpl::Show(grpc::ServerContext* context,
                                        const migration::v1::ShowRequest* request,
                                        migration::v1::ShowResponse* response) {
  return AnswerIfAdmitted(*context, calls::kShow, request->database(),
                          [&](const Caller&) { return AnswerShow(catalog_, *request, *response); });
}

grpc::Status MigrationServiceImpl::Plan(grpc::ServerContext* context,
                                        const migration::v1::PlanRequest* request,
                                        migration::v1::PlanResponse* response) {
  return AnswerIfAdmitted(*context, calls::kPlan, request->database(),
                          [&](const Caller&) { return AnswerPlan(catalog_, *request, *response); });
}

grpc::Status MigrationServiceImpl::RenderScript(
    grpc::ServerContext* context, const migration::v1::RenderScriptRequest* request,
    grpc::ServerWriter<migration::v1::RenderScriptResponse>* writer) {
  return AnswerIfAdmitted(*context, calls::kRenderScript, request->database(), [&](const Caller&) {
    return AnswerRenderScript(catalog_, *request, [writer](std::string piece) {
      migration::v1::RenderScriptResponse response;
      response.set_sql(std::move(piece));
      return writer->Write(response);
    });
  });
}

grpc::Status MigrationServiceImpl::Lint(grpc::ServerContext* context,
                                        const migration::v1::LintRequest* request,
                                        migration::v1::LintResponse* response) {
  return AnswerIfAdmitted(*context, calls::kLint, request->database(),
                          [&](const Caller&) { return AnswerLint(catalog_, *request, *response); });
}

grpc::Status MigrationServiceImpl::Check(grpc::ServerContext* context,
                                         const migration::v1::CheckRequest* request,
                                         migration::v1::CheckResponse* response) {
  return AnswerIfAdmitted(*context, calls::kCheck, request->database(), [&](const Caller&) {
    return AnswerCheck(catalog_, *request, *response);
  });
}

grpc::Status MigrationServiceImpl::Verify(grpc::ServerContext* context,
                                          const migration::v1::VerifyRequest* request,
                                          migration::v1::VerifyResponse* response) {
  return AnswerWithScratch(*context, calls::kVerify, request->database(), [&] {
    CallCancellation call(*context);
    return AnswerVerify(catalog_, *request, call.cancellation(), streams_.announcements, *response);
  });
}

grpc::Status MigrationServiceImpl::Rehearse(
    grpc::ServerContext* context, const migration::v1::RehearseRequest* request,
    grpc::ServerWriter<migration::v1::RehearseResponse>* writer) {
  return AnswerWithScratch(*context, calls::kRehearse, request->database(), [&] {
    return RunRehearsal(catalog_, *context, *request, *writer, streams_.closing);
  });
}

grpc::Status MigrationServiceImpl::ComposeRevision(
    grpc::ServerContext* context, const migration::v1::ComposeRevisionRequest* request,
    migration::v1::ComposeRevisionResponse* response) {
  return AnswerIfAdmitted(
      *context, calls::kComposeRevision, request->database(),
      [&](const Caller&) { return AnswerComposeRevision(catalog_, *request, *response); });
}

grpc::Status MigrationServiceImpl::ComposeBaseline(
    grpc::ServerContext* context, const migration::v1::ComposeBaselineRequest* request,
    migration::v1::ComposeBaselineResponse* response) {
  return AnswerWithScratch(*context, calls::kComposeBaseline, request->database(), [&] {
    CallCancellation call(*context);
    return AnswerComposeBaseline(catalog_, *request, call.cancellation(), *response);
  });
}

EventReactor* MigrationServiceImpl::StartOperation(const grpc::ServerContextBase& context,
                                                   const CallKind& call,
                                                   migration::v1::Operation wanted, bool batched) {
  const auto caller = Noted(context, call, wanted.database(),
                            admission_.Admit(context, call, wanted.database()), &wanted);
  if (!caller.ok()) return RefuseStream(caller.status());
  const auto workspace = PrepareOperation(catalog_, wanted);
  const std::string& database = workspace.ok() ? (*workspace)->name : wanted.database();
  SetRequester(*caller, admission_.RoleOn(*caller, database), wanted);
  absl::Status status = workspace.status();
  if (status.ok()) {
    const NeededRole needed = RoleForOperation(call, wanted, **workspace);
    status = admission_.Check(*caller, needed.role, database, needed.why);
  }
  const auto terms = TermsOf(*caller, database);
  if (status.ok()) status = terms.status();
  if (!status.ok()) {
    auditor_.Note(wanted.database(), RefusedEntry(call, wanted, status));
    return RefuseStream(status);
  }
  EventStreamOptions options;
  options.terms = *terms;
  options.status_of_operation = true;
  options.batched = batched;
  return StreamEvents(
      streams_,
      [&](DatabaseOperations::OnAccepted on_accepted) {
        operations_.Start(
            **workspace, wanted,
            [this, &call, wanted,
             on_accepted = std::move(on_accepted)](const OperationManager::Found& accepted) {
              if (!accepted.ok()) {
                auditor_.Note(wanted.database(), RefusedEntry(call, wanted, accepted.status()));
              }
              on_accepted(accepted);
            },
            [this, caller = *caller] { return CheckOperationsOf(caller); });
      },
      options);
}

EventReactor* MigrationServiceImpl::Upgrade(grpc::CallbackServerContext* context,
                                            const migration::v1::UpgradeRequest* request) {
  migration::v1::Operation wanted;
  wanted.set_database(request->database());
  wanted.set_action(migration::v1::ACTION_UPGRADE);
  wanted.add_targets(request->target());
  wanted.set_request_id(request->request_id());
  *wanted.mutable_options() = request->options();
  return StartOperation(*context, calls::kUpgrade, std::move(wanted), request->batch_events());
}

EventReactor* MigrationServiceImpl::Downgrade(grpc::CallbackServerContext* context,
                                              const migration::v1::DowngradeRequest* request) {
  migration::v1::Operation wanted;
  wanted.set_database(request->database());
  wanted.set_action(migration::v1::ACTION_DOWNGRADE);
  wanted.add_targets(request->target());
  wanted.set_request_id(request->request_id());
  *wanted.mutable_options() = request->options();
  return StartOperation(*context, calls::kDowngrade, std::move(wanted), request->batch_events());
}

EventReactor* MigrationServiceImpl::Stamp(grpc::CallbackServerContext* context,
                                          const migration::v1::StampRequest* request) {
  migration::v1::Operation wanted;
  wanted.set_database(request->database());
  wanted.set_action(migration::v1::ACTION_STAMP);
  *wanted.mutable_targets() = request->targets();
  wanted.set_purge(request->purge());
  wanted.set_request_id(request->request_id());
  *wanted.mutable_options() = request->options();
  return StartOperation(*context, calls::kStamp, std::move(wanted), request->batch_events());
}

grpc::Status MigrationServiceImpl::GetOperation(grpc::ServerContext* context,
                                                const migration::v1::GetOperationRequest* request,
                                                migration::v1::GetOperationResponse* response) {
  return AnswerTo(*context, calls::kGetOperation, "",
                  AdmitSomewhere(*context, calls::kGetOperation), [&](const Caller& caller) {
                    const auto operation =
                        operations_.Find(request->operation(), admission_.Visible(caller));
                    if (operation.ok()) *response->mutable_operation() = (*operation)->Snapshot();
                    return operation.status();
                  });
}

grpc::Status MigrationServiceImpl::ListOperations(
    grpc::ServerContext* context, const migration::v1::ListOperationsRequest* request,
    migration::v1::ListOperationsResponse* response) {
  return AnswerTo(*context, calls::kListOperations, request->database(),
                  AdmitNamedOrSomewhere(*context, calls::kListOperations, request->database()),
                  [&](const Caller& caller) {
                    return FillOperations(operations_, admission_.Visible(caller), *request,
                                          *response);
                  });
}

EventReactor* MigrationServiceImpl::WatchOperation(
    grpc::CallbackServerContext* context, const migration::v1::WatchOperationRequest* request) {
  const auto caller = AdmitSomewhere(*context, calls::kWatchOperation);
  if (!caller.ok()) return RefuseStream(caller.status());
  const auto interval =
      ReadHeartbeatInterval(request->has_heartbeat_interval(), request->heartbeat_interval());
  if (!interval.ok()) return RefuseStream(interval.status());
  const auto terms = TermsOfRead(calls::kWatchOperation, *caller, "");
  if (!terms.ok()) return RefuseStream(terms.status());
  EventStreamOptions options;
  options.terms = *terms;
  options.after_sequence = request->after_sequence();
  options.snapshot = true;
  options.heartbeat_interval = *interval;
  options.batched = request->batch_events();
  return StreamEvents(
      streams_,
      [&](std::function<void(OperationManager::Found)> on_found) {
        operations_.FindLater(request->operation(), admission_.Visible(*caller),
                              std::move(on_found));
      },
      options);
}

EventReactor* MigrationServiceImpl::Watch(grpc::CallbackServerContext* context,
                                          const migration::v1::WatchRequest* request) {
  const auto caller = AdmitNamedOrSomewhere(*context, calls::kWatch, request->database());
  if (!caller.ok()) return RefuseStream(caller.status());
  const auto interval =
      ReadHeartbeatInterval(request->has_heartbeat_interval(), request->heartbeat_interval());
  if (!interval.ok()) return RefuseStream(interval.status());
  DatabaseSelection databases = admission_.Visible(*caller);
  if (!request->database().empty()) {
    const auto workspace = catalog_.Find(request->database());
    if (!workspace.ok()) return RefuseStream(workspace.status());
    databases = DatabaseSelection({(*workspace)->name});
  }
  const absl::Time finished_since = request->has_finished_since()
                                        ? FromProtoTimestamp(request->finished_since())
                                        : absl::InfiniteFuture();
  const auto terms = TermsOfRead(calls::kWatch, *caller, request->database());
  if (!terms.ok()) return RefuseStream(terms.status());
  return StreamAllEvents(streams_, databases, finished_since, *interval, request->batch_events(),
                         *terms);
}

grpc::Status MigrationServiceImpl::CancelOperation(
    grpc::ServerContext* context, const migration::v1::CancelOperationRequest* request,
    migration::v1::CancelOperationResponse* response) {
  return AnswerTo(
      *context, calls::kCancelOperation, "", AdmitSomewhere(*context, calls::kCancelOperation),
      [&](const Caller& caller) -> absl::Status {
        const auto operation = operations_.Find(request->operation(), admission_.Visible(caller));
        if (!operation.ok()) return operation.status();
        absl::Status status =
            admission_.Check(caller, calls::kCancelOperation.role, (*operation)->database());
        if (status.ok()) {
          status = operations_.Cancel(**operation, absl::StrCat(caller.principal, " asked for it"));
        }
        const migration::v1::Operation snapshot = (*operation)->Snapshot();
        auditor_.Note(snapshot.database(), CancelEntry(caller, snapshot, status));
        if (!status.ok()) return status;
        *response->mutable_operation() = snapshot;
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* MigrationServiceImpl::Wait(grpc::CallbackServerContext* context,
                                                     const migration::v1::WaitRequest* request,
                                                     migration::v1::WaitResponse* response) {
  const auto caller = Admit(*context, calls::kWait, request->database());
  auto terms = caller.ok() ? TermsOfRead(calls::kWait, *caller, request->database())
                           : absl::StatusOr<CallTerms>(caller.status());
  if (!terms.ok()) {
    grpc::ServerUnaryReactor* refusal = context->DefaultReactor();
    refusal->Finish(ToGrpcStatus(terms.status()));
    return refusal;
  }
  return StartWait(catalog_, wait_room_, *request, *response, *std::move(terms));
}

grpc::Status MigrationServiceImpl::WhoAmI(grpc::ServerContext* context,
                                          const migration::v1::WhoAmIRequest*,
                                          migration::v1::WhoAmIResponse* response) {
  return AnswerIfAdmitted(*context, calls::kWhoAmI, "", [&](const Caller& caller) {
    response->set_principal(caller.principal);
    response->set_address(caller.address);
    for (const Workspace* workspace : catalog_.workspaces()) {
      const migration::v1::Role role = admission_.RoleOn(caller, workspace->name);
      if (role == migration::v1::ROLE_UNSPECIFIED) continue;
      auto& access = *response->add_databases();
      access.set_database(workspace->name);
      access.set_role(role);
    }
    return absl::OkStatus();
  });
}

grpc::Status MigrationServiceImpl::ListAuditEntries(
    grpc::ServerContext* context, const migration::v1::ListAuditEntriesRequest* request,
    migration::v1::ListAuditEntriesResponse* response) {
  return AnswerIfAdmitted(
      *context, calls::kListAuditEntries, request->database(),
      [&](const Caller&) { return AnswerListAuditEntries(catalog_, *request, *response); });
}

grpc::Status MigrationServiceImpl::VerifyAudit(grpc::ServerContext* context,
                                               const migration::v1::VerifyAuditRequest* request,
                                               migration::v1::VerifyAuditResponse* response) {
  return AnswerIfAdmitted(*context, calls::kVerifyAudit, request->database(), [&](const Caller&) {
    CallCancellation call(*context);
    return AnswerVerifyAudit(catalog_, *request, call.cancellation(), *response);
  });
}

}  // namespace migd
