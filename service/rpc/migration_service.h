// The RPCs: each validates, calls, converts, and is done.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "migration/v1/migration_service.grpc.pb.h"
#include "service/operation/auditor.h"
#include "service/operation/operation_manager.h"
#include "service/rpc/admission.h"
#include "service/rpc/call_deadlines.h"
#include "service/rpc/call_terms.h"
#include "service/rpc/call_tracker.h"
#include "service/rpc/catalog.h"
#include "service/rpc/client_quota.h"
#include "service/rpc/event_stream.h"
#include "service/rpc/limits.h"
#include "service/rpc/wait_room.h"

namespace migd {

// The answers of one call, on the caller's thread, for the RPCs that only read; streams of events
// and those who wait for a revision cost no thread each, so their handlers are gRPC's callback
// ones.
using MigrationServiceBase = migration::v1::MigrationService::WithCallbackMethod_Upgrade<
    migration::v1::MigrationService::WithCallbackMethod_Downgrade<
        migration::v1::MigrationService::WithCallbackMethod_Stamp<
            migration::v1::MigrationService::WithCallbackMethod_WatchOperation<
                migration::v1::MigrationService::WithCallbackMethod_Watch<
                    migration::v1::MigrationService::WithCallbackMethod_Wait<
                        migration::v1::MigrationService::Service>>>>>>;

// Thread-safe. See the proto for what each RPC does and how it fails.
class MigrationServiceImpl final : public MigrationServiceBase {
 public:
  // All must outlive the service.
  MigrationServiceImpl(const Catalog& catalog, const Admission& admission, const Limits& limits,
                       Auditor& auditor, CallTracker& calls, OperationManager& operations);

  // The server stops: all calls that wait for something to happen end with Draining, streams when
  // they have told what there is.
  void EndWaits();

  // What streams of all operations tell beside these.
  Announcements& announcements() { return streams_.announcements; }

  grpc::Status Current(grpc::ServerContext* context, const migration::v1::CurrentRequest* request,
                       migration::v1::CurrentResponse* response) override;
  grpc::Status History(grpc::ServerContext* context, const migration::v1::HistoryRequest* request,
                       migration::v1::HistoryResponse* response) override;
  grpc::Status Heads(grpc::ServerContext* context, const migration::v1::HeadsRequest* request,
                     migration::v1::HeadsResponse* response) override;
  grpc::Status Branches(grpc::ServerContext* context, const migration::v1::BranchesRequest* request,
                        migration::v1::BranchesResponse* response) override;
  grpc::Status Show(grpc::ServerContext* context, const migration::v1::ShowRequest* request,
                    migration::v1::ShowResponse* response) override;
  grpc::Status Plan(grpc::ServerContext* context, const migration::v1::PlanRequest* request,
                    migration::v1::PlanResponse* response) override;
  grpc::Status RenderScript(
      grpc::ServerContext* context, const migration::v1::RenderScriptRequest* request,
      grpc::ServerWriter<migration::v1::RenderScriptResponse>* writer) override;
  grpc::Status Rehearse(grpc::ServerContext* context, const migration::v1::RehearseRequest* request,
                        grpc::ServerWriter<migration::v1::RehearseResponse>* writer) override;
  grpc::Status Lint(grpc::ServerContext* context, const migration::v1::LintRequest* request,
                    migration::v1::LintResponse* response) override;
  grpc::Status Check(grpc::ServerContext* context, const migration::v1::CheckRequest* request,
                     migration::v1::CheckResponse* response) override;
  grpc::Status Verify(grpc::ServerContext* context, const migration::v1::VerifyRequest* request,
                      migration::v1::VerifyResponse* response) override;
  grpc::Status ComposeRevision(grpc::ServerContext* context,
                               const migration::v1::ComposeRevisionRequest* request,
                               migration::v1::ComposeRevisionResponse* response) override;
  grpc::Status ComposeBaseline(grpc::ServerContext* context,
                               const migration::v1::ComposeBaselineRequest* request,
                               migration::v1::ComposeBaselineResponse* response) override;
  EventReactor* Upgrade(grpc::CallbackServerContext* context,
                        const migration::v1::UpgradeRequest* request) override;
  EventReactor* Downgrade(grpc::CallbackServerContext* context,
                          const migration::v1::DowngradeRequest* request) override;
  EventReactor* Stamp(grpc::CallbackServerContext* context,
                      const migration::v1::StampRequest* request) override;
  grpc::Status GetOperation(grpc::ServerContext* context,
                            const migration::v1::GetOperationRequest* request,
                            migration::v1::GetOperationResponse* response) override;
  grpc::Status ListOperations(grpc::ServerContext* context,
                              const migration::v1::ListOperationsRequest* request,
                              migration::v1::ListOperationsResponse* response) override;
  EventReactor* WatchOperation(grpc::CallbackServerContext* context,
                               const migration::v1::WatchOperationRequest* request) override;
  EventReactor* Watch(grpc::CallbackServerContext* context,
                      const migration::v1::WatchRequest* request) override;
  grpc::Status CancelOperation(grpc::ServerContext* context,
                               const migration::v1::CancelOperationRequest* request,
                               migration::v1::CancelOperationResponse* response) override;
  grpc::ServerUnaryReactor* Wait(grpc::CallbackServerContext* context,
                                 const migration::v1::WaitRequest* request,
                                 migration::v1::WaitResponse* response) override;
  grpc::Status WhoAmI(grpc::ServerContext* context, const migration::v1::WhoAmIRequest* request,
                      migration::v1::WhoAmIResponse* response) override;
  grpc::Status ListAuditEntries(grpc::ServerContext* context,
                                const migration::v1::ListAuditEntriesRequest* request,
                                migration::v1::ListAuditEntriesResponse* response) override;
  grpc::Status VerifyAudit(grpc::ServerContext* context,
                           const migration::v1::VerifyAuditRequest* request,
                           migration::v1::VerifyAuditResponse* response) override;

 private:
  // Whoever makes a call, if they may; a refusal is noted in the audit.
  absl::StatusOr<Caller> Admit(const grpc::ServerContextBase& context, const CallKind& call,
                               const std::string& database);
  // The same for a call that names no database.
  absl::StatusOr<Caller> AdmitSomewhere(const grpc::ServerContextBase& context,
                                        const CallKind& call);
  // What becomes of an admission, told to the log and, if it is refused, to the audit; `wanted` is
  // the operation that is asked for, if the call is about one.
  absl::StatusOr<Caller> Noted(const grpc::ServerContextBase& context, const CallKind& call,
                               const std::string& database, absl::StatusOr<Caller> caller,
                               const migration::v1::Operation* wanted = nullptr);
  // Notes in the audit that a call about `database`, empty if it names none, whose caller was
  // admitted, is refused.
  void NoteRefusal(const CallKind& call, const Caller& caller, const std::string& database,
                   const absl::Status& why);
  // One that says it is for all databases if it names none is about those that the caller sees.
  absl::StatusOr<Caller> AdmitNamedOrSomewhere(const grpc::ServerContextBase& context,
                                               const CallKind& call, const std::string& database);
  // Answers a call about `database`, empty if it names none, with `answer(caller)`, a status, if
  // the caller was admitted.
  template <typename Answer>
  grpc::Status AnswerTo(grpc::ServerContextBase& context, const CallKind& call,
                        const std::string& database, const absl::StatusOr<Caller>& caller,
                        const Answer& answer);
  // The same for a call that is about a database, if the caller may make it.
  template <typename Answer>
  grpc::Status AnswerIfAdmitted(grpc::ServerContextBase& context, const CallKind& call,
                                const std::string& database, const Answer& answer);
  // The same for one that makes a scratch database.
  template <typename Answer>
  grpc::Status AnswerWithScratch(grpc::ServerContextBase& context, const CallKind& call,
                                 const std::string& database, const Answer& answer);
  // A place for a call that lasts, and how long its caller is admitted: as long as they may read
  // the database, or if it names none, those that they may read now. LimitReached, which
  // TermsOfRead notes in the audit.
  absl::StatusOr<CallTerms> TermsOf(const Caller& caller, const std::string& database);
  absl::StatusOr<CallTerms> TermsOfRead(const CallKind& call, const Caller& caller,
                                        const std::string& database);
  // LimitReached if a caller has too many operations that have not ended.
  absl::Status CheckOperationsOf(const Caller& caller) const;
  // What Upgrade, Downgrade and Stamp have in common: makes an operation and streams it.
  EventReactor* StartOperation(const grpc::ServerContextBase& context, const CallKind& call,
                               migration::v1::Operation wanted, bool batched);

  const Catalog& catalog_;
  const Admission& admission_;
  Auditor& auditor_;
  CallTracker& calls_;
  OperationManager& operations_;
  const int most_operations_;
  CallDeadlines deadlines_;
  ClientQuota short_calls_;
  ClientQuota scratch_calls_;
  ClientQuota lasting_calls_;
  StreamSources streams_;
  WaitRoom wait_room_;
};

}  // namespace migd
