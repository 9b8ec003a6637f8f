// How operations are followed: one through everything that may happen to its stream, and all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "client/commands.h"
#include "client/progress_observer.h"
#include "migration_client/feed_follower.h"
#include "migration_client/operation_follower.h"
#include "tests/client/command_fixture.h"
#include "tests/client/events.h"

namespace migctl {
namespace {

using migration::v1::CancelOperationRequest;
using migration::v1::CancelOperationResponse;
using migration::v1::Operation;
using migration::v1::OperationEvent;
using migration::v1::UpgradeRequest;
using migration::v1::WatchOperationRequest;
using migration::v1::WatchRequest;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using migration_client::FeedFollower;
using migration_client::FeedSettings;
using migration_client::FollowSettings;
using migration_client::OpenStream;
using migration_client::OperationFollower;

constexpr char kRequestId[] = "0b9c5d0e-3f0a-4c8e-9d53-6f1f8a3c2b71";

grpc::Status Broken() { return {grpc::StatusCode::UNAVAILABLE, "Socket closed"}; }

class FollowerTest : public CommandsTest {
 protected:
  FollowerTest() {
    settings_.wait_for_server = false;
    settings_.first_pause = absl::Milliseconds(1);
    settings_.longest_pause = absl::Milliseconds(2);
    run_.request_id = kRequestId;
  }

  // Follows with settings of the test's own, so that it need not wait for the pauses.
  std::optional<migration::v1::Error> Follow(const OpenStream& open) {
    Terminal out(out_.Sink(), out_traits_);
    Terminal err(err_.Sink(), err_traits_);
    Output output(options_.output, out, err);
    const auto connection = Connect(options_);
    ProgressObserver observer(MakeProgressView(output), output);
    OperationFollower follower(**connection, observer, settings_);
    return follower.Follow(open);
  }
  std::optional<migration::v1::Error> FollowWatch() {
    return Follow([](Connection::Migrations& migrations, grpc::ClientContext* context) {
      return migrations.WatchOperation(context, WatchOperationRequest());
    });
  }
  std::optional<migration::v1::Error> FollowUpgrade() {
    settings_.request_id = kRequestId;
    return Follow([](Connection::Migrations& migrations, grpc::ClientContext* context) {
      UpgradeRequest request;
      request.set_request_id(kRequestId);
      return migrations.Upgrade(context, request);
    });
  }

  int Lines() const {
    const std::string out = out_.text();
    return static_cast<int>(std::count(out.begin(), out.end(), '\n'));
  }

  FollowSettings settings_;
  RunSettings run_;
};

// --- Detaching ---

TEST_F(FollowerTest, DetachPrintsTheIdAndLeavesTheOperationToItself) {
  server_.handlers.upgrade = [](grpc::ServerContext* context, const UpgradeRequest&,
                                FakeServer::Events* events) {
    events->Write(Accepted(1));
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  };
  server_.handlers.cancel = [](const CancelOperationRequest&, CancelOperationResponse*) {
    ADD_FAILURE() << "was asked to cancel";
    return grpc::Status::OK;
  };
  run_.detach = true;
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", run_}), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "7k2m\n");
  EXPECT_EQ(err_.text(),
            "operation 7k2m goes on in the server; follow it with: migctl operations watch "
            "7k2m\n");
}

TEST_F(FollowerTest, DetachSaysThatTheOperationItFoundIsOver) {
  server_.handlers.upgrade = [](grpc::ServerContext*, const UpgradeRequest&,
                                FakeServer::Events* events) {
    events->Write(Accepted(1));
    return grpc::Status::OK;
  };
  migration::v1::Operation state;
  server_.handlers.get = [&state](const migration::v1::GetOperationRequest& request,
                                  migration::v1::GetOperationResponse* response) {
    EXPECT_EQ(request.operation(), "7k2m");
    *response->mutable_operation() = state;
    return grpc::Status::OK;
  };
  state.set_state(Operation::STATE_SUCCEEDED);
  run_.detach = true;
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", run_}), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "7k2m\n");
  EXPECT_EQ(err_.text(), "operation 7k2m is over already: succeeded\n");
  state.set_state(Operation::STATE_FAILED);
  state.mutable_error()->set_code("FAILED_PRECONDITION");
  state.mutable_error()->set_reason("LINT_FAILED");
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", run_}), ExitCode::kFailed);
  EXPECT_THAT(err_.text(), HasSubstr("[LINT_FAILED]"));
}

TEST_F(FollowerTest, DetachPrintsTheFirstEventAsJson) {
  options_.output = OutputFormat::kJson;
  server_.handlers.upgrade = [](grpc::ServerContext*, const UpgradeRequest&,
                                FakeServer::Events* events) {
    events->Write(Accepted(1));
    events->Write(Started(2, "7c20", 1));
    return grpc::Status::OK;
  };
  run_.detach = true;
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", run_}), ExitCode::kDone);
  EXPECT_EQ(Lines(), 1);
  EXPECT_THAT(out_.text(), HasSubstr("\"operation_accepted\":"));
  EXPECT_EQ(err_.text(), "");
}

TEST_F(FollowerTest, DetachReportsThatTheOperationWasNotAccepted) {
  server_.handlers.upgrade = [](grpc::ServerContext*, const UpgradeRequest&, FakeServer::Events*) {
    return ServiceStatus(grpc::StatusCode::NOT_FOUND, "UNKNOWN_DATABASE", "no database x");
  };
  run_.detach = true;
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", run_}), ExitCode::kFailed);
  EXPECT_THAT(err_.text(), HasSubstr("[UNKNOWN_DATABASE]"));
}

// --- Calls that break before the operation is accepted ---

TEST_F(FollowerTest, RepeatsACallThatBreaksWithTheSameRequestId) {
  std::atomic<int> calls = 0;
  server_.handlers.upgrade = [&calls](grpc::ServerContext*, const UpgradeRequest& request,
                                      FakeServer::Events* events) {
    EXPECT_EQ(request.request_id(), kRequestId);
    switch (++calls) {
      case 1:
        return Broken();
      case 2:
        return ServiceStatus(grpc::StatusCode::UNAVAILABLE, "DRAINING", "migd is shutting down");
      case 3:
        return ServiceStatus(grpc::StatusCode::UNAVAILABLE, "DATABASE_UNAVAILABLE", "starting up");
      default:
        events->Write(Accepted(1));
        events->Write(Succeeded(2, 1, {"7c20"}));
        return grpc::Status::OK;
    }
  };
  EXPECT_FALSE(FollowUpgrade().has_value());
  EXPECT_EQ(calls, 4);
  EXPECT_THAT(err_.text(), AllOf(HasSubstr("Socket closed; repeating the call in 1ms\n"),
                                 HasSubstr("migd is shutting down; repeating the call in 2ms\n")));
}

TEST_F(FollowerTest, GivesUpRepeatingAndNamesTheRequestId) {
  server_.handlers.upgrade = [](grpc::ServerContext*, const UpgradeRequest&, FakeServer::Events*) {
    return Broken();
  };
  settings_.patience = absl::Milliseconds(20);
  const auto error = FollowUpgrade();
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(ExitCodeOf(*error), ExitCode::kUnreachable);
  EXPECT_THAT(error->hint(), HasSubstr(kRequestId));
}

TEST_F(FollowerTest, DoesNotRepeatWhatTheServiceRefusesOrWhatNobodyHeard) {
  std::atomic<int> calls = 0;
  server_.handlers.upgrade = [&calls](grpc::ServerContext*, const UpgradeRequest&,
                                      FakeServer::Events*) {
    ++calls;
    return ServiceStatus(grpc::StatusCode::UNAVAILABLE, "DATABASE_UNAVAILABLE", "no answer");
  };
  EXPECT_EQ(FollowUpgrade()->reason(), "DATABASE_UNAVAILABLE");
  EXPECT_EQ(calls, 1);
  server_.Stop();
  EXPECT_THAT(FollowUpgrade()->message(), HasSubstr("no migd answers at"));
  EXPECT_THAT(err_.text(), Not(HasSubstr("repeating")));
}

// --- Streams that break ---

TEST_F(FollowerTest, GoesOnWhereAServerThatCameBackStands) {
  options_.output = OutputFormat::kJson;
  std::atomic<int> calls = 0;
  server_.handlers.watch = [&calls](grpc::ServerContext*, const WatchOperationRequest& request,
                                    FakeServer::Events* events) {
    switch (++calls) {
      case 1:
        events->Write(Snapshot(0, Operation::STATE_RUNNING));
        events->Write(Accepted(1));
        events->Write(Started(2, "7c20", 4));
        events->Write(Statement(3, "7c20", 1, 4));
        return Broken();
      case 2:
        EXPECT_EQ(request.operation(), "7k2m");
        EXPECT_EQ(request.after_sequence(), 3);
        EXPECT_EQ(request.heartbeat_interval().seconds(), 10);
        // A crash of PostgreSQL has lost event 3.
        events->Write(Snapshot(2, Operation::STATE_INTERRUPTED));
        events->Write(StepDone(3, "7c20", 10));
        return Broken();
      default:
        EXPECT_EQ(request.after_sequence(), 3);
        events->Write(Snapshot(3, Operation::STATE_RUNNING));
        events->Write(StepDone(3, "7c20", 10));  // a replay
        events->Write(Succeeded(4, 1, {"7c20"}));
        return grpc::Status::OK;
    }
  };
  EXPECT_FALSE(FollowWatch().has_value());
  EXPECT_EQ(Lines(), 4 + 2 + 2) << out_.text();
}

TEST_F(FollowerTest, ASnapshotOfAFinishedOperationTellsHowItEnded) {
  server_.handlers.watch = [](grpc::ServerContext*, const WatchOperationRequest&,
                              FakeServer::Events* events) {
    OperationEvent snapshot = Snapshot(9, Operation::STATE_FAILED);
    auto& operation = *snapshot.mutable_operation_snapshot()->mutable_operation();
    operation.mutable_error()->set_code("ABORTED");
    operation.mutable_error()->set_reason("LOCK_TIMEOUT");
    operation.mutable_error()->set_message("no lock");
    events->Write(snapshot);
    return grpc::Status::OK;
  };
  EXPECT_EQ(FollowWatch()->reason(), "LOCK_TIMEOUT");
}

TEST_F(FollowerTest, WatchesAgainWhenAStreamThatSentSignsOfLifeSendsNone) {
  std::atomic<int> calls = 0;
  server_.handlers.watch = [&calls](grpc::ServerContext* context, const WatchOperationRequest&,
                                    FakeServer::Events* events) {
    if (++calls == 1) {
      events->Write(Snapshot(0, Operation::STATE_RUNNING));
      while (!context->IsCancelled()) std::this_thread::yield();
      return grpc::Status::CANCELLED;
    }
    events->Write(Snapshot(0, Operation::STATE_RUNNING));
    events->Write(Heartbeat(0));
    events->Write(Succeeded(1, 1, {"7c20"}));
    return grpc::Status::OK;
  };
  settings_.heartbeat_interval = absl::Milliseconds(20);
  EXPECT_FALSE(FollowWatch().has_value());
  EXPECT_EQ(calls, 2);
}

TEST_F(FollowerTest, LetsAStreamWithoutSignsOfLifeBeSilent) {
  server_.handlers.watch = [](grpc::ServerContext* context, const WatchOperationRequest&,
                              FakeServer::Events* events) {
    events->Write(Accepted(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_FALSE(context->IsCancelled());
    events->Write(Succeeded(2, 1, {"7c20"}));
    return grpc::Status::OK;
  };
  settings_.heartbeat_interval = absl::Milliseconds(10);
  EXPECT_FALSE(FollowWatch().has_value());
}

TEST_F(FollowerTest, HeartbeatsAreShownToProgramsThatWatchOnly) {
  options_.output = OutputFormat::kJson;
  const auto answer = [](FakeServer::Events* events) {
    events->Write(Snapshot(0, Operation::STATE_PENDING));
    events->Write(Heartbeat(0));
    events->Write(Accepted(1));
    events->Write(Succeeded(2, 1, {"7c20"}));
    return grpc::Status::OK;
  };
  server_.handlers.upgrade = [&](grpc::ServerContext*, const UpgradeRequest&,
                                 FakeServer::Events* events) { return answer(events); };
  server_.handlers.watch = [&](grpc::ServerContext*, const WatchOperationRequest& request,
                               FakeServer::Events* events) {
    EXPECT_TRUE(request.has_heartbeat_interval());
    return answer(events);
  };
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", run_}), ExitCode::kDone);
  EXPECT_EQ(Lines(), 3);
  EXPECT_EQ(RunCommand(WatchOperationCommand{"7k2m", 0}), ExitCode::kDone);
  EXPECT_EQ(Lines(), 3 + 4);
}

// --- Cancelling ---

TEST_F(FollowerTest, AsksAgainToCancelUntilAServerHearsIt) {
  std::atomic<int> asked = 0;
  server_.handlers.upgrade = [this](grpc::ServerContext*, const UpgradeRequest&,
                                    FakeServer::Events* events) {
    events->Write(Accepted(1));
    EXPECT_TRUE(released_.Wait());
    events->Write(Ended(2, Operation::STATE_CANCELLED, "CANCELLED", "OPERATION_CANCELLED", "gone"));
    return grpc::Status::OK;
  };
  server_.handlers.cancel = [&](const CancelOperationRequest&, CancelOperationResponse*) {
    if (++asked == 1) return Broken();
    released_.Set();
    return grpc::Status::OK;
  };
  std::future<ExitCode> exit_code = StartUpgrade();
  ASSERT_TRUE(err_.WaitFor("accepted operation=7k2m"));
  interrupts_.Raise();
  EXPECT_EQ(exit_code.get(), ExitCode::kInterrupted);
  EXPECT_EQ(asked, 2);
  EXPECT_THAT(err_.text(), HasSubstr("could not ask migd to cancel: "));
}

TEST_F(FollowerTest, SaysThatAnOperationThatIsNotCancelledGoesOn) {
  server_.handlers.upgrade = [](grpc::ServerContext* context, const UpgradeRequest&,
                                FakeServer::Events* events) {
    events->Write(Accepted(1));
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  };
  server_.handlers.cancel = [](const CancelOperationRequest&, CancelOperationResponse*) {
    return ServiceStatus(grpc::StatusCode::PERMISSION_DENIED, "INTERNAL", "not you");
  };
  std::future<ExitCode> exit_code = StartUpgrade();
  ASSERT_TRUE(err_.WaitFor("accepted operation=7k2m"));
  interrupts_.Raise();
  ASSERT_TRUE(err_.WaitFor("could not ask migd to cancel: not you"));
  interrupts_.Raise();
  EXPECT_EQ(exit_code.get(), ExitCode::kInterrupted);
  EXPECT_THAT(err_.text(), HasSubstr("which goes on in the server: migd does not cancel it"));
}

// --- All operations ---

OperationEvent Of(const std::string& operation, OperationEvent event) {
  event.set_operation(operation);
  if (event.has_operation_snapshot()) {
    event.mutable_operation_snapshot()->mutable_operation()->set_operation(operation);
  }
  return event;
}

TEST_F(FollowerTest, WatchingAllShowsWhoseEventItIsAndEndsByCtrlC) {
  options_.database = "core";
  server_.handlers.watch_all = [this](grpc::ServerContext* context, const WatchRequest& request,
                                      FakeServer::Events* events) {
    EXPECT_EQ(request.database(), "core");
    EXPECT_FALSE(request.has_finished_since());
    events->Write(Of("aaaa", Snapshot(5, Operation::STATE_RUNNING)));
    events->Write(Of("bbbb", Accepted(1, 1)));
    events->Write(Of("bbbb", Started(2, "4b11", 1, 2)));
    events->Write(Of("aaaa", StepDone(6, "7c20", 1200, 3)));
    events->Write(Of("aaaa", Succeeded(7, 3, {"a91f"})));
    OperationEvent heartbeat = Heartbeat(0);
    heartbeat.clear_operation();
    events->Write(heartbeat);
    released_.Set();
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  };
  std::future<ExitCode> exit_code =
      std::async(std::launch::async, [this] { return RunCommand(WatchOperationCommand()); });
  ASSERT_TRUE(released_.Wait());
  ASSERT_TRUE(out_.WaitFor("aaaa succeeded"));
  interrupts_.Raise();
  EXPECT_EQ(exit_code.get(), ExitCode::kInterrupted);
  EXPECT_EQ(out_.text(),
            "2026-08-22T10:04:11Z aaaa watching operation=aaaa database=core action=upgrade "
            "targets=head state=running at step 2 of 3, 7c20, statement 2 of 4\n"
            "2026-08-22T10:04:12Z bbbb accepted operation=bbbb database=core action=upgrade "
            "targets=head\n"
            "2026-08-22T10:04:13Z bbbb applying 4b11 statement=1/1\n"
            "2026-08-22T10:04:14Z aaaa applied  7c20 duration=1.2s\n"
            "2026-08-22T10:04:31Z aaaa succeeded database=core steps=3 at=a91f duration=20.1s\n");
}

TEST_F(FollowerTest, WatchingAllGoesOnAfterTheLastMessage) {
  const auto connection = Connect(options_);
  FeedSettings settings;
  settings.first_pause = absl::Milliseconds(1);
  std::vector<std::string> shown;
  FeedFollower* running = nullptr;
  std::vector<std::string> notes;
  FeedFollower follower(
      **connection, settings,
      [&](const OperationEvent& event) {
        shown.push_back(event.operation());
        if (event.has_operation_finished()) running->Leave();
      },
      [&](const std::string& line) { notes.push_back(line); });
  running = &follower;
  std::atomic<int> calls = 0;
  server_.handlers.watch_all = [&calls](grpc::ServerContext*, const WatchRequest& request,
                                        FakeServer::Events* events) {
    if (++calls == 1) {
      events->Write(Of("aaaa", Accepted(1, 7)));
      return Broken();
    }
    EXPECT_EQ(request.finished_since().seconds(), Accepted(1, 7).time().seconds());
    events->Write(Of("aaaa", Succeeded(2, 1, {"7c20"})));
    return grpc::Status::OK;
  };
  EXPECT_FALSE(follower.Follow().has_value());
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(shown, (std::vector<std::string>{"aaaa", "aaaa"}));
  EXPECT_THAT(notes, ElementsAre(HasSubstr("watching again in 1ms"), "connected to migd again"));
}

TEST_F(FollowerTest, WatchingAllNamesTheDatabasesThatCannotBeAsked) {
  server_.handlers.list = [](const migration::v1::ListOperationsRequest&,
                             migration::v1::ListOperationsResponse* response) {
    response->add_database_errors()->set_message("core does not answer");
    return grpc::Status::OK;
  };
  server_.handlers.watch_all = [this](grpc::ServerContext* context, const WatchRequest&,
                                      FakeServer::Events*) {
    released_.Set();
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  };
  std::future<ExitCode> exit_code =
      std::async(std::launch::async, [this] { return RunCommand(WatchOperationCommand()); });
  ASSERT_TRUE(released_.Wait());
  interrupts_.Raise();
  EXPECT_EQ(exit_code.get(), ExitCode::kInterrupted);
  EXPECT_EQ(err_.text(), "warning: nothing is seen yet of what others run: core does not answer\n");
}

TEST_F(FollowerTest, WatchingAllReportsARefusal) {
  server_.handlers.watch_all = [](grpc::ServerContext*, const WatchRequest&, FakeServer::Events*) {
    return ServiceStatus(grpc::StatusCode::NOT_FOUND, "UNKNOWN_DATABASE", "no database x");
  };
  EXPECT_EQ(RunCommand(WatchOperationCommand()), ExitCode::kFailed);
  EXPECT_THAT(err_.text(), HasSubstr("[UNKNOWN_DATABASE]"));
  server_.Stop();
  EXPECT_EQ(RunCommand(WatchOperationCommand()), ExitCode::kUnreachable);
}

}  // namespace
}  // namespace migctl
