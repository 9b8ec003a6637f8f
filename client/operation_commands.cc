// The commands that start, watch and manage operations.
#include <algorithm>
#include <memory>
#include <utility>

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

ExitCode Report(const Ending& ending, const FollowSettings& settings, Session& session) {
  Terminal& err = session.output.err();
  if (!session.output.json()) err.Print(ComparisonText(ending.compared, err.style()));
  if (ending.error.has_value()) return session.output.Fail(*ending.error);
  if (settings.detach && !ending.outcome.finished.has_value()) {
    const std::string id = Escape(ending.outcome.operation);
    session.output.ResultText(absl::StrCat(id, "\n"));
    session.output.Note(absl::StrCat("operation ", id,
                                     " goes on in the server; follow it with: migctl operations "
                                     "watch ",
                                     id));
    return ExitCode::kDone;
  }
  session.output.ResultText(OutcomeText(ending.outcome));
  return ExitCode::kDone;
}

// Whether what the call was refused for is wanted all the same.
bool IsConfirmed(const Error& error, const RunSettings& run, Session& session) {
  if (!CanBeConfirmed(error) || !run.confirmation.empty()) return false;
  if (run.yes) return true;
  const Prompt prompt = TerminalPrompt();
  return prompt.available && !session.output.json() &&
         AskForConfirmation(error, prompt, session.output);
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
  migration::v1::PlanResponse plan;
  if (session.connection.Call(&Connection::Migrations::Plan, wanted, plan).has_value()) return;
  request.mutable_options()->set_confirmation(plan.confirmation());
}
void ConfirmBeforehand(const RunSettings&, Session&, migration::v1::StampRequest&) {}

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
  const Ending ending = Follow(Opening(request), settings, OnInterrupt::kCancel, session);
  if (!ending.error.has_value() || !IsConfirmed(*ending.error, run, session)) {
    return Report(ending, settings, session);
  }
  // The same call, for exactly the plan that was told.
  const std::string& confirmation = ending.error->metadata().at("confirmation");
  request.mutable_options()->set_confirmation(confirmation);
  settings.request_id = ConfirmedRequestId(run.request_id, confirmation);
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

// Follows the operations of all databases, or of the one that was named, until Ctrl-C.
ExitCode FollowAll(Session& session) {
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
  for (const Error& missing : list.database_errors()) {
    session.output.Warning(
        absl::StrCat("the list may lack operations: ", Escape(missing.message())));
  }
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
