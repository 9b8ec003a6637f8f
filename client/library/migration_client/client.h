// A client of migd for other services: at start-up they bring their database to a revision, or wait
// until somebody has.
//
//     auto client = migration_client::Client::Connect({.server = "unix:/run/migd/migd.sock"});
//     if (!client.ok()) return Fail(client.error());
//     migration::v1::UpgradeRequest request;
//     request.set_target("head");
//     const auto outcome = client->Upgrade(request);
//     if (!outcome.ok()) return Fail(outcome.error());  // its code, reason, message and hint
//
// Every call is safe to repeat, and is repeated while the server cannot be reached: operations by
// their request_id, streams from the last event that has come.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "migration/v1/migration_service.pb.h"
#include "migration_client/connect_options.h"
#include "migration_client/connection.h"
#include "migration_client/feed_follower.h"
#include "migration_client/operation_follower.h"
#include "migration_client/operation_outcome.h"
#include "migration_client/result.h"
#include "migration_client/wait.h"

namespace migration_client {

// Thread-safe. A call blocks until it is over. What is not here can be called on the stub of
// connection(), and an operation that is to be cancelled or left be followed with
// OperationFollower.
class Client {
 public:
  // INVALID_ARGUMENT if the options cannot be used. Whether the server is there is not asked.
  static Result<Client> Connect(ConnectOptions options);

  // The revisions that a database is at; its name may be empty if the server has one.
  Result<migration::v1::CurrentResponse> Current(const std::string& database = "");

  // Wait, as described there.
  Result<migration::v1::WaitResponse> Wait(const WaitSettings& settings = {});

  // Runs an operation and follows it to its end. A request without a request_id gets one. What
  // happens is told to `observer`, if there is one. Returns the outcome of an operation that
  // succeeded, otherwise the error: the operation's own, or UNAVAILABLE when the server was lost
  // for longer than `settings.patience`; the operation goes on in the server then. An operation
  // that failed because its database was UNAVAILABLE is started anew, within the same patience.
  // settings.request_id is not used.
  Result<OperationOutcome> Upgrade(migration::v1::UpgradeRequest request,
                                   OperationObserver* observer = nullptr,
                                   FollowSettings settings = {});
  Result<OperationOutcome> Downgrade(migration::v1::DowngradeRequest request,
                                     OperationObserver* observer = nullptr,
                                     FollowSettings settings = {});
  Result<OperationOutcome> Stamp(migration::v1::StampRequest request,
                                 OperationObserver* observer = nullptr,
                                 FollowSettings settings = {});

  // Follows an operation that somebody has started, from the event after a sequence on. As Upgrade.
  Result<OperationOutcome> WatchOperation(const std::string& operation, int64_t after_sequence = 0,
                                          OperationObserver* observer = nullptr,
                                          FollowSettings settings = {});

  // Follows the operations of all databases until `show` returns false, or the server refuses.
  // Returns the error in the latter case.
  using Show = std::function<bool(const migration::v1::OperationEvent&)>;
  std::optional<migration::v1::Error> Watch(const FeedSettings& settings, const Show& show);

  Connection& connection() { return *connection_; }

 private:
  explicit Client(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}

  std::unique_ptr<Connection> connection_;
};

}  // namespace migration_client
