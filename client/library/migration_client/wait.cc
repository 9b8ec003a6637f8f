#include "migration_client/wait.h"

#include <algorithm>
#include <optional>

#include "absl/time/clock.h"
#include "migration_client/backoff.h"
#include "migration_client/proto_time.h"

namespace migration_client {
namespace {

using migration::v1::Error;
using migration::v1::WaitRequest;
using migration::v1::WaitResponse;

// How long the server may take beyond the time that it was given, and to look once.
constexpr absl::Duration kGrace = absl::Seconds(2);
constexpr absl::Duration kLookTimeout = absl::Seconds(30);

// One wait, over as many calls as it takes.
class Waiter {
 public:
  Waiter(Connection& connection, const WaitSettings& settings)
      : connection_(connection),
        settings_(settings),
        looks_once_(settings.patience == absl::ZeroDuration()),
        left_(settings.patience),
        deadline_(absl::Now() + left_) {
    request_.set_database(settings.database);
    request_.set_revision(settings.revision);
  }

  Result<WaitResponse> Run() {
    WaitResponse response;
    while (true) {
      const grpc::Status status = Call(response);
      if (status.ok()) return response;
      Error error = connection_.Describe(status);
      const absl::Duration pause = backoff_.Next();
      if (!MayHeal(status) || looks_once_ || absl::Now() + pause >= LastMoment()) {
        if (!HasServiceDetails(error) && error.code() == "DEADLINE_EXCEEDED") {
          error.set_hint("see whether it runs, or wait longer with --for");
        }
        return error;
      }
      Tell(error);
      absl::SleepFor(pause);
      left_ = std::max(deadline_ - absl::Now(), absl::Milliseconds(1));
    }
  }

 private:
  grpc::Status Call(WaitResponse& response) {
    grpc::ClientContext context;
    absl::Time deadline = absl::Now() + kLookTimeout;
    if (!looks_once_) deadline = deadline_ + kGrace;
    deadline = std::min(deadline, connection_.deadline());
    if (deadline != absl::InfiniteFuture()) context.set_deadline(absl::ToChronoTime(deadline));
    if (deadline_ != absl::InfiniteFuture()) *request_.mutable_timeout() = ToProto(left_);
    return connection_.migrations().Wait(&context, request_, &response);
  }

  // A server that is not there, starts or stops, may be there again.
  static bool MayHeal(const grpc::Status& status) {
    return status.error_code() == grpc::StatusCode::UNAVAILABLE || IsBroken(status);
  }

  absl::Time LastMoment() const { return std::min(deadline_, connection_.deadline()); }

  // Says why it goes on waiting, unless it has just said so.
  void Tell(const Error& error) {
    if (error.message() == told_) return;
    told_ = error.message();
    if (settings_.note != nullptr) settings_.note(told_);
  }

  Connection& connection_;
  const WaitSettings& settings_;
  const bool looks_once_;
  // What the next call may take; the error tells it.
  absl::Duration left_;
  const absl::Time deadline_;
  WaitRequest request_;
  Backoff backoff_{absl::Milliseconds(250), absl::Seconds(2)};
  std::string told_;
};

}  // namespace

Result<WaitResponse> Wait(Connection& connection, const WaitSettings& settings) {
  return Waiter(connection, settings).Run();
}

}  // namespace migration_client
