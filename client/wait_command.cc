// wait: a gate for what needs a database at a revision.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/backoff.h"
#include "client/call_error.h"
#include "client/commands.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {
namespace {

using migration::v1::Error;
using migration::v1::WaitRequest;
using migration::v1::WaitResponse;

// How long the server may take beyond the time that it was given, and to look once.
constexpr absl::Duration kGrace = absl::Seconds(2);
constexpr absl::Duration kLookTimeout = absl::Seconds(30);

// One wait, over as many calls as it takes.
class Wait {
 public:
  Wait(const WaitCommand& command, Session& session)
      : session_(session),
        looks_once_(command.patience == absl::ZeroDuration()),
        left_(command.patience.value_or(absl::InfiniteDuration())),
        deadline_(absl::Now() + left_) {
    request_.set_database(session.database);
    request_.set_revision(command.revision);
  }

  // Fills in `response`, or returns why it could not be waited for any longer.
  std::optional<Error> Run(WaitResponse& response) {
    while (true) {
      const grpc::Status status = Call(response);
      if (status.ok()) return std::nullopt;
      Error error = ErrorFromStatus(status, session_.connection.server());
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
    deadline = std::min(deadline, session_.connection.command_deadline());
    if (deadline != absl::InfiniteFuture()) context.set_deadline(absl::ToChronoTime(deadline));
    if (deadline_ != absl::InfiniteFuture()) {
      *request_.mutable_timeout() = ToProto(left_);
    }
    return session_.connection.migrations().Wait(&context, request_, &response);
  }

  // A server that is not there, starts or stops, may be there again.
  static bool MayHeal(const grpc::Status& status) {
    return status.error_code() == grpc::StatusCode::UNAVAILABLE || IsBroken(status);
  }

  absl::Time LastMoment() const {
    return std::min(deadline_, session_.connection.command_deadline());
  }

  // Says why it goes on waiting, unless it has just said so.
  void Tell(const Error& error) {
    if (error.message() == told_) return;
    told_ = error.message();
    session_.output.Note(absl::StrCat(Escape(told_), "; trying again"));
  }

  Session& session_;
  const bool looks_once_;
  // What the next call may take; the error tells it.
  absl::Duration left_;
  const absl::Time deadline_;
  WaitRequest request_;
  Backoff backoff_{absl::Milliseconds(250), absl::Seconds(2)};
  std::string told_;
};

std::string Place(const WaitResponse& response) {
  return absl::StrCat(Escape(response.database()), " is at ",
                      NameList(response.revisions(), "base"));
}

// What is known of a database that somebody with other files has migrated.
std::string Unknown(const WaitResponse& response) {
  return absl::StrCat(Place(response), ", and migd has no file of ",
                      NameList(response.unknown_revisions()), ": whether it has ",
                      NameList(response.target_revisions(), "base"), " is not known");
}

Error NotKnown(const WaitResponse& response) {
  Error error;
  error.set_code("FAILED_PRECONDITION");
  error.set_message(Unknown(response));
  error.set_hint("give migd the files that the database was migrated with");
  return error;
}

std::string Text(const WaitResponse& response) {
  const bool beyond = response.outcome() == WaitResponse::OUTCOME_AHEAD;
  return absl::StrCat(Place(response), beyond ? ", beyond " : "",
                      beyond ? NameList(response.target_revisions(), "base") : "", "\n");
}

}  // namespace

ExitCode Run(const WaitCommand& command, Session& session) {
  WaitResponse response;
  const auto error = Wait(command, session).Run(response);
  if (error.has_value()) return session.output.Fail(*error);
  session.output.Result(response, [&response](const TextSettings&) { return Text(response); });
  if (response.outcome() != WaitResponse::OUTCOME_AHEAD_UNKNOWN) return ExitCode::kDone;
  if (command.require_known) {
    session.output.Fail(NotKnown(response));
    return ExitCode::kCheckFailed;
  }
  session.output.Warning(Unknown(response));
  return ExitCode::kDone;
}

}  // namespace migctl
