#include "client/operation_follower.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/call_error.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {
namespace {

using migration::v1::Error;
using migration::v1::Operation;
using migration::v1::OperationEvent;

constexpr absl::Duration kCancelTimeout = absl::Seconds(10);

std::string HowToFollow(const std::string& operation) {
  return absl::StrCat("follow it with: migctl operations watch ", operation);
}

// The codes with which gRPC itself ends a stream whose connection or server went away. OK is among
// them: a server that stops may end a stream before the operation is over.
bool IsBroken(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::CANCELLED ||
         code == grpc::StatusCode::UNKNOWN || code == grpc::StatusCode::INTERNAL ||
         code == grpc::StatusCode::OK;
}

}  // namespace

OperationFollower::OperationFollower(Connection& connection, Output& output, ProgressView& view,
                                     FollowSettings settings)
    : connection_(connection), output_(output), view_(view), settings_(std::move(settings)) {}

OperationFollower::~OperationFollower() {
  std::thread canceller;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    canceller = std::move(canceller_);
  }
  if (!canceller.joinable()) return;
  cancel_context_.TryCancel();
  canceller.join();
}

std::optional<Error> OperationFollower::Follow(const OpenStream& open) {
  OpenStream next = open;
  int attempt = 0;
  while (true) {
    const int64_t sequence_before = outcome_.last_sequence;
    const grpc::Status status = ReadStream(next);
    if (outcome_.finished.has_value()) return FinishedError(status);
    if (HasLeft()) return LeftError();
    if (outcome_.last_sequence > sequence_before) attempt = 0;
    if (!CanResume(status) || attempt == settings_.max_attempts) return StreamError(status);

    WaitBeforeAttempt(attempt++);
    if (HasLeft()) return LeftError();
    next = WatchAgain();
  }
}

grpc::Status OperationFollower::ReadStream(const OpenStream& open) {
  grpc::ClientContext context;
  if (connection_.command_deadline() != absl::InfiniteFuture()) {
    context.set_deadline(absl::ToChronoTime(connection_.command_deadline()));
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (left_) return grpc::Status::CANCELLED;
    context_ = &context;
  }
  const Reader reader = open(connection_.migrations(), &context);
  OperationEvent event;
  while (reader->Read(&event)) Receive(event);
  grpc::Status status = reader->Finish();

  const std::lock_guard<std::mutex> lock(mutex_);
  context_ = nullptr;
  return status;
}

void OperationFollower::Receive(const OperationEvent& event) {
  // A replay after a broken stream may overlap with what was seen before.
  if (event.sequence() <= outcome_.last_sequence) return;
  view_.Show(event);
  const std::lock_guard<std::mutex> lock(mutex_);
  outcome_.Add(event);
  if (interrupts_ > 0 && settings_.cancel_on_interrupt) StartCancel();
}

bool OperationFollower::CanResume(const grpc::Status& status) {
  if (outcome_.operation.empty()) return false;
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) return true;
  return IsBroken(status.error_code()) &&
         !HasServiceDetails(ErrorFromStatus(status, connection_.server()));
}

void OperationFollower::WaitBeforeAttempt(int attempt) {
  const absl::Duration backoff = settings_.first_backoff * (1 << attempt);
  output_.Note(absl::StrCat("the connection to migd broke; watching operation ",
                            Escape(outcome_.operation), " again in ", ShortDuration(backoff)));
  std::unique_lock<std::mutex> lock(mutex_);
  left_changed_.wait_for(lock, absl::ToChronoMilliseconds(backoff), [this] { return left_; });
}

OperationFollower::OpenStream OperationFollower::WatchAgain() const {
  migration::v1::WatchOperationRequest request;
  request.set_operation(outcome_.operation);
  request.set_after_sequence(outcome_.last_sequence);
  return [request](Connection::Migrations& migrations, grpc::ClientContext* context) {
    return migrations.WatchOperation(context, request);
  };
}

std::optional<Error> OperationFollower::FinishedError(const grpc::Status& status) const {
  const auto& finished = *outcome_.finished;
  if (finished.state() == Operation::STATE_SUCCEEDED) return std::nullopt;
  if (finished.has_error()) return finished.error();
  if (!status.ok()) return ErrorFromStatus(status, connection_.server());
  Error error;
  error.set_code(finished.state() == Operation::STATE_CANCELLED ? "CANCELLED" : "UNKNOWN");
  error.set_message(
      absl::StrCat("operation ", outcome_.operation, " ended as ", StateName(finished.state())));
  return error;
}

Error OperationFollower::LeftError() const {
  Error error;
  error.set_code("CANCELLED");
  if (outcome_.operation.empty()) {
    error.set_message("interrupted before migd said whether it accepts the operation");
    error.set_hint("see whether it did: migctl operations list");
  } else {
    error.set_message(absl::StrCat("left operation ", outcome_.operation,
                                   settings_.cancel_on_interrupt
                                       ? " before its end, which migd was asked to bring about"
                                       : ", which goes on in the server"));
    error.set_hint(HowToFollow(outcome_.operation));
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
  Error error = ErrorFromStatus(status, connection_.server());
  if (ExitCodeOf(error) != ExitCode::kUnreachable) return error;
  if (!outcome_.operation.empty()) {
    error.set_message(absl::StrCat(error.message(), "; operation ", outcome_.operation,
                                   " goes on in the server"));
    error.set_hint(HowToFollow(outcome_.operation));
  } else if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED &&
             !settings_.request_id.empty()) {
    error.set_hint(absl::StrCat("migd may have accepted it; the same command with --request-id ",
                                settings_.request_id, " attaches to it then"));
  }
  return error;
}

void OperationFollower::Interrupt() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++interrupts_;
  if (interrupts_ > 1 || !settings_.cancel_on_interrupt) {
    Leave();
    return;
  }
  output_.Note("interrupted: asking migd to cancel the operation; once more leaves at once");
  StartCancel();
}

bool OperationFollower::HasLeft() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return left_;
}

void OperationFollower::Leave() {
  left_ = true;
  if (context_ != nullptr) context_->TryCancel();
  left_changed_.notify_all();
}

void OperationFollower::StartCancel() {
  if (outcome_.operation.empty() || canceller_.joinable()) return;
  // A thread of its own, so that a second Ctrl-C is heard while the call is under way.
  canceller_ = std::thread([this, operation = outcome_.operation] { AskToCancel(operation); });
}

void OperationFollower::AskToCancel(const std::string& operation) {
  migration::v1::CancelOperationRequest request;
  request.set_operation(operation);
  migration::v1::CancelOperationResponse response;
  cancel_context_.set_deadline(absl::ToChronoTime(absl::Now() + kCancelTimeout));
  const grpc::Status status =
      connection_.migrations().CancelOperation(&cancel_context_, request, &response);
  if (status.ok() || status.error_code() == grpc::StatusCode::CANCELLED) return;
  const Error error = ErrorFromStatus(status, connection_.server());
  output_.Warning(absl::StrCat("could not ask migd to cancel: ", Escape(error.message()),
                               "; Ctrl-C again leaves the operation running"));
}

}  // namespace migctl
