#include "migration_client/feed_follower.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "migration_client/error.h"
#include "migration_client/proto_time.h"

namespace migration_client {
namespace {

using migration::v1::Error;
using migration::v1::OperationEvent;

constexpr int kMissedHeartbeats = 3;

Error ErrorOf(const grpc::Status& status, const Connection& connection) {
  if (!status.ok()) return connection.Describe(status);
  Error error;
  error.set_code("UNAVAILABLE");
  error.set_message(absl::StrCat("migd at ", connection.server(), " ended the stream"));
  error.set_hint("try again");
  return error;
}

}  // namespace

FeedFollower::FeedFollower(Connection& connection, FeedSettings settings, Show show, Note note)
    : connection_(connection),
      settings_(std::move(settings)),
      show_(std::move(show)),
      note_(std::move(note)),
      reader_(connection, kMissedHeartbeats * settings_.heartbeat_interval) {}

std::optional<Error> FeedFollower::Follow() {
  Backoff backoff(settings_.first_pause, settings_.longest_pause);
  std::string told;
  while (true) {
    const int64_t before = messages_;
    const grpc::Status status = reader_.Read(Open(), [&](const OperationEvent& event) {
      if (!std::exchange(told, "").empty()) note_("connected to migd again");
      Receive(event);
      return true;
    });
    if (reader_.stopped()) return std::nullopt;
    const Error error = ErrorOf(status, connection_);
    if (messages_ > before) {
      backoff.Reset();
      told.clear();
    }
    const absl::Duration pause = backoff.Next();
    if (!CanResume(status) || absl::Now() + pause > connection_.deadline()) return error;
    if (error.message() != told) {
      note_(absl::StrCat(error.message(), "; watching again in ", absl::FormatDuration(pause)));
    }
    told = error.message();
    reader_.Pause(pause);
    if (reader_.stopped()) return std::nullopt;
  }
}

OpenStream FeedFollower::Open() const {
  migration::v1::WatchRequest request;
  request.set_database(settings_.database);
  request.set_batch_events(true);
  *request.mutable_heartbeat_interval() = ToProto(settings_.heartbeat_interval);
  if (last_time_.has_value()) *request.mutable_finished_since() = *last_time_;
  return [request](Connection::Migrations& migrations, grpc::ClientContext* context) {
    return migrations.Watch(context, request);
  };
}

void FeedFollower::Receive(const OperationEvent& event) {
  ++messages_;
  if (event.has_time() && (!last_time_.has_value() || ToTime(event.time()) > ToTime(*last_time_))) {
    last_time_ = event.time();
  }
  show_(event);
}

bool FeedFollower::CanResume(const grpc::Status& status) const {
  if (status.ok()) return true;
  // A server that was never there is more likely to be at another address.
  if (messages_ == 0 && !settings_.wait_for_server && NeverConnected(status)) return false;
  return status.error_code() == grpc::StatusCode::UNAVAILABLE || IsBroken(status);
}

}  // namespace migration_client
