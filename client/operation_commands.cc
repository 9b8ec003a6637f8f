// The commands that start, watch and manage operations.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/confirmation.h"
#include "client/feed_follower.h"
#include "client/operation_follower.h"
#include "client/operation_report.h"
#include "client/progress_text.h"
#include "client/run_options.h"
#include "client/schema_report.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {
namespace {

using migration::v1::Error;
using migration::v1::Operation;
using migration::v1::OperationEvent;

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

// Keeps what the operation found when it compared schemas.
class ComparisonView : public ProgressView {
 public:
  explicit ComparisonView(std::unique_ptr<ProgressView> view) : view_(std::move(view)) {}

  void Show(const OperationEvent& event) override {
    if (event.has_schema_compared()) compared_ = event.schema_compared();
    view_->Show(event);
  }
  const migration::v1::SchemaCompared& compared() const { return compared_; }

 private:
  const std::unique_ptr<ProgressView> view_;
  migration::v1::SchemaCompared compared_;
};

// Shows the operation behind `open` until it is over or left. What ticks on the terminal ends with
// this function, so that the report comes after it.
Ending Follow(const OpenStream& open, FollowSettings settings, Session& session) {
  const bool silent = settings.detach && !session.output.json();
  ComparisonView view(silent ? std::make_unique<NoView>() : MakeProgressView(session.output));
  OperationFollower follower(session.connection, session.output, view, std::move(settings));
  const Interrupts::Subscription subscription(session.interrupts,
                                              [&follower] { follower.Interrupt(); });
  std::optional<Error> error = follower.Follow(open);
  return {std::move(error), follower.outcome(), view.compared()};
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

ExitCode FollowAndReport(const OpenStream& open, const FollowSettings& settings, Session& session) {
  return Report(Follow(open, settings, session), settings, session);
}

// How the stub streams the events of a request.
template <typename Request>
using StreamMethod = EventStream (Connection::Migrations::*)(grpc::ClientContext*, const Request&);

// Whether what the call was refused for is wanted all the same.
bool IsConfirmed(const Error& error, const RunSettings& run, Session& session) {
  if (!CanBeConfirmed(error) || !run.confirmation.empty()) return false;
  if (run.yes) return true;
  const Prompt prompt = TerminalPrompt();
  return prompt.available && !session.output.json() &&
         AskForConfirmation(error, prompt, session.output);
}

// Starts an operation by `request`, whose target is set, and follows it to its end.
template <typename Request>
ExitCode Start(Request request, StreamMethod<Request> method, const RunSettings& run,
               Session& session) {
  request.set_database(session.database);
  request.set_request_id(run.request_id);
  *request.mutable_options() = ToRunOptions(run);
  FollowSettings settings;
  settings.request_id = run.request_id;
  settings.detach = run.detach;
  const OpenStream open = [&request, method](Connection::Migrations& migrations,
                                             grpc::ClientContext* context) {
    return (migrations.*method)(context, request);
  };
  const Ending ending = Follow(open, settings, session);
  if (!ending.error.has_value() || !IsConfirmed(*ending.error, run, session)) {
    return Report(ending, settings, session);
  }
  // The same call, for exactly the plan that was told.
  const std::string& confirmation = ending.error->metadata().at("confirmation");
  request.mutable_options()->set_confirmation(confirmation);
  settings.request_id = ConfirmedRequestId(run.request_id, confirmation);
  request.set_request_id(settings.request_id);
  return FollowAndReport(open, settings, session);
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
  FeedFollower follower(session.connection, session.output, settings,
                        [&](const OperationEvent& event) {
                          session.output.Result(event, [&](const TextSettings&) {
                            std::string text;
                            for (const std::string& line : progress.Consume(event)) {
                              absl::StrAppend(&text, line, "\n");
                            }
                            return text;
                          });
                        });
  const Interrupts::Subscription subscription(session.interrupts,
                                              [&follower] { follower.Interrupt(); });
  const std::optional<Error> error = follower.Follow();
  return error.has_value() ? session.output.Fail(*error) : ExitCode::kInterrupted;
}

}  // namespace

ExitCode Run(const UpgradeCommand& command, Session& session) {
  migration::v1::UpgradeRequest request;
  request.set_target(command.target);
  return Start(std::move(request), &Connection::Migrations::Upgrade, command.run, session);
}

ExitCode Run(const DowngradeCommand& command, Session& session) {
  migration::v1::DowngradeRequest request;
  request.set_target(command.target);
  return Start(std::move(request), &Connection::Migrations::Downgrade, command.run, session);
}

ExitCode Run(const StampCommand& command, Session& session) {
  migration::v1::StampRequest request;
  request.mutable_targets()->Add(command.targets.begin(), command.targets.end());
  request.set_purge(command.purge);
  return Start(std::move(request), &Connection::Migrations::Stamp, command.run, session);
}

ExitCode Run(const WatchOperationCommand& command, Session& session) {
  if (command.operation.empty()) return FollowAll(session);
  migration::v1::WatchOperationRequest request;
  request.set_operation(command.operation);
  request.set_after_sequence(command.after_sequence);
  FollowSettings settings;
  settings.cancel_on_interrupt = false;
  settings.show_heartbeats = true;
  *request.mutable_heartbeat_interval() = ToProto(settings.heartbeat_interval);
  return FollowAndReport(
      [&request](Connection::Migrations& migrations, grpc::ClientContext* context) {
        return migrations.WatchOperation(context, request);
      },
      settings, session);
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
