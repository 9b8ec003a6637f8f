// The commands that start, watch and manage operations.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/confirmation.h"
#include "client/operation_report.h"
#include "client/progress_observer.h"
#include "client/progress_text.h"
#include "client/run_options.h"
#include "client/schema_report.h"
#include "client/text.h"
#include "client/time_text.h"
#include "migration_client/feed_follower.h"
#include "migration_client/operation_follower.h"

namespace migctl {
namespace {

using migration::v1::Error;
using migration::v1::Operation;
using migration::v1::OperationEvent;
using migration_client::FeedFollower;
using migration_client::FeedSettings;
using migration_client::FollowSettings;
using migration_client::Opening;
using migration_client::OpenStream;
using migration_client::OperationFollower;

// What the first Ctrl-C does: ask the server to cancel the operation, because this command started
// it; or only leave, because somebody else did.
enum class OnInterrupt { kCancel, kLeave };

struct Ending {
  std::optional<Error> error;
  OperationOutcome outcome;
  migration::v1::SchemaCompared compared;
};

// For who does not stay to see.
class NoView : public ProgressView {
 public:
  void Show(const OperationEvent&) override {}
};

// What Ctrl-C does to an operation that is followed. Run on the thread of the interrupts alone.
Interrupts::Handler InterruptHandler(OperationFollower& follower, OnInterrupt on_interrupt,
                                     Output& output) {
  return [&follower, &output, cancels = on_interrupt == OnInterrupt::kCancel]() mutable {
    if (!cancels) return follower.Leave();
    cancels = false;
    output.Note(
        "interrupted: asking migd to cancel the operation, and waiting for its end; once more "
        "leaves at once");
    follower.Cancel();
  };
}

// Shows the operation behind `open` until it is over or left. What ticks on the terminal ends with
// this function, so that the report comes after it.
Ending Follow(const OpenStream& open, FollowSettings settings, OnInterrupt on_interrupt,
              Session& session) {
  const bool silent = settings.detach && !session.output.json();
  // An address where nobody has ever answered is more likely to be wrong.
  settings.wait_for_server = false;
  ProgressObserver observer(silent ? std::make_unique<NoView>() : MakeProgressView(session.output),
                            session.output);
  OperationFollower follower(session.connection, observer, std::move(settings));
  const Interrupts::Subscription subscription(
      session.interrupts, InterruptHandler(follower, on_interrupt, session.output));
  std::optional<Error> error = follower.Follow(open);
  return {std::move(error), follower.outcome(), observer.compared()};
}

// The operation that `detach` leaves, if it is over: the call may have found one that it made
// before. Nothing if that is not known.
std::optional<Operation> FinishedOperation(const std::string& id, Session& session) {
  migration::v1::GetOperationRequest request;
  request.set_operation(id);
  migration::v1::GetOperationResponse response;
  const auto error =
      session.connection.Call(&Connection::Migrations::GetOperation, request, response);
  if (error.has_value() || !migration_client::IsFinal(response.operation().state())) {
    return std::nullopt;
  }
  return response.operation();
}

// What there is to say of an operation that goes on without this command.
ExitCode ReportDetached(const std::string& operation, Session& session) {
  const std::string id = Escape(operation);
  session.output.ResultText(absl::StrCat(id, "\n"));
  const std::optional<Operation> finished = FinishedOperation(operation, session);
  if (!finished.has_value()) {
    session.output.Note(absl::StrCat("operation ", id,
                                     " goes on in the server; follow it with: migctl operations "
                                     "watch ",
                                     id));
    return ExitCode::kDone;
  }
  session.output.Note(
      absl::StrCat("operation ", id, " is over already: ", StateName(finished->state())));
  return finished->has_error() ? session.output.Fail(finished->error()) : ExitCode::kDone;
}

ExitCode Report(const Ending& ending, const FollowSettings& settings, Session& session) {
  Terminal& err = session.output.err();
  if (!session.output.json()) err.Print(ComparisonText(ending.compared, err.style()));
  if (ending.error.has_value()) return session.output.Fail(*ending.error);
  if (settings.detach && !ending.outcome.finished.has_value()) {
    return ReportDetached(ending.outcome.operation, session);
  }
  session.output.ResultText(OutcomeText(ending.outcome));
  return ExitCode::kDone;
}

// Whether what the call was refused for is wanted all the same. If somebody was asked and does not
// want it, `refusal` becomes that.
bool IsConfirmed(const RunSettings& run, Session& session, Error& refusal) {
  if (!CanBeConfirmed(refusal) || !run.confirmation.empty()) return false;
  if (run.yes) return true;
  const Prompt prompt = TerminalPrompt();
  if (!prompt.available || session.output.json()) return false;
  auto declined = AskForConfirmation(refusal, prompt, session.output);
  if (declined.has_value()) refusal = *std::move(declined);
  return !declined.has_value();
}

migration::v1::Action ActionOf(const migration::v1::UpgradeRequest&) {
  return migration::v1::ACTION_UPGRADE;
}
migration::v1::Action ActionOf(const migration::v1::DowngradeRequest&) {
  return migration::v1::ACTION_DOWNGRADE;
}

// Confirms beforehand what the plan of `request` destroys, if that is wanted whatever it is. A call
// that is made again must stay the same, so one that can be is confirmed when it is refused; unless
// nobody stays to see that. What keeps the plan from being made is for the call itself to tell.
template <typename Request>
void ConfirmBeforehand(const RunSettings& run, Session& session, Request& request) {
  if (!run.yes || !run.confirmation.empty() || (run.is_repeatable && !run.detach)) return;
  migration::v1::PlanRequest wanted;
  wanted.set_database(session.database);
  wanted.set_action(ActionOf(request));
  wanted.add_targets(request.target());
  wanted.set_view(migration::v1::PLAN_VIEW_STEPS);
  migration::v1::PlanResponse plan;
  if (session.connection.Call(&Connection::Migrations::Plan, wanted, plan).has_value()) return;
  request.mutable_options()->set_confirmation(plan.confirmation());
}
void ConfirmBeforehand(const RunSettings&, Session&, migration::v1::StampRequest&) {}

// What to type so that the call is the same as the one with this id and confirmation; empty for the
// command as it was typed, with the id. Where the id was given, it is that command: it comes by the
// call that was refused to the one that confirms.
std::string HowToRepeat(const RunSettings& run, const std::string& request_id,
                        const std::string& confirmation) {
  if (run.is_repeatable) return "the same command";
  if (confirmation == run.confirmation) return "";
  return absl::StrCat("the same command with --request-id ", request_id, " --confirmation ",
                      confirmation, run.yes ? " in place of --yes" : "");
}

// Starts an operation by `request`, whose target is set, and follows it to its end.
template <typename Request>
ExitCode Start(Request request, const RunSettings& run, Session& session) {
  request.set_database(session.database);
  request.set_request_id(run.request_id);
  *request.mutable_options() = ToRunOptions(run);
  ConfirmBeforehand(run, session, request);
  FollowSettings settings;
  settings.request_id = run.request_id;
  settings.detach = run.detach;
  settings.how_to_repeat = HowToRepeat(run, run.request_id, request.options().confirmation());
  Ending ending = Follow(Opening(request), settings, OnInterrupt::kCancel, session);
  if (!ending.error.has_value()) return Report(ending, settings, session);
  const std::string confirmation = Metadata(*ending.error, "confirmation");
  if (!IsConfirmed(run, session, *ending.error)) return Report(ending, settings, session);
  // The same call, for exactly the plan that was told.
  request.mutable_options()->set_confirmation(confirmation);
  settings.request_id = ConfirmedRequestId(run.request_id, confirmation);
  settings.how_to_repeat = HowToRepeat(run, settings.request_id, confirmation);
  request.set_request_id(settings.request_id);
  return Report(Follow(Opening(request), settings, OnInterrupt::kCancel, session), settings,
                session);
}

std::optional<Error> AddPage(migration::v1::ListOperationsRequest& request, int limit,
                             Session& session, migration::v1::ListOperationsResponse& list) {
  constexpr int kPageSize = 500;
  request.set_page_size(std::min(kPageSize, limit - list.operations_size()));
  request.set_page_token(list.next_page_token());
  migration::v1::ListOperationsResponse page;
  const auto error =
      session.connection.Call(&Connection::Migrations::ListOperations, request, page);
  if (error.has_value()) return error;
  list.clear_next_page_token();
  // Each page tells of all databases.
  list.clear_database_errors();
  list.MergeFrom(page);
  return std::nullopt;
}

void SayWhatIsNotSeen(const migration::v1::ListOperationsResponse& list, absl::string_view what,
                      Output& output) {
  for (const Error& missing : list.database_errors()) {
    output.Warning(absl::StrCat(what, Escape(missing.message())));
  }
}

// Which databases cannot be asked: without a word nobody could tell that from a quiet one.
void SayWhatCannotBeFollowed(Session& session) {
  migration::v1::ListOperationsRequest request;
  request.set_database(session.database);
  request.set_page_size(1);
  migration::v1::ListOperationsResponse list;
  const auto error =
      session.connection.Call(&Connection::Migrations::ListOperations, request, list);
  // Everything else is for the stream to tell.
  const bool is_of_database = error.has_value() && absl::StartsWith(error->reason(), "DATABASE_");
  if (is_of_database) *list.add_database_errors() = *error;
  SayWhatIsNotSeen(list, "nothing is seen yet of what others run: ", session.output);
}

// Follows the operations of all databases, or of the one that was named, until Ctrl-C.
ExitCode FollowAll(Session& session) {
  SayWhatCannotBeFollowed(session);
  FeedProgress progress;
  FeedSettings settings;
  settings.database = session.database;
  settings.wait_for_server = false;
  FeedFollower follower(
      session.connection, settings,
      [&](const OperationEvent& event) {
        session.output.Result(event, [&](const TextSettings&) {
          std::string text;
          for (const std::string& line : progress.Consume(event)) {
            absl::StrAppend(&text, line, "\n");
          }
          return text;
        });
      },
      [&session](const std::string& line) { session.output.Note(Escape(line)); });
  const Interrupts::Subscription subscription(session.interrupts,
                                              [&follower] { follower.Leave(); });
  const std::optional<Error> error = follower.Follow();
  return error.has_value() ? session.output.Fail(*error) : ExitCode::kInterrupted;
}

}  // namespace

ExitCode Run(const UpgradeCommand& command, Session& session) {
  migration::v1::UpgradeRequest request;
  request.set_target(command.target);
  return Start(std::move(request), command.run, session);
}

ExitCode Run(const DowngradeCommand& command, Session& session) {
  migration::v1::DowngradeRequest request;
  request.set_target(command.target);
  return Start(std::move(request), command.run, session);
}

ExitCode Run(const StampCommand& command, Session& session) {
  migration::v1::StampRequest request;
  request.mutable_targets()->Add(command.targets.begin(), command.targets.end());
  request.set_purge(command.purge);
  return Start(std::move(request), command.run, session);
}

ExitCode Run(const WatchOperationCommand& command, Session& session) {
  if (command.operation.empty()) return FollowAll(session);
  migration::v1::WatchOperationRequest request;
  request.set_operation(command.operation);
  request.set_after_sequence(command.after_sequence);
  FollowSettings settings;
  settings.show_heartbeats = true;
  *request.mutable_heartbeat_interval() = ToProto(settings.heartbeat_interval);
  return Report(Follow(Opening(request), settings, OnInterrupt::kLeave, session), settings,
                session);
}

ExitCode Run(const ListOperationsCommand& command, Session& session) {
  migration::v1::ListOperationsRequest request;
  request.set_database(session.database);
  for (const Operation::State state : command.states) request.add_states(state);

  migration::v1::ListOperationsResponse list;
  do {
    const auto error = AddPage(request, command.limit, session, list);
    if (error.has_value()) return session.output.Fail(*error);
  } while (!list.next_page_token().empty() && list.operations_size() < command.limit);

  session.output.Result(
      list, [&list](const TextSettings& settings) { return OperationListText(list, settings); });
  if (list.operations().empty()) session.output.Note("no operations");
  if (!list.next_page_token().empty()) {
    session.output.Note("there are older operations; a higher --limit shows them");
  }
  SayWhatIsNotSeen(list, "the list may lack operations: ", session.output);
  return ExitCode::kDone;
}

ExitCode Run(const ShowOperationCommand& command, Session& session) {
  migration::v1::GetOperationRequest request;
  request.set_operation(command.operation);
  migration::v1::GetOperationResponse response;
  const auto error =
      session.connection.Call(&Connection::Migrations::GetOperation, request, response);
  if (error.has_value()) return session.output.Fail(*error);
  session.output.Result(response, [&response](const TextSettings& settings) {
    return OperationText(response.operation(), settings);
  });
  return ExitCode::kDone;
}

ExitCode Run(const CancelOperationCommand& command, Session& session) {
  migration::v1::CancelOperationRequest request;
  request.set_operation(command.operation);
  migration::v1::CancelOperationResponse response;
  const auto error =
      session.connection.Call(&Connection::Migrations::CancelOperation, request, response);
  if (error.has_value()) return session.output.Fail(*error);
  session.output.Result(
      response, [&response](const TextSettings&) { return CancelText(response.operation()); });
  return ExitCode::kDone;
}

}  // namespace migctl
