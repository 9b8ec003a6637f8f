#include "client/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/interrupts.h"
#include "client/progress_observer.h"
#include "google/protobuf/util/json_util.h"
#include "migration_client/operation_follower.h"
#include "tests/client/command_fixture.h"
#include "tests/client/events.h"
#include "tests/client/fake_server.h"
#include "tests/support/temporary_directory.h"

namespace migctl {
namespace {

using migration::v1::CancelOperationRequest;
using migration::v1::CancelOperationResponse;
using migration::v1::CurrentRequest;
using migration::v1::CurrentResponse;
using migration::v1::HeadsRequest;
using migration::v1::HeadsResponse;
using migration::v1::HistoryRequest;
using migration::v1::HistoryResponse;
using migration::v1::Operation;
using migration::v1::UpgradeRequest;
using migration::v1::WatchOperationRequest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// --- current ---

TEST_F(CommandsTest, CurrentPrintsTheRowsOfTheDatabaseThatIsNamed) {
  options_.database = "core";
  server_.handlers.current = [](const CurrentRequest& request, CurrentResponse* response) {
    EXPECT_EQ(request.database(), "core");
    response->add_revisions()->set_revision("a91f");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(CurrentCommand()), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "a91f\n");
  EXPECT_EQ(err_.text(), "");
}

TEST_F(CommandsTest, CurrentSaysOnStderrThatNothingIsApplied) {
  server_.handlers.current = [](const CurrentRequest&, CurrentResponse* response) {
    response->set_database("core");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(CurrentCommand()), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "");
  EXPECT_EQ(err_.text(), "no revision is applied to core\n");
}

TEST_F(CommandsTest, CheckHeadsNamesTheHeadsThatAreMissing) {
  server_.handlers.current = [](const CurrentRequest&, CurrentResponse* response) {
    response->set_database("core");
    response->add_revisions()->set_revision("4b11");
    return grpc::Status::OK;
  };
  server_.handlers.heads = [](const HeadsRequest&, HeadsResponse* response) {
    response->add_revisions()->set_revision("4b11");
    response->add_revisions()->set_revision("7c20");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(CurrentCommand{true}), ExitCode::kCheckFailed);
  EXPECT_EQ(out_.text(), "4b11\n");
  EXPECT_THAT(err_.text(), StartsWith("error: core is not at the heads: 7c20 is missing\n"));
}

TEST_F(CommandsTest, CheckHeadsIsQuietAtTheHeads) {
  server_.handlers.current = [](const CurrentRequest&, CurrentResponse* response) {
    response->add_revisions()->set_revision("4b11");
    response->set_is_at_heads(true);
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(CurrentCommand{true}), ExitCode::kDone);
  EXPECT_EQ(err_.text(), "");
}

// --- errors ---

TEST_F(CommandsTest, ReportsAnErrorOfTheService) {
  server_.handlers.current = [](const CurrentRequest&, CurrentResponse*) {
    return ServiceStatus(grpc::StatusCode::NOT_FOUND, "UNKNOWN_DATABASE", "no database \"x\"");
  };
  EXPECT_EQ(RunCommand(CurrentCommand()), ExitCode::kFailed);
  EXPECT_EQ(out_.text(), "");
  EXPECT_EQ(err_.text(), "error: no database \"x\" [UNKNOWN_DATABASE]\n");
}

TEST_F(CommandsTest, ReportsAnErrorAsOneJsonObject) {
  options_.output = OutputFormat::kJson;
  server_.handlers.current = [](const CurrentRequest&, CurrentResponse*) {
    return ServiceStatus(grpc::StatusCode::NOT_FOUND, "UNKNOWN_DATABASE", "no database x");
  };
  EXPECT_EQ(RunCommand(CurrentCommand()), ExitCode::kFailed);
  EXPECT_EQ(out_.text(), "");
  EXPECT_EQ(err_.text(),
            "{\"error\":{\"code\":\"NOT_FOUND\",\"reason\":\"UNKNOWN_DATABASE\","
            "\"message\":\"no database x\",\"hint\":\"\",\"metadata\":{}}}\n");
}

TEST_F(CommandsTest, SaysThatNoServerAnswers) {
  server_.Stop();
  EXPECT_EQ(RunCommand(HeadsCommand()), ExitCode::kUnreachable);
  EXPECT_THAT(err_.text(), HasSubstr("no migd answers at " + server_.address()));
}

TEST_F(CommandsTest, GivesUpWhenTheTimeoutPasses) {
  options_.timeout = absl::Milliseconds(50);
  server_.handlers.heads = [this](const HeadsRequest&, HeadsResponse*) {
    released_.Wait();
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(HeadsCommand()), ExitCode::kUnreachable);
  released_.Set();
  EXPECT_THAT(err_.text(), HasSubstr("did not answer in time"));
}

// --- history ---

// Three revisions, at most two on a page.
grpc::Status AnswerHistory(const HistoryRequest& request, HistoryResponse* page) {
  const std::vector<std::string> all = {"c", "b", "a"};
  const size_t first = request.page_token().empty() ? 0 : std::stoul(request.page_token());
  const size_t last = std::min({all.size(), first + 2, first + request.page_size()});
  for (size_t i = first; i < last; ++i) page->add_revisions()->set_revision(all[i]);
  if (last < all.size()) page->set_next_page_token(std::to_string(last));
  page->set_total_count(3);
  return grpc::Status::OK;
}

TEST_F(CommandsTest, HistoryMergesItsPagesIntoOneResponse) {
  options_.output = OutputFormat::kJson;
  server_.handlers.history = AnswerHistory;
  EXPECT_EQ(RunCommand(HistoryCommand()), ExitCode::kDone);

  HistoryResponse history;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(out_.text(), &history).ok());
  ASSERT_EQ(history.revisions_size(), 3);
  EXPECT_EQ(history.revisions(2).revision(), "a");
  EXPECT_EQ(history.next_page_token(), "");
  EXPECT_EQ(history.total_count(), 3);
}

TEST_F(CommandsTest, HistoryStopsAtItsLimitAndSaysThatThereIsMore) {
  server_.handlers.history = AnswerHistory;
  EXPECT_EQ(RunCommand(HistoryCommand{"", {}, 1}), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "<base> -> c, \n");
  EXPECT_THAT(err_.text(), HasSubstr("there are more revisions; a higher --limit"));
}

TEST_F(CommandsTest, HistoryAsksForWhatWasAskedFor) {
  server_.handlers.history = [](const HistoryRequest& request, HistoryResponse*) {
    EXPECT_EQ(request.range(), "-3:current");
    EXPECT_THAT(request.from(), ElementsAre("a", "b"));
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(HistoryCommand{"-3:current", {"a", "b"}, 0}), ExitCode::kDone);
}

TEST_F(CommandsTest, HistoryIsPrintedThoughTheDatabaseDoesNotAnswer) {
  server_.handlers.history = [](const HistoryRequest&, HistoryResponse* response) {
    response->add_revisions()->set_revision("a");
    response->mutable_database_error()->set_message("core does not answer");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(HistoryCommand()), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "<base> -> a, \n");
  EXPECT_EQ(err_.text(),
            "warning: which revisions are applied is not known: core does not answer\n");
}

TEST_F(CommandsTest, HistoryThatIsToMarkTheRowsFailsIfTheDatabaseDoesNotAnswer) {
  server_.handlers.history = [](const HistoryRequest&, HistoryResponse* response) {
    response->add_revisions()->set_revision("a");
    response->mutable_database_error()->set_code("UNAVAILABLE");
    response->mutable_database_error()->set_reason("DATABASE_UNAVAILABLE");
    response->mutable_database_error()->set_message("core does not answer");
    return grpc::Status::OK;
  };
  HistoryCommand command;
  command.indicate_current = true;
  EXPECT_EQ(RunCommand(command), ExitCode::kUnreachable);
  EXPECT_EQ(out_.text(), "");
  EXPECT_EQ(err_.text(), "error: core does not answer [DATABASE_UNAVAILABLE]\n");
}

TEST_F(CommandsTest, HistoryIsADiagramOnATerminalToo) {
  out_traits_ = Smart();
  server_.handlers.history = [](const HistoryRequest& request, HistoryResponse* response) {
    response->mutable_database_error()->set_message("core does not answer");
    return AnswerHistory(request, response);
  };
  HistoryCommand command;
  command.format = HistoryFormat::kDot;
  EXPECT_EQ(RunCommand(command), ExitCode::kDone);
  EXPECT_THAT(out_.text(), StartsWith("digraph history {\n"));
  command.format = HistoryFormat::kMermaid;
  EXPECT_EQ(RunCommand(command), ExitCode::kDone);
  EXPECT_THAT(out_.text(), HasSubstr("}\nflowchart BT\n"));
  EXPECT_EQ(err_.text(), "") << "a diagram of the files needs no database";
}

// --- heads ---

TEST_F(CommandsTest, HeadsResolvesDependenciesOnlyIfAsked) {
  server_.handlers.heads = [](const HeadsRequest& request, HeadsResponse* response) {
    response->add_revisions()->set_revision(request.resolve_dependencies() ? "b" : "a");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(HeadsCommand()), ExitCode::kDone);
  EXPECT_EQ(RunCommand(HeadsCommand{true, false}), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "a\nb\n");
}

// --- wait ---

using migration::v1::WaitRequest;
using migration::v1::WaitResponse;

WaitResponse Standing(WaitResponse::Outcome outcome, const std::string& row) {
  WaitResponse response;
  response.set_database("core");
  response.set_outcome(outcome);
  response.add_revisions(row);
  response.add_target_revisions("7c20");
  if (outcome == WaitResponse::OUTCOME_AHEAD_UNKNOWN) response.add_unknown_revisions(row);
  return response;
}

TEST_F(CommandsTest, WaitAsksForARevisionAndSaysWhereTheDatabaseIs) {
  options_.database = "core";
  server_.handlers.wait = [](const WaitRequest& request, WaitResponse* response) {
    EXPECT_EQ(request.database(), "core");
    EXPECT_EQ(request.revision(), "7c");
    EXPECT_FALSE(request.has_timeout());
    *response = Standing(WaitResponse::OUTCOME_AT, "7c20");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(WaitCommand{"7c", {}, false}), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "core is at 7c20\n");
  EXPECT_EQ(err_.text(), "");
}

TEST_F(CommandsTest, WaitSaysThatTheDatabaseIsBeyond) {
  server_.handlers.wait = [](const WaitRequest&, WaitResponse* response) {
    *response = Standing(WaitResponse::OUTCOME_AHEAD, "a91f");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(WaitCommand()), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "core is at a91f, beyond 7c20\n");
}

TEST_F(CommandsTest, WaitWarnsOfARevisionThatNoFileHasOrRefusesIt) {
  server_.handlers.wait = [](const WaitRequest&, WaitResponse* response) {
    *response = Standing(WaitResponse::OUTCOME_AHEAD_UNKNOWN, "zz99");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(WaitCommand()), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "core is at zz99\n");
  EXPECT_EQ(err_.text(),
            "warning: core is at zz99, and migd has no file of zz99: whether it has 7c20 is not "
            "known\n");
  EXPECT_EQ(RunCommand(WaitCommand{"", {}, true}), ExitCode::kCheckFailed);
  EXPECT_THAT(err_.text(), HasSubstr("error: core is at zz99, and migd has no file of zz99"));
}

TEST_F(CommandsTest, WaitWarnsWhereThereIsNothingToWaitFor) {
  server_.handlers.wait = [](const WaitRequest&, WaitResponse* response) {
    response->set_outcome(WaitResponse::OUTCOME_AT);
    response->set_database("core");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(WaitCommand()), ExitCode::kDone);
  EXPECT_THAT(err_.text(), HasSubstr("warning: migd has no migration files for core"));
}

TEST_F(CommandsTest, WaitPrintsTheResponseAsJson) {
  options_.output = OutputFormat::kJson;
  server_.handlers.wait = [](const WaitRequest&, WaitResponse* response) {
    *response = Standing(WaitResponse::OUTCOME_AHEAD_UNKNOWN, "zz99");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(WaitCommand()), ExitCode::kDone);
  EXPECT_THAT(out_.text(), StartsWith("{\"outcome\":\"OUTCOME_AHEAD_UNKNOWN\""));
  EXPECT_EQ(err_.text(), "");
}

TEST_F(CommandsTest, WaitEndsWithTheTimeThatItWasGiven) {
  server_.handlers.wait = [](const WaitRequest& request, WaitResponse*) {
    EXPECT_GT(request.timeout().seconds(), 200);
    EXPECT_LE(request.timeout().seconds(), 300);
    return ServiceStatus(grpc::StatusCode::DEADLINE_EXCEEDED, "WAIT_TIMEOUT",
                         "the database did not reach heads (7c20) within 5m: it is at a91f");
  };
  EXPECT_EQ(RunCommand(WaitCommand{"", absl::Minutes(5), false}), ExitCode::kUnreachable);
  EXPECT_EQ(err_.text(),
            "error: the database did not reach heads (7c20) within 5m: it is at a91f "
            "[WAIT_TIMEOUT]\n");
}

TEST_F(CommandsTest, WaitOutlastsAServerThatIsNotThere) {
  std::atomic<int> calls = 0;
  server_.handlers.wait = [&calls](const WaitRequest&, WaitResponse* response) {
    switch (++calls) {
      case 1:
        return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
      case 2:
        return ServiceStatus(grpc::StatusCode::UNAVAILABLE, "DRAINING", "migd is shutting down");
      default:
        *response = Standing(WaitResponse::OUTCOME_AT, "7c20");
        return grpc::Status::OK;
    }
  };
  EXPECT_EQ(RunCommand(WaitCommand()), ExitCode::kDone);
  EXPECT_EQ(calls, 3);
  EXPECT_THAT(err_.text(), HasSubstr("Socket closed; trying again\n"));
  EXPECT_THAT(err_.text(), HasSubstr("migd is shutting down; trying again\n"));
}

TEST_F(CommandsTest, WaitGivesUpOnAServerThatIsNotThereWhenTheTimeIsOver) {
  server_.Stop();
  EXPECT_EQ(RunCommand(WaitCommand{"", absl::Milliseconds(600), false}), ExitCode::kUnreachable);
  EXPECT_THAT(err_.text(), HasSubstr("error: no migd answers at " + server_.address()));
  EXPECT_THAT(err_.text(), HasSubstr("; trying again\n"));
}

TEST_F(CommandsTest, WaitForNoTimeLooksOnce) {
  std::atomic<int> calls = 0;
  server_.handlers.wait = [&calls](const WaitRequest& request, WaitResponse*) {
    ++calls;
    EXPECT_TRUE(request.has_timeout());
    EXPECT_EQ(request.timeout().seconds(), 0);
    EXPECT_EQ(request.timeout().nanos(), 0);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  };
  EXPECT_EQ(RunCommand(WaitCommand{"", absl::ZeroDuration(), false}), ExitCode::kUnreachable);
  EXPECT_EQ(calls, 1);
}

TEST_F(CommandsTest, WaitDoesNotRepeatWhatTheServiceRefuses) {
  std::atomic<int> calls = 0;
  server_.handlers.wait = [&calls](const WaitRequest&, WaitResponse*) {
    ++calls;
    return ServiceStatus(grpc::StatusCode::NOT_FOUND, "UNKNOWN_REVISION", "no revision zz");
  };
  EXPECT_EQ(RunCommand(WaitCommand{"zz", {}, false}), ExitCode::kFailed);
  EXPECT_EQ(calls, 1);
}

TEST_F(CommandsTest, WaitDoesNotTrustAServerThatForgetsTheTime) {
  server_.handlers.wait = [this](const WaitRequest&, WaitResponse*) {
    released_.Wait();
    return grpc::Status::OK;
  };
  options_.timeout = absl::Milliseconds(100);
  EXPECT_EQ(RunCommand(WaitCommand{"", absl::Milliseconds(50), false}), ExitCode::kUnreachable);
  released_.Set();
  EXPECT_THAT(err_.text(), HasSubstr("did not answer in time"));
}

// --- health, version ---

TEST_F(CommandsTest, HealthHoldsWhileTheServerTakesCalls) {
  server_.handlers.health = [](const auto& request, auto* response) {
    EXPECT_EQ(request.service(), "migration.v1.MigrationService");
    response->set_status(grpc::health::v1::HealthCheckResponse::SERVING);
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(HealthCommand{"migration.v1.MigrationService"}), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "SERVING\n");
}

TEST_F(CommandsTest, HealthFailsACheckWhileItTakesNone) {
  server_.handlers.health = [](const auto&, auto* response) {
    response->set_status(grpc::health::v1::HealthCheckResponse::NOT_SERVING);
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(HealthCommand()), ExitCode::kCheckFailed);
  EXPECT_EQ(out_.text(), "NOT_SERVING\n");
  EXPECT_THAT(err_.text(), HasSubstr("hint:  it is starting or stopping: see its log"));
  EXPECT_EQ(RunCommand(HealthCommand{"database/app"}), ExitCode::kCheckFailed);
  EXPECT_THAT(err_.text(), HasSubstr("cannot reach the database"));
}

TEST_F(CommandsTest, HealthNamesAServiceThatIsNotThere) {
  server_.handlers.health = [](const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "service name unknown");
  };
  EXPECT_EQ(RunCommand(HealthCommand{"frob"}), ExitCode::kFailed);
  EXPECT_THAT(err_.text(), HasSubstr("has no service \"frob\""));
}

TEST_F(CommandsTest, VersionNeedsNoServer) {
  server_.Stop();
  EXPECT_EQ(RunCommand(VersionCommand()), ExitCode::kDone);
  EXPECT_THAT(out_.text(), StartsWith("migctl "));
}

// --- upgrade ---

TEST_F(CommandsTest, UpgradeShowsProgressOnStderrAndItsResultOnStdout) {
  server_.handlers.upgrade = [](grpc::ServerContext*, const UpgradeRequest& request,
                                FakeServer::Events* events) {
    EXPECT_EQ(request.target(), "head");
    EXPECT_EQ(request.options().lock_timeout().seconds(), 2);
    EXPECT_FALSE(request.options().has_mutex_timeout());
    events->Write(Accepted(1));
    events->Write(Started(2, "7c20", 2));
    events->Write(StepDone(3, "7c20", 20100, 20));
    events->Write(Succeeded(4, 1, {"7c20"}));
    return grpc::Status::OK;
  };
  RunSettings run;
  run.lock_timeout = absl::Seconds(2);
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", run}), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "Upgraded core to 7c20: 1 revision in 20.1s\n");
  EXPECT_EQ(err_.text(),
            "2026-08-22T10:04:11Z accepted operation=7k2m database=core action=upgrade "
            "targets=head\n"
            "2026-08-22T10:04:11Z applying 7c20 statement=1/2\n"
            "2026-08-22T10:04:31Z applied  7c20 duration=20.1s\n");
}

TEST_F(CommandsTest, UpgradePrintsOneJsonObjectPerEvent) {
  options_.output = OutputFormat::kJson;
  server_.handlers.upgrade = [](grpc::ServerContext*, const UpgradeRequest&,
                                FakeServer::Events* events) {
    events->Write(Accepted(1));
    events->Write(Succeeded(2, 0, {"7c20"}));
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", {}}), ExitCode::kDone);
  const std::string out = out_.text();
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2);
  EXPECT_THAT(out, HasSubstr("\"operation_finished\":{\"state\":\"STATE_SUCCEEDED\""));
  EXPECT_EQ(err_.text(), "");
}

TEST_F(CommandsTest, UpgradeRedrawsALiveLineOnATerminal) {
  err_traits_ = Smart();
  server_.handlers.upgrade = [this](grpc::ServerContext*, const UpgradeRequest&,
                                    FakeServer::Events* events) {
    events->Write(Accepted(1));
    events->Write(Started(2, "7c20", 2));
    EXPECT_TRUE(err_.WaitFor("   Applying  7c20 message of 7c20  [1/2]"));
    events->Write(StepDone(3, "7c20", 20100));
    events->Write(Succeeded(4, 1, {"7c20"}));
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", {}}), ExitCode::kDone);
  EXPECT_THAT(err_.text(), HasSubstr("    Started  operation 7k2m on core\n"));
  EXPECT_THAT(err_.text(), HasSubstr("    Applied  7c20 message of 7c20  20.1s\n"));
}

TEST_F(CommandsTest, ReportsTheErrorOfAFailedOperationOnce) {
  server_.handlers.upgrade = [](grpc::ServerContext*, const UpgradeRequest&,
                                FakeServer::Events* events) {
    events->Write(Accepted(1));
    events->Write(Ended(2, Operation::STATE_FAILED, "FAILED_PRECONDITION", "STATEMENT_FAILED",
                        "revision 7c20 failed"));
    return ServiceStatus(grpc::StatusCode::FAILED_PRECONDITION, "STATEMENT_FAILED",
                         "revision 7c20 failed");
  };
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", {}}), ExitCode::kFailed);
  const std::string err = err_.text();
  const std::string report = "error: revision 7c20 failed [STATEMENT_FAILED]\n";
  EXPECT_NE(err.find(report), std::string::npos) << err;
  EXPECT_EQ(err.find("error:"), err.rfind("error:")) << err;
}

TEST_F(CommandsTest, ReportsAnErrorThatComesBeforeAnyOperation) {
  server_.handlers.upgrade = [](grpc::ServerContext*, const UpgradeRequest&, FakeServer::Events*) {
    return ServiceStatus(grpc::StatusCode::UNAVAILABLE, "DRAINING", "migd is shutting down");
  };
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", {}}), ExitCode::kUnreachable);
  EXPECT_EQ(err_.text(), "error: migd is shutting down [DRAINING]\n");
}

TEST_F(CommandsTest, NamesTheRequestIdWhenItIsNotKnownWhetherTheOperationWasAccepted) {
  options_.timeout = absl::Milliseconds(50);
  server_.handlers.upgrade = [](grpc::ServerContext* context, const UpgradeRequest&,
                                FakeServer::Events*) {
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  };
  RunSettings run;
  run.request_id = "0b9c5d0e-3f0a-4c8e-9d53-6f1f8a3c2b71";
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", run}), ExitCode::kUnreachable);
  EXPECT_THAT(err_.text(), HasSubstr("the same command with --request-id "
                                     "0b9c5d0e-3f0a-4c8e-9d53-6f1f8a3c2b71 attaches to it"));
}

TEST_F(CommandsTest, NamesNoRequestIdToWhoHasGivenOne) {
  options_.timeout = absl::Milliseconds(50);
  server_.handlers.upgrade = [](grpc::ServerContext* context, const UpgradeRequest&,
                                FakeServer::Events*) {
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  };
  RunSettings run;
  run.request_id = "0b9c5d0e-3f0a-4c8e-9d53-6f1f8a3c2b71";
  run.is_repeatable = true;
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", run}), ExitCode::kUnreachable);
  EXPECT_THAT(err_.text(), HasSubstr("may have accepted it; the same command attaches to it"));
}

TEST_F(CommandsTest, NamesTheConfirmationOfACallThatWasConfirmedBeforehand) {
  options_.timeout = absl::Milliseconds(500);
  server_.handlers.plan = [](const migration::v1::PlanRequest&,
                             migration::v1::PlanResponse* response) {
    response->set_confirmation("c0de");
    return grpc::Status::OK;
  };
  server_.handlers.upgrade = [](grpc::ServerContext* context, const UpgradeRequest& request,
                                FakeServer::Events*) {
    EXPECT_EQ(request.options().confirmation(), "c0de");
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  };
  RunSettings run;
  run.request_id = "0b9c5d0e-3f0a-4c8e-9d53-6f1f8a3c2b71";
  run.yes = true;
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", run}), ExitCode::kUnreachable);
  EXPECT_THAT(err_.text(), HasSubstr("--request-id 0b9c5d0e-3f0a-4c8e-9d53-6f1f8a3c2b71 "
                                     "--confirmation c0de in place of --yes attaches to it"));
}

TEST_F(CommandsTest, SaysHowToFollowAnOperationThatOutlastsTheTimeout) {
  options_.timeout = absl::Milliseconds(500);
  server_.handlers.upgrade = [](grpc::ServerContext* context, const UpgradeRequest&,
                                FakeServer::Events* events) {
    events->Write(Accepted(1));
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  };
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", {}}), ExitCode::kUnreachable);
  EXPECT_THAT(err_.text(), HasSubstr("operation 7k2m goes on in the server"));
  EXPECT_THAT(err_.text(), HasSubstr("migctl operations watch 7k2m"));
}

// --- broken streams ---

TEST_F(CommandsTest, GoesOnAfterTheLastEventWhenTheStreamBreaks) {
  options_.output = OutputFormat::kJson;
  server_.handlers.upgrade = [](grpc::ServerContext*, const UpgradeRequest&,
                                FakeServer::Events* events) {
    events->Write(Accepted(1));
    events->Write(Started(2, "7c20", 1));
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  };
  server_.handlers.watch = [](grpc::ServerContext*, const WatchOperationRequest& request,
                              FakeServer::Events* events) {
    EXPECT_EQ(request.operation(), "7k2m");
    EXPECT_EQ(request.after_sequence(), 2);
    events->Write(Started(2, "7c20", 1));  // A replay that overlaps is not shown twice.
    events->Write(StepDone(3, "7c20", 10));
    events->Write(Succeeded(4, 1, {"7c20"}));
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", {}}), ExitCode::kDone);
  const std::string out = out_.text();
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 4) << out;
}

TEST_F(CommandsTest, GoesOnWhenAServerThatStopsEndsTheStreamTooEarly) {
  server_.handlers.upgrade = [](grpc::ServerContext*, const UpgradeRequest&,
                                FakeServer::Events* events) {
    events->Write(Accepted(1));
    return grpc::Status::OK;
  };
  server_.handlers.watch = [](grpc::ServerContext*, const WatchOperationRequest&,
                              FakeServer::Events* events) {
    events->Write(Succeeded(2, 1, {"7c20"}));
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", {}}), ExitCode::kDone);
  EXPECT_THAT(err_.text(), HasSubstr("watching operation 7k2m again"));
  EXPECT_THAT(err_.text(), HasSubstr("connected to migd again\n"));
}

TEST_F(CommandsTest, ReportsWhyAnOperationCannotBeWatchedAnyMore) {
  server_.handlers.upgrade = [](grpc::ServerContext*, const UpgradeRequest&,
                                FakeServer::Events* events) {
    events->Write(Accepted(1));
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  };
  server_.handlers.watch = [](grpc::ServerContext*, const WatchOperationRequest&,
                              FakeServer::Events*) {
    return ServiceStatus(grpc::StatusCode::NOT_FOUND, "UNKNOWN_OPERATION", "no operation 7k2m");
  };
  EXPECT_EQ(RunCommand(UpgradeCommand{"head", {}}), ExitCode::kFailed);
  EXPECT_THAT(err_.text(), HasSubstr("no operation 7k2m [UNKNOWN_OPERATION]"));
}

// Follows with settings of the test's own, so that it need not wait for the backoff.
TEST_F(CommandsTest, GivesUpOnALostServerAndSaysThatTheOperationGoesOn) {
  server_.handlers.watch = [this](grpc::ServerContext*, const WatchOperationRequest& request,
                                  FakeServer::Events* events) {
    if (request.after_sequence() == 0) events->Write(Accepted(1));
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  };
  Terminal out(out_.Sink(), out_traits_);
  Terminal err(err_.Sink(), err_traits_);
  Output output(OutputFormat::kText, out, err);
  const auto connection = Connect(options_);
  ProgressObserver observer(MakeProgressView(output), output);
  migration_client::FollowSettings settings;
  settings.patience = absl::Milliseconds(20);
  settings.first_pause = absl::Milliseconds(1);
  migration_client::OperationFollower follower(**connection, observer, settings);

  const auto error =
      follower.Follow([](Connection::Migrations& migrations, grpc::ClientContext* context) {
        return migrations.WatchOperation(context, WatchOperationRequest());
      });

  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(ExitCodeOf(*error), ExitCode::kUnreachable);
  EXPECT_THAT(error->message(), HasSubstr("operation 7k2m goes on in the server"));
  EXPECT_EQ(error->hint(), "follow it with: migctl operations watch 7k2m");
}

// --- Ctrl-C ---

TEST_F(CommandsTest, TheFirstInterruptCancelsTheOperationAndWaitsForItsEnd) {
  server_.handlers.upgrade = [this](grpc::ServerContext*, const UpgradeRequest&,
                                    FakeServer::Events* events) {
    events->Write(Accepted(1));
    EXPECT_TRUE(released_.Wait());
    events->Write(Ended(2, Operation::STATE_CANCELLED, "CANCELLED", "OPERATION_CANCELLED",
                        "operation 7k2m was cancelled"));
    return ServiceStatus(grpc::StatusCode::CANCELLED, "OPERATION_CANCELLED",
                         "operation 7k2m was cancelled");
  };
  server_.handlers.cancel = [this](const CancelOperationRequest& request,
                                   CancelOperationResponse*) {
    EXPECT_EQ(request.operation(), "7k2m");
    released_.Set();
    return grpc::Status::OK;
  };
  std::future<ExitCode> exit_code = StartUpgrade();
  ASSERT_TRUE(err_.WaitFor("accepted operation=7k2m"));
  EXPECT_TRUE(interrupts_.Raise());
  EXPECT_EQ(exit_code.get(), ExitCode::kInterrupted);
  EXPECT_THAT(err_.text(), HasSubstr("asking migd to cancel the operation"));
  EXPECT_THAT(err_.text(), HasSubstr("error: operation 7k2m was cancelled"));
}

TEST_F(CommandsTest, TheSecondInterruptLeavesAtOnce) {
  server_.handlers.upgrade = [](grpc::ServerContext* context, const UpgradeRequest&,
                                FakeServer::Events* events) {
    events->Write(Accepted(1));
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  };
  server_.handlers.cancel = [](const CancelOperationRequest&, CancelOperationResponse*) {
    return grpc::Status::OK;
  };
  std::future<ExitCode> exit_code = StartUpgrade();
  ASSERT_TRUE(err_.WaitFor("accepted operation=7k2m"));
  interrupts_.Raise();
  interrupts_.Raise();
  EXPECT_EQ(exit_code.get(), ExitCode::kInterrupted);
  EXPECT_THAT(err_.text(), HasSubstr("left operation 7k2m before "));
  EXPECT_THAT(err_.text(), HasSubstr("migctl operations watch 7k2m"));
}

TEST_F(CommandsTest, AnInterruptBeforeTheFirstEventCancelsAsSoonAsTheOperationIsKnown) {
  server_.handlers.upgrade = [this](grpc::ServerContext*, const UpgradeRequest&,
                                    FakeServer::Events* events) {
    called_.Set();
    EXPECT_TRUE(interrupted_.Wait());
    events->Write(Accepted(1));
    EXPECT_TRUE(released_.Wait());
    events->Write(Ended(2, Operation::STATE_CANCELLED, "CANCELLED", "OPERATION_CANCELLED", "gone"));
    return grpc::Status::OK;
  };
  server_.handlers.cancel = [this](const CancelOperationRequest&, CancelOperationResponse*) {
    released_.Set();
    return grpc::Status::OK;
  };
  std::future<ExitCode> exit_code = StartUpgrade();
  ASSERT_TRUE(called_.Wait());
  interrupts_.Raise();
  interrupted_.Set();
  EXPECT_EQ(exit_code.get(), ExitCode::kInterrupted);
}

TEST_F(CommandsTest, SaysThatTheServerCouldNotBeAskedToCancel) {
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
  EXPECT_TRUE(err_.WaitFor("could not ask migd to cancel: not you"));
  interrupts_.Raise();
  EXPECT_EQ(exit_code.get(), ExitCode::kInterrupted);
}

TEST_F(CommandsTest, AnInterruptOfWatchCancelsNothing) {
  server_.handlers.watch = [](grpc::ServerContext* context, const WatchOperationRequest&,
                              FakeServer::Events* events) {
    events->Write(Accepted(1));
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::CANCELLED;
  };
  server_.handlers.cancel = [](const CancelOperationRequest&, CancelOperationResponse*) {
    ADD_FAILURE() << "was asked to cancel";
    return grpc::Status::OK;
  };
  std::future<ExitCode> exit_code = std::async(std::launch::async, [this] {
    return RunCommand(WatchOperationCommand{"7k2m", 0});
  });
  ASSERT_TRUE(err_.WaitFor("accepted operation=7k2m"));
  interrupts_.Raise();
  EXPECT_EQ(exit_code.get(), ExitCode::kInterrupted);
  EXPECT_THAT(err_.text(), HasSubstr("left operation 7k2m"));
}

TEST(Interrupts, AreNotTakenWithoutASubscription) {
  Interrupts interrupts;
  int raised = 0;
  {
    const Interrupts::Subscription subscription(interrupts, [&raised] { ++raised; });
    EXPECT_TRUE(interrupts.Raise());
  }
  EXPECT_FALSE(interrupts.Raise());
  EXPECT_EQ(raised, 1);
}

// --- operations ---

TEST_F(CommandsTest, WatchTellsHowTheOperationEndedByItsExitCode) {
  server_.handlers.watch = [](grpc::ServerContext*, const WatchOperationRequest& request,
                              FakeServer::Events* events) {
    EXPECT_EQ(request.after_sequence(), 1);
    events->Write(Ended(2, Operation::STATE_FAILED, "ABORTED", "LOCK_TIMEOUT", "no lock"));
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(WatchOperationCommand{"7k2m", 1}), ExitCode::kFailed);
  EXPECT_THAT(err_.text(), HasSubstr("error: no lock [LOCK_TIMEOUT]"));
}

TEST_F(CommandsTest, ListAsksForTheStatesThatWereNamed) {
  server_.handlers.list = [](const migration::v1::ListOperationsRequest& request,
                             migration::v1::ListOperationsResponse* response) {
    EXPECT_THAT(request.states(), ElementsAre(Operation::STATE_RUNNING));
    EXPECT_EQ(request.page_size(), 20);
    response->add_operations()->set_operation("7k2m");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(ListOperationsCommand{{Operation::STATE_RUNNING}, 20}), ExitCode::kDone);
  EXPECT_THAT(out_.text(), StartsWith("7k2m"));
}

TEST_F(CommandsTest, ListWarnsOfDatabasesThatCouldNotBeAsked) {
  server_.handlers.list = [](const migration::v1::ListOperationsRequest& request,
                             migration::v1::ListOperationsResponse* response) {
    response->add_operations()->set_operation("7k2m");
    if (request.page_token().empty()) response->set_next_page_token("more");
    response->add_database_errors()->set_message("shop does not answer");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(ListOperationsCommand{{Operation::STATE_INTERRUPTED}, 20}), ExitCode::kDone);
  EXPECT_EQ(err_.text(), "warning: the list may lack operations: shop does not answer\n");
}

TEST_F(CommandsTest, ListSaysThatItWasCutOff) {
  server_.handlers.list = [](const migration::v1::ListOperationsRequest&,
                             migration::v1::ListOperationsResponse* response) {
    response->add_operations()->set_operation("7k2m");
    response->set_next_page_token("more");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(ListOperationsCommand{{}, 1}), ExitCode::kDone);
  EXPECT_EQ(err_.text(), "there are older operations; a higher --limit shows them\n");
}

TEST_F(CommandsTest, ShowOperationTellsWhereItIs) {
  server_.handlers.get = [](const migration::v1::GetOperationRequest&,
                            migration::v1::GetOperationResponse* response) {
    *response->mutable_operation() =
        Snapshot(5, Operation::STATE_RUNNING).operation_snapshot().operation();
    response->mutable_operation()->set_attempt(2);
    response->mutable_operation()->set_server("db1:4711");
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(ShowOperationCommand{"7k2m"}), ExitCode::kDone);
  EXPECT_THAT(out_.text(), HasSubstr("position:   step 2 of 3, 7c20, statement 2 of 4\n"));
  EXPECT_THAT(out_.text(), HasSubstr("attempt:    2\n"));
  EXPECT_THAT(out_.text(), HasSubstr("server:     db1:4711\n"));
}

TEST_F(CommandsTest, CancelSaysWhatBecameOfIt) {
  server_.handlers.cancel = [](const CancelOperationRequest& request,
                               CancelOperationResponse* response) {
    response->mutable_operation()->set_operation(request.operation());
    response->mutable_operation()->set_state(Operation::STATE_RUNNING);
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(CancelOperationCommand{"7k2m"}), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "asked operation 7k2m to stop; it was running\n");
}

TEST_F(CommandsTest, PlanSendsItsTargetsAndStartingPoints) {
  server_.handlers.plan = [](const migration::v1::PlanRequest& request,
                             migration::v1::PlanResponse*) {
    EXPECT_EQ(request.action(), migration::v1::ACTION_DOWNGRADE);
    EXPECT_THAT(request.targets(), ElementsAre("-1"));
    EXPECT_THAT(request.from(), ElementsAre("a"));
    return grpc::Status::OK;
  };
  EXPECT_EQ(RunCommand(PlanCommand{migration::v1::ACTION_DOWNGRADE, {"-1"}, {"a"}, false}),
            ExitCode::kDone);
  EXPECT_THAT(out_.text(), StartsWith("nothing to do"));
}

TEST(ChannelTarget, AddsTheDefaultPortToAHost) {
  EXPECT_EQ(migration_client::ChannelTarget("db.internal"), "db.internal:7433");
  EXPECT_EQ(migration_client::ChannelTarget("127.0.0.1:1"), "127.0.0.1:1");
  EXPECT_EQ(migration_client::ChannelTarget("unix:/run/migd"), "unix:/run/migd");
}

// --- --sql ---

TEST_F(CommandsTest, AScriptGoesToStdoutPieceByPiece) {
  options_.database = "core";
  server_.handlers.render = [](const migration::v1::RenderScriptRequest& request,
                               FakeServer::Pieces* pieces) {
    EXPECT_EQ(request.database(), "core");
    EXPECT_EQ(request.action(), migration::v1::ACTION_STAMP);
    EXPECT_THAT(request.targets(), ElementsAre("a:b", "c"));
    EXPECT_THAT(request.from(), ElementsAre("x"));
    EXPECT_EQ(request.options().lock_timeout().seconds(), 3);
    for (const char* sql : {"BEGIN;\nSEL", "ECT 1;\n"}) {
      migration::v1::RenderScriptResponse piece;
      piece.set_sql(sql);
      pieces->Write(piece);
    }
    return grpc::Status::OK;
  };
  ScriptCommand command{migration::v1::ACTION_STAMP, {"a:b", "c"}, {"x"}, {}};
  command.run.lock_timeout = absl::Seconds(3);
  EXPECT_EQ(RunCommand(command), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "BEGIN;\nSELECT 1;\n");
  EXPECT_EQ(err_.text(), "");
}

TEST_F(CommandsTest, AScriptThatEndsEarlyIsAnError) {
  server_.handlers.render = [](const migration::v1::RenderScriptRequest&,
                               FakeServer::Pieces* pieces) {
    migration::v1::RenderScriptResponse piece;
    piece.set_sql("BEGIN;\n");
    pieces->Write(piece);
    return ServiceStatus(grpc::StatusCode::INTERNAL, "INTERNAL", "no more");
  };
  EXPECT_EQ(RunCommand(ScriptCommand()), ExitCode::kFailed);
  EXPECT_EQ(out_.text(), "BEGIN;\n");
  EXPECT_THAT(err_.text(), HasSubstr("error: no more"));
}

// --- revision and merge ---

class ComposeTest : public CommandsTest {
 protected:
  ComposeTest() {
    Compose("7c20_add.sql");
    server_.handlers.show = [](const migration::v1::ShowRequest&, migration::v1::ShowResponse*) {
      return grpc::Status::OK;
    };
    command_.message = "add";
    command_.directory = directory_.path();
  }

  void Compose(const std::string& path) {
    server_.handlers.compose = [path](const migration::v1::ComposeRevisionRequest& request,
                                      migration::v1::ComposeRevisionResponse* response) {
      EXPECT_EQ(request.message(), "add");
      response->mutable_revision()->set_revision("7c20");
      response->mutable_revision()->set_path(path);
      response->set_content("-- add\n");
      return grpc::Status::OK;
    };
  }

  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  std::string Contents(const std::string& name) const {
    std::ifstream file(directory_.path() + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  migd::TemporaryDirectory directory_;
  ComposeCommand command_;
};

TEST_F(ComposeTest, SavesWhatTheServerComposes) {
  EXPECT_EQ(RunCommand(command_), ExitCode::kDone);
  EXPECT_EQ(out_.text(), "Created " + directory_.path() + "/7c20_add.sql\n");
  EXPECT_EQ(err_.text(), "");
  EXPECT_THAT(Files(), ElementsAre("7c20_add.sql"));
  EXPECT_EQ(Contents("7c20_add.sql"), "-- add\n");
}

TEST_F(ComposeTest, DoesNotReplaceAFile) {
  directory_.Write("7c20_add.sql", "mine");
  EXPECT_EQ(RunCommand(command_), ExitCode::kFailed);
  EXPECT_THAT(err_.text(), HasSubstr("7c20_add.sql: File exists"));
  EXPECT_THAT(Files(), ElementsAre("7c20_add.sql"));
  EXPECT_EQ(Contents("7c20_add.sql"), "mine");
}

TEST_F(ComposeTest, NamesADirectoryThatIsNotThere) {
  command_.directory = directory_.path() + "/nowhere";
  EXPECT_EQ(RunCommand(command_), ExitCode::kFailed);
  EXPECT_THAT(err_.text(), HasSubstr("nowhere/7c20_add.sql: No such file or directory"));
  EXPECT_THAT(err_.text(), HasSubstr("--migrations DIR"));
}

TEST_F(ComposeTest, SavesNothingOutsideTheDirectory) {
  for (const char* path : {"../7c20.sql", "/tmp/7c20.sql", "a/b.sql", ".hidden.sql", ""}) {
    Compose(path);
    EXPECT_EQ(RunCommand(command_), ExitCode::kFailed) << path;
  }
  EXPECT_THAT(Files(), testing::IsEmpty());
}

TEST_F(ComposeTest, SaysIfTheServerReadsOtherFiles) {
  server_.handlers.show = [](const migration::v1::ShowRequest& request,
                             migration::v1::ShowResponse*) {
    EXPECT_EQ(request.revision(), "7c20");
    return ServiceStatus(grpc::StatusCode::NOT_FOUND, "UNKNOWN_REVISION", "no revision");
  };
  EXPECT_EQ(RunCommand(command_), ExitCode::kDone);
  EXPECT_THAT(err_.text(), HasSubstr("migd does not see 7c20"));
}

TEST_F(ComposeTest, PrintsTheAnswerAsJson) {
  options_.output = OutputFormat::kJson;
  EXPECT_EQ(RunCommand(command_), ExitCode::kDone);
  EXPECT_THAT(out_.text(), HasSubstr("\"path\":\"7c20_add.sql\""));
}

}  // namespace
}  // namespace migctl
