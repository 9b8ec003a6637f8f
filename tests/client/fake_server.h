// A migd that answers what a test tells it to, in this process, on a unix socket of its own.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "migration/v1/migration_service.grpc.pb.h"

namespace migctl {

// A status as the service makes it, with ErrorInfo in its details.
inline grpc::Status ServiceStatus(grpc::StatusCode code, const std::string& reason,
                                  const std::string& message) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("migration.v1");
  google::rpc::Status details;
  details.set_code(code);
  details.add_details()->PackFrom(info);
  return {code, message, details.SerializeAsString()};
}

// The function that answers one kind of call: set by the test, run on the server's threads.
template <typename Function>
class Handler {
 public:
  Handler& operator=(Function function) {
    const std::lock_guard<std::mutex> lock(mutex_);
    function_ = std::move(function);
    return *this;
  }

  Function Get() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return function_;
  }

 private:
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  Function function_;
};

// Each call is answered by the handler that the test has set; without one, by UNIMPLEMENTED.
class FakeServer {
 public:
  using Events = grpc::ServerWriter<migration::v1::OperationEvent>;
  using Pieces = grpc::ServerWriter<migration::v1::RenderScriptResponse>;
  template <typename Request, typename Response>
  using Unary = Handler<std::function<grpc::Status(const Request&, Response*)>>;
  template <typename Request>
  using Stream =
      Handler<std::function<grpc::Status(grpc::ServerContext*, const Request&, Events*)>>;

  struct Handlers {
    Unary<migration::v1::CurrentRequest, migration::v1::CurrentResponse> current;
    Unary<migration::v1::HistoryRequest, migration::v1::HistoryResponse> history;
    Unary<migration::v1::HeadsRequest, migration::v1::HeadsResponse> heads;
    Unary<migration::v1::PlanRequest, migration::v1::PlanResponse> plan;
    Unary<migration::v1::ShowRequest, migration::v1::ShowResponse> show;
    Unary<migration::v1::ComposeRevisionRequest, migration::v1::ComposeRevisionResponse> compose;
    Handler<std::function<grpc::Status(const migration::v1::RenderScriptRequest&, Pieces*)>> render;
    Stream<migration::v1::UpgradeRequest> upgrade;
    Stream<migration::v1::StampRequest> stamp;
    Unary<migration::v1::ListOperationsRequest, migration::v1::ListOperationsResponse> list;
    Unary<migration::v1::GetOperationRequest, migration::v1::GetOperationResponse> get;
    Stream<migration::v1::WatchOperationRequest> watch;
    Stream<migration::v1::WatchRequest> watch_all;
    Unary<migration::v1::CancelOperationRequest, migration::v1::CancelOperationResponse> cancel;
    Unary<migration::v1::WaitRequest, migration::v1::WaitResponse> wait;
    Unary<migration::v1::WhoAmIRequest, migration::v1::WhoAmIResponse> who_am_i;
    Unary<migration::v1::ListAuditEntriesRequest, migration::v1::ListAuditEntriesResponse>
        list_audit;
    Unary<migration::v1::VerifyAuditRequest, migration::v1::VerifyAuditResponse> verify_audit;
    Unary<grpc::health::v1::HealthCheckRequest, grpc::health::v1::HealthCheckResponse> health;
  };

  FakeServer() : migrations_(handlers), health_(handlers) {
    std::string directory = (std::filesystem::temp_directory_path() / "migctl-XXXXXX").string();
    if (mkdtemp(directory.data()) == nullptr) std::abort();
    directory_ = directory;
    // gRPC's own health service would take the place of the fake one.
    grpc::EnableDefaultHealthCheckService(false);
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
    builder.RegisterService(&migrations_);
    builder.RegisterService(&health_);
    server_ = builder.BuildAndStart();
  }

  ~FakeServer() {
    Stop();
    std::filesystem::remove_all(directory_);
  }

  void Stop() { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return "unix:" + directory_ + "/socket"; }

  Handlers handlers;

 private:
  template <typename Function, typename... Arguments>
  static grpc::Status Answer(const Handler<Function>& handler, Arguments&&... arguments) {
    const Function function = handler.Get();
    if (function == nullptr) return {grpc::StatusCode::UNIMPLEMENTED, "not in this test"};
    return function(std::forward<Arguments>(arguments)...);
  }

  class Migrations : public migration::v1::MigrationService::Service {
   public:
    explicit Migrations(Handlers& handlers) : handlers_(handlers) {}

    grpc::Status Current(grpc::ServerContext*, const migration::v1::CurrentRequest* request,
                         migration::v1::CurrentResponse* response) override {
      return Answer(handlers_.current, *request, response);
    }
    grpc::Status History(grpc::ServerContext*, const migration::v1::HistoryRequest* request,
                         migration::v1::HistoryResponse* response) override {
      return Answer(handlers_.history, *request, response);
    }
    grpc::Status Heads(grpc::ServerContext*, const migration::v1::HeadsRequest* request,
                       migration::v1::HeadsResponse* response) override {
      return Answer(handlers_.heads, *request, response);
    }
    grpc::Status Plan(grpc::ServerContext*, const migration::v1::PlanRequest* request,
                      migration::v1::PlanResponse* response) override {
      return Answer(handlers_.plan, *request, response);
    }
    grpc::Status Show(grpc::ServerContext*, const migration::v1::ShowRequest* request,
                      migration::v1::ShowResponse* response) override {
      return Answer(handlers_.show, *request, response);
    }
    grpc::Status ComposeRevision(grpc::ServerContext*,
                                 const migration::v1::ComposeRevisionRequest* request,
                                 migration::v1::ComposeRevisionResponse* response) override {
      return Answer(handlers_.compose, *request, response);
    }
    grpc::Status RenderScript(grpc::ServerContext*,
                              const migration::v1::RenderScriptRequest* request,
                              Pieces* pieces) override {
      return Answer(handlers_.render, *request, pieces);
    }
    grpc::Status Upgrade(grpc::ServerContext* context, const migration::v1::UpgradeRequest* request,
                         Events* events) override {
      return Answer(handlers_.upgrade, context, *request, events);
    }
    grpc::Status Stamp(grpc::ServerContext* context, const migration::v1::StampRequest* request,
                       Events* events) override {
      return Answer(handlers_.stamp, context, *request, events);
    }
    grpc::Status ListOperations(grpc::ServerContext*,
                                const migration::v1::ListOperationsRequest* request,
                                migration::v1::ListOperationsResponse* response) override {
      return Answer(handlers_.list, *request, response);
    }
    grpc::Status WatchOperation(grpc::ServerContext* context,
                                const migration::v1::WatchOperationRequest* request,
                                Events* events) override {
      return Answer(handlers_.watch, context, *request, events);
    }
    grpc::Status GetOperation(grpc::ServerContext*,
                              const migration::v1::GetOperationRequest* request,
                              migration::v1::GetOperationResponse* response) override {
      return Answer(handlers_.get, *request, response);
    }
    grpc::Status Watch(grpc::ServerContext* context, const migration::v1::WatchRequest* request,
                       Events* events) override {
      return Answer(handlers_.watch_all, context, *request, events);
    }
    grpc::Status Wait(grpc::ServerContext*, const migration::v1::WaitRequest* request,
                      migration::v1::WaitResponse* response) override {
      return Answer(handlers_.wait, *request, response);
    }
    grpc::Status CancelOperation(grpc::ServerContext*,
                                 const migration::v1::CancelOperationRequest* request,
                                 migration::v1::CancelOperationResponse* response) override {
      return Answer(handlers_.cancel, *request, response);
    }
    grpc::Status WhoAmI(grpc::ServerContext*, const migration::v1::WhoAmIRequest* request,
                        migration::v1::WhoAmIResponse* response) override {
      return Answer(handlers_.who_am_i, *request, response);
    }
    grpc::Status ListAuditEntries(grpc::ServerContext*,
                                  const migration::v1::ListAuditEntriesRequest* request,
                                  migration::v1::ListAuditEntriesResponse* response) override {
      return Answer(handlers_.list_audit, *request, response);
    }
    grpc::Status VerifyAudit(grpc::ServerContext*, const migration::v1::VerifyAuditRequest* request,
                             migration::v1::VerifyAuditResponse* response) override {
      return Answer(handlers_.verify_audit, *request, response);
    }

   private:
    Handlers& handlers_;
  };

  class Health : public grpc::health::v1::Health::Service {
   public:
    explicit Health(Handlers& handlers) : handlers_(handlers) {}

    grpc::Status Check(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest* request,
                       grpc::health::v1::HealthCheckResponse* response) override {
      return Answer(handlers_.health, *request, response);
    }

   private:
    Handlers& handlers_;
  };

  std::string directory_;
  Migrations migrations_;
  Health health_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace migctl
