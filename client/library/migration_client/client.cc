#include "migration_client/client.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "migration_client/backoff.h"
#include "migration_client/proto_time.h"
#include "migration_client/request_id.h"

namespace migration_client {
namespace {

using migration::v1::Error;

Result<OperationOutcome> Follow(Connection& connection, const OpenStream& open,
                                OperationObserver* observer, const FollowSettings& settings) {
  OperationObserver nobody;
  OperationFollower follower(connection, observer != nullptr ? *observer : nobody, settings);
  if (auto error = follower.Follow(open); error.has_value()) return std::move(*error);
  return follower.outcome();
}

// Follows the operation that `request` makes.
template <typename Request>
Result<OperationOutcome> RunOnce(Connection& connection, const Request& request,
                                 OperationObserver* observer, FollowSettings settings,
                                 bool& ended) {
  // Sees whether the operation came to an end of its own.
  class Ending : public OperationObserver {
   public:
    Ending(OperationObserver* observer, bool& ended) : observer_(observer), ended_(ended) {}
    void OnEvent(const migration::v1::OperationEvent& event) override {
      ended_ = event.has_operation_finished();
      if (observer_ != nullptr) observer_->OnEvent(event);
    }
    void OnNote(const std::string& line) override {
      if (observer_ != nullptr) observer_->OnNote(line);
    }
    void OnWarning(const std::string& line) override {
      if (observer_ != nullptr) observer_->OnWarning(line);
    }

   private:
    OperationObserver* const observer_;
    bool& ended_;
  };
  Ending ending(observer, ended);
  settings.request_id = request.request_id();
  return Follow(connection, Opening(request), &ending, settings);
}

// Follows operations that `request` makes until one has ended otherwise than by a database that was
// not there.
template <typename Request>
Result<OperationOutcome> RunOperation(Connection& connection, Request request,
                                      OperationObserver* observer, const FollowSettings& settings) {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  Backoff backoff(settings.first_pause, settings.longest_pause);
  const absl::Time give_up = std::min(absl::Now() + settings.patience, connection.deadline());
  while (true) {
    bool ended = false;
    auto outcome = RunOnce(connection, request, observer, settings, ended);
    const bool may_pass = ended && !outcome.ok() && outcome.error().code() == "UNAVAILABLE";
    const absl::Duration pause = backoff.Next();
    if (!may_pass || absl::Now() + pause > give_up) return outcome;
    if (observer != nullptr) observer->OnNote(outcome.error().message() + "; starting anew");
    absl::SleepFor(pause);
    // The id belongs to the operation that has failed.
    request.set_request_id(NewRequestId());
  }
}

}  // namespace

Result<Client> Client::Connect(ConnectOptions options) {
  auto connection = Connection::Open(std::move(options));
  if (!connection.ok()) return connection.error();
  return Client(std::move(*connection));
}

Result<migration::v1::CurrentResponse> Client::Current(const std::string& database) {
  migration::v1::CurrentRequest request;
  request.set_database(database);
  migration::v1::CurrentResponse response;
  if (auto error = connection_->Call(&Connection::Migrations::Current, request, response);
      error.has_value()) {
    return std::move(*error);
  }
  return response;
}

Result<migration::v1::WaitResponse> Client::Wait(const WaitSettings& settings) {
  return migration_client::Wait(*connection_, settings);
}

Result<OperationOutcome> Client::Upgrade(migration::v1::UpgradeRequest request,
                                         OperationObserver* observer, FollowSettings settings) {
  return RunOperation(*connection_, std::move(request), observer, settings);
}

Result<OperationOutcome> Client::Downgrade(migration::v1::DowngradeRequest request,
                                           OperationObserver* observer, FollowSettings settings) {
  return RunOperation(*connection_, std::move(request), observer, settings);
}

Result<OperationOutcome> Client::Stamp(migration::v1::StampRequest request,
                                       OperationObserver* observer, FollowSettings settings) {
  return RunOperation(*connection_, std::move(request), observer, settings);
}

Result<OperationOutcome> Client::WatchOperation(const std::string& operation,
                                                int64_t after_sequence, OperationObserver* observer,
                                                FollowSettings settings) {
  migration::v1::WatchOperationRequest request;
  request.set_operation(operation);
  request.set_after_sequence(after_sequence);
  *request.mutable_heartbeat_interval() = ToProto(settings.heartbeat_interval);
  return Follow(*connection_, Opening(request), observer, settings);
}

std::optional<Error> Client::Watch(const FeedSettings& settings, const Show& show) {
  FeedFollower* running = nullptr;
  FeedFollower follower(
      *connection_, settings,
      [&](const migration::v1::OperationEvent& event) {
        if (!show(event)) running->Leave();
      },
      [](const std::string&) {});
  running = &follower;
  return follower.Follow();
}

}  // namespace migration_client
