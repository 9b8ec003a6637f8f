// The connection to migd: the channel, the stubs on it, and deadlines.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "client/call_error.h"
#include "client/invocation.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "migration/v1/migration_service.grpc.pb.h"

namespace migctl {

// A channel to the server of the options. It connects on the first call; to a server that does not
// answer, a call fails at once instead of waiting for it. Thread-safe.
class Connection {
 public:
  using Migrations = migration::v1::MigrationService::StubInterface;
  using Health = grpc::health::v1::Health::StubInterface;

  explicit Connection(const GlobalOptions& options);

  // Calls a method that answers at once, such as &Connection::Migrations::Current. Fills `response`
  // and returns nothing, or returns why it failed.
  template <typename Request, typename Response>
  std::optional<migration::v1::Error> Call(grpc::Status (Migrations::*method)(grpc::ClientContext*,
                                                                              const Request&,
                                                                              Response*),
                                           const Request& request, Response& response) {
    return Call(*migrations_, method, request, response);
  }

  template <typename Request, typename Response>
  std::optional<migration::v1::Error> Call(grpc::Status (Health::*method)(grpc::ClientContext*,
                                                                          const Request&,
                                                                          Response*),
                                           const Request& request, Response& response) {
    return Call(*health_, method, request, response);
  }

  // For streams, whose contexts belong to the caller.
  Migrations& migrations() { return *migrations_; }

  // The deadline that the user set for the whole command; infinite if none.
  absl::Time command_deadline() const { return command_deadline_; }

  const std::string& server() const { return server_; }

 private:
  template <typename Stub, typename Request, typename Response>
  std::optional<migration::v1::Error> Call(Stub& stub,
                                           grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                        const Request&, Response*),
                                           const Request& request, Response& response) {
    grpc::ClientContext context;
    SetUnaryDeadline(context);
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (status.ok()) return std::nullopt;
    return ErrorFromStatus(status, server_);
  }

  void SetUnaryDeadline(grpc::ClientContext& context) const;

  const std::string server_;
  const absl::Time command_deadline_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<Migrations> migrations_;
  const std::unique_ptr<Health> health_;
};

// The target that gRPC is given for an address as the user writes it: a host without a port gets
// migd's.
std::string ChannelTarget(absl::string_view server);

}  // namespace migctl
