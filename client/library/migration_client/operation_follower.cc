#include "migration_client/operation_follower.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "migration_client/error.h"
#include "migration_client/proto_time.h"

namespace migration_client {
namespace {

using migration::v1::Error;
using migration::v1::Operation;
using migration::v1::OperationEvent;

constexpr absl::Duration kCancelTimeout = absl::Seconds(10);
constexpr int kMissedHeartbeats = 3;

std::string HowToFollow(const std::string& operation) {
  return absl::StrCat("follow it with: migctl operations watch ", operation);
}

bool IsDraining(const Error& error) { return error.reason() == "DRAINING"; }

}  // namespace

OperationFollower::OperationFollower(Connection& connection, OperationObserver& observer,
                                     FollowSettings settings)
    : connection_(connection),
      observer_(observer),
      settings_(std::move(settings)),
      reader_(connection, kMissedHeartbeats * settings_.heartbeat_interval) {}

OperationFollower::~OperationFollower() {
  std::thread canceller;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    over_ = true;
    if (cancel_context_ != nullptr) cancel_context_->TryCancel();
    changed_.notify_all();
    canceller = std::move(canceller_);
  }
  if (canceller.joinable()) canceller.join();
}

std::optional<Error> OperationFollower::Follow(const OpenStream& open) {
  Backoff backoff(settings_.first_pause, settings_.longest_pause);
  OpenStream next = open;
  while (true) {
    const int64_t before = messages_;
    const grpc::Status status =
        reader_.Read(next, [this](const OperationEvent& event) { return Receive(event); });
    if (outcome_.finished.has_value()) return FinishedError(status);
    if (settings_.detach && !outcome_.operation.empty()) return std::nullopt;
    if (reader_.stopped()) return LeftError();
    if (!CanResume(status)) return StreamError(status);
    if (HasNothingToCancel()) return LeftError();

    if (messages_ > before || !reached_) {
      lost_since_ = absl::Now();
      backoff.Reset();
      told_.clear();
    }
    const absl::Duration pause = backoff.Next();
    const absl::Time give_up = std::min(lost_since_ + settings_.patience, connection_.deadline());
    if (absl::Now() + pause > give_up) return StreamError(status);
    reached_ = true;
    if (!outcome_.operation.empty()) next = WatchAgain();
    PauseAfter(status, pause);
    if (reader_.stopped() || HasNothingToCancel()) return LeftError();
  }
}

bool OperationFollower::Receive(const OperationEvent& event) {
  ++messages_;
  if (!told_.empty()) {
    const std::lock_guard<std::mutex> one_at_a_time(observer_mutex_);
    observer_.OnNote("connected to migd again");
    told_.clear();
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    // A replay after a broken stream may overlap with what was seen before.
    if (!outcome_.Add(event)) return true;
  }
  if (!event.has_heartbeat() || settings_.show_heartbeats) {
    const std::lock_guard<std::mutex> one_at_a_time(observer_mutex_);
    observer_.OnEvent(event);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  if (cancel_wanted_) StartCancel();
  return !settings_.detach || outcome_.operation.empty();
}

bool OperationFollower::CanResume(const grpc::Status& status) const {
  const Error error = ErrorFromStatus(status, connection_.server());
  // A server that stops may end a stream with OK before the operation is over.
  const bool broken = status.ok() || IsBroken(status);
  if (!outcome_.operation.empty()) {
    return broken || status.error_code() == grpc::StatusCode::UNAVAILABLE;
  }
  if (settings_.request_id.empty()) return false;
  // Where nobody has answered so far, the address is more likely to be wrong.
  const bool is_awaited = reached_ || settings_.wait_for_server;
  if (!is_awaited && NeverConnected(status)) return false;
  const bool may_pass = is_awaited && status.error_code() == grpc::StatusCode::UNAVAILABLE;
  return broken || may_pass || IsDraining(error);
}

void OperationFollower::PauseAfter(const grpc::Status& status, absl::Duration pause) {
  std::string what = absl::StrCat("the connection to migd broke; watching operation ",
                                  outcome_.operation, " again");
  if (outcome_.operation.empty()) {
    const Error error = connection_.Describe(status);
    what = absl::StrCat(status.ok() ? "migd ended the stream" : error.message(),
                        "; repeating the call");
  }
  if (what != told_) observer_.OnNote(absl::StrCat(what, " in ", absl::FormatDuration(pause)));
  told_ = std::move(what);
  reader_.Pause(pause);
}

OpenStream OperationFollower::WatchAgain() const {
  migration::v1::WatchOperationRequest request;
  request.set_operation(outcome_.operation);
  request.set_after_sequence(outcome_.last_sequence);
  *request.mutable_heartbeat_interval() = ToProto(settings_.heartbeat_interval);
  return Opening(request);
}

std::optional<Error> OperationFollower::FinishedError(const grpc::Status& status) const {
  const auto& finished = *outcome_.finished;
  if (finished.state() == Operation::STATE_SUCCEEDED) return std::nullopt;
  if (finished.has_error()) return finished.error();
  if (!status.ok()) return connection_.Describe(status);
  Error error;
  error.set_code(finished.state() == Operation::STATE_CANCELLED ? "CANCELLED" : "UNKNOWN");
  error.set_message(
      absl::StrCat("operation ", outcome_.operation, " ended as ", StateName(finished.state())));
  return error;
}

Error OperationFollower::LeftError() {
  const std::lock_guard<std::mutex> lock(mutex_);
  Error error;
  error.set_code("CANCELLED");
  if (outcome_.operation.empty()) {
    error.set_message("interrupted before migd said whether it accepts the operation");
    error.set_hint("see whether it did: migctl operations list");
    return error;
  }
  const std::string left = absl::StrCat("left operation ", outcome_.operation);
  error.set_hint(HowToFollow(outcome_.operation));
  switch (cancel_state_) {
    case CancelState::kNotAsked:
      error.set_message(absl::StrCat(left, ", which goes on in the server"));
      break;
    case CancelState::kAsking:
      error.set_message(
          absl::StrCat(left, " before migd said whether it cancels it: it may go on"));
      break;
    case CancelState::kAccepted:
      error.set_message(absl::StrCat(left, " before its end; migd is cancelling it"));
      break;
    case CancelState::kRefused:
      error.set_message(
          absl::StrCat(left, ", which goes on in the server: migd does not cancel it"));
      break;
  }
  return error;
}

Error OperationFollower::StreamError(const grpc::Status& status) const {
  if (status.ok()) {
    Error error;
    error.set_code("UNAVAILABLE");
    error.set_message("migd ended the stream before the operation was over");
    error.set_hint(outcome_.operation.empty() ? "try again" : HowToFollow(outcome_.operation));
    return error;
  }
  Error error = connection_.Describe(status);
  const bool unreachable = error.code() == "UNAVAILABLE" || error.code() == "DEADLINE_EXCEEDED";
  if (!unreachable) return error;
  if (!outcome_.operation.empty()) {
    error.set_message(absl::StrCat(error.message(), "; operation ", outcome_.operation,
                                   " goes on in the server"));
    error.set_hint(HowToFollow(outcome_.operation));
  } else if (!settings_.request_id.empty() && !HasServiceDetails(error) &&
             (reached_ || !NeverConnected(status))) {
    const std::string how =
        settings_.how_to_repeat.empty()
            ? absl::StrCat("the same command with --request-id ", settings_.request_id)
            : settings_.how_to_repeat;
    error.set_hint(absl::StrCat("migd may have accepted it; ", how, " attaches to it then"));
  }
  return error;
}

void OperationFollower::Cancel() {
  const std::lock_guard<std::mutex> lock(mutex_);
  cancel_wanted_ = true;
  StartCancel();
}

bool OperationFollower::HasNothingToCancel() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return cancel_wanted_ && outcome_.operation.empty();
}

void OperationFollower::StartCancel() {
  if (outcome_.operation.empty() || canceller_.joinable()) return;
  cancel_state_ = CancelState::kAsking;
  // A thread of its own, so that a second Ctrl-C is heard while the call is under way.
  canceller_ = std::thread([this, operation = outcome_.operation] { AskToCancel(operation); });
}

void OperationFollower::AskToCancel(const std::string& operation) {
  Backoff backoff(settings_.first_pause, settings_.longest_pause);
  bool told = false;
  while (true) {
    const grpc::Status status = CallCancel(operation);
    const Error error = ErrorFromStatus(status, connection_.server());
    // The server may be back soon, or another one be there.
    const bool again = status.error_code() == grpc::StatusCode::UNAVAILABLE || IsBroken(status);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (over_) return;
      if (!again) cancel_state_ = status.ok() ? CancelState::kAccepted : CancelState::kRefused;
    }
    if (!status.ok() && !told) {
      const std::lock_guard<std::mutex> one_at_a_time(observer_mutex_);
      observer_.OnWarning(absl::StrCat("could not ask migd to cancel: ", error.message(),
                                       again ? "; trying again" : "; it goes on"));
    }
    if (!again) return;
    told = true;
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, absl::ToChronoMilliseconds(backoff.Next()), [this] { return over_; });
    if (over_) return;
  }
}

grpc::Status OperationFollower::CallCancel(const std::string& operation) {
  migration::v1::CancelOperationRequest request;
  request.set_operation(operation);
  migration::v1::CancelOperationResponse response;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kCancelTimeout));
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (over_) return grpc::Status::CANCELLED;
    cancel_context_ = &context;
  }
  const grpc::Status status =
      connection_.migrations().CancelOperation(&context, request, &response);
  const std::lock_guard<std::mutex> lock(mutex_);
  cancel_context_ = nullptr;
  return status;
}

}  // namespace migration_client
