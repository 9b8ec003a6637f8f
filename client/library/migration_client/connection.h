// The connection to migd: the channel, the stubs on it, deadlines, and who calls.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "migration/v1/migration_service.grpc.pb.h"
#include "migration_client/connect_options.h"
#include "migration_client/error.h"
#include "migration_client/result.h"

namespace migration_client {

// A channel to the server of the options. It connects on the first call; to a server that does not
// answer, a call fails at once instead of waiting for it. Every call, also one that is made on a
// stub, carries the token and the traceparent of the options. Thread-safe.
class Connection {
 public:
  using Migrations = migration::v1::MigrationService::StubInterface;
  using Health = grpc::health::v1::Health::StubInterface;

  // INVALID_ARGUMENT if the options do not fit together or a file cannot be used: nothing was sent
  // then. Whether the server is there is not asked.
  static Result<std::unique_ptr<Connection>> Open(ConnectOptions options);

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

  // What a call that ended with `status`, which is not OK, failed with. Where gRPC only knows that
  // a connection failed, looks with a connection of its own whether TLS is to blame; that can take
  // some seconds.
  migration::v1::Error Describe(const grpc::Status& status) const;

  // The deadline of the options.
  absl::Time deadline() const { return options_.deadline; }

  const std::string& server() const { return options_.server; }

 private:
  Connection(ConnectOptions options, std::shared_ptr<grpc::Channel> channel);

  template <typename Stub, typename Request, typename Response>
  std::optional<migration::v1::Error> Call(Stub& stub,
                                           grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                        const Request&, Response*),
                                           const Request& request, Response& response) {
    grpc::ClientContext context;
    SetUnaryDeadline(context);
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (status.ok()) return std::nullopt;
    return Describe(status);
  }

  void SetUnaryDeadline(grpc::ClientContext& context) const;

  const ConnectOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<Migrations> migrations_;
  const std::unique_ptr<Health> health_;
};

// The target that gRPC is given for an address as the user writes it: a host without a port gets
// migd's.
std::string ChannelTarget(absl::string_view server);

}  // namespace migration_client
