#include "client/feed_follower.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/call_error.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {
namespace {

using migration::v1::Error;
using migration::v1::OperationEvent;

constexpr int kMissedHeartbeats = 3;

Error ErrorOf(const grpc::Status& status, const std::string& server) {
  if (!status.ok()) return ErrorFromStatus(status, server);
  Error error;
  error.set_code("UNAVAILABLE");
  error.set_message(absl::StrCat("migd at ", server, " ended the stream"));
  error.set_hint("try again");
  return error;
}

}  // namespace

FeedFollower::FeedFollower(Connection& connection, Output& output, FeedSettings settings, Show show)
    : connection_(connection),
      output_(output),
      settings_(std::move(settings)),
      show_(std::move(show)),
      reader_(connection, kMissedHeartbeats * settings_.heartbeat_interval) {}

std::optional<Error> FeedFollower::Follow() {
  Backoff backoff(settings_.first_pause, settings_.longest_pause);
  std::string told;
  while (true) {
    const int64_t before = messages_;
    const grpc::Status status = reader_.Read(Open(), [this](const OperationEvent& event) {
      Receive(event);
      return true;
    });
    if (reader_.stopped()) return std::nullopt;
    const Error error = ErrorOf(status, connection_.server());
    if (messages_ > before) {
      backoff.Reset();
      told.clear();
    }
    const absl::Duration pause = backoff.Next();
    if (!CanResume(status) || absl::Now() + pause > connection_.command_deadline()) return error;
    if (error.message() != told) {
      output_.Note(
          absl::StrCat(Escape(error.message()), "; watching again in ", ShortDuration(pause)));
    }
    told = error.message();
    reader_.Pause(pause);
    if (reader_.stopped()) return std::nullopt;
  }
}

OpenStream FeedFollower::Open() const {
  migration::v1::WatchRequest request;
  request.set_database(settings_.database);
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
  if (messages_ == 0 && NeverConnected(status)) return false;
  return status.error_code() == grpc::StatusCode::UNAVAILABLE || IsBroken(status);
}

}  // namespace migctl
