#include "service/operation/operation_manager.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "tests/support/event_text.h"
#include "tests/support/fake_workspace.h"

namespace migd {
namespace {

using migration::v1::ErrorReason;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using State = migration::v1::Operation;
using OperationPointer = std::shared_ptr<Operation>;

constexpr char kRequestId[] = "c0ffee00-0000-4000-8000-000000000001";

// Until `condition` holds, for a minute at most.
template <typename Condition>
bool Eventually(Condition condition) {
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

// Waits for the end of `operation`.
State::State EndOf(const OperationPointer& operation) {
  EXPECT_TRUE(Eventually([&] { return operation->finished(); }));
  return operation->Snapshot().state();
}

std::vector<std::string> EventsOf(const Operation& operation) {
  std::vector<std::string> events;
  for (auto event = operation.EventAfter(0); event != nullptr;
       event = operation.EventAfter(event->sequence())) {
    events.push_back(Brief(*event));
  }
  return events;
}

class OperationManagerTest : public ::testing::Test {
 protected:
  OperationManagerTest() { fake_.Write({"a", "", "\nCREATE TABLE a (x int);\n"}); }

  static OperationRequest Request(const std::string& target = "head") {
    OperationRequest request;
    request.database = "app";
    request.action = migration::v1::ACTION_UPGRADE;
    request.targets = {target};
    return request;
  }

  OperationPointer Start(const OperationRequest& request = Request()) {
    auto operation = manager_.Start(fake_.workspace(), request);
    EXPECT_TRUE(operation.ok()) << operation.status();
    return *operation;
  }

  // An operation that runs until it is cancelled.
  OperationPointer StartEndless() {
    fake_.Write({"a", "", "\nSELECT pg_sleep(600);\n"});
    OperationPointer operation = Start();
    EXPECT_TRUE(fake_.database().AwaitBlockedStatement());
    return operation;
  }

  FakeWorkspace fake_;
  OperationManager manager_;
};

TEST_F(OperationManagerTest, RunsAnOperationToItsEnd) {
  const OperationPointer operation = Start();
  EXPECT_EQ(EndOf(operation), State::STATE_SUCCEEDED);
  EXPECT_THAT(EventsOf(*operation),
              ElementsAre("accepted head", "plan a", "start a 1/1", "statement a 1/1 CREATE TABLE",
                          "finish a {a}", "end STATE_SUCCEEDED {a}"));
  EXPECT_EQ(fake_.database().log()[0].operation, operation->id());
}

TEST_F(OperationManagerTest, AFailureIsTheEndOfTheOperationNotOfTheManager) {
  const OperationPointer failed = Start(Request("nowhere"));
  EXPECT_EQ(EndOf(failed), State::STATE_FAILED);
  EXPECT_EQ(errors::ReasonOf(failed->final_status()), ErrorReason::ERROR_REASON_UNKNOWN_REVISION);
  EXPECT_EQ(EndOf(Start()), State::STATE_SUCCEEDED);
}

// --- request_id ---

TEST_F(OperationManagerTest, TheSameRequestAttachesToTheOperationThatItMade) {
  OperationRequest request = Request();
  request.request_id = kRequestId;
  const OperationPointer first = Start(request);
  EXPECT_EQ(Start(request), first);
  EndOf(first);
  EXPECT_EQ(Start(request), first);
  EXPECT_THAT(manager_.List({}), SizeIs(1));
}

TEST_F(OperationManagerTest, TheSameRequestIdWithAnotherContentIsRefused) {
  OperationRequest request = Request();
  request.request_id = kRequestId;
  const OperationPointer first = Start(request);
  request.targets = {"a"};
  const auto refused = manager_.Start(fake_.workspace(), request);
  EXPECT_EQ(errors::ReasonOf(refused.status()), ErrorReason::ERROR_REASON_REQUEST_ID_REUSED);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr(first->id()));
}

TEST_F(OperationManagerTest, RequestsWithoutAnIdAreNeverTheSame) { EXPECT_NE(Start(), Start()); }

TEST_F(OperationManagerTest, ManyRepetitionsAtOnceMakeOneOperation) {
  OperationRequest request = Request();
  request.request_id = kRequestId;
  std::vector<OperationPointer> operations(16);
  std::vector<std::thread> callers;
  for (OperationPointer& operation : operations) {
    callers.emplace_back([&] { operation = Start(request); });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_THAT(operations, Each(operations.front()));
  EXPECT_EQ(EndOf(operations.front()), State::STATE_SUCCEEDED);
  EXPECT_THAT(fake_.database().log(), SizeIs(1));
}

// --- One at a time ---

TEST_F(OperationManagerTest, TheNextWaitsForTheOneBeforeItAndNamesIt) {
  const OperationPointer first = StartEndless();
  const OperationPointer second = Start();
  EXPECT_TRUE(Eventually([&] { return second->Snapshot().last_sequence() == 2; }));
  EXPECT_THAT(EventsOf(*second),
              ElementsAre("accepted head", "waiting for operation " + first->id()));
  EXPECT_EQ(second->Snapshot().state(), State::STATE_PENDING);

  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\n"});
  first->cancellation().Request("make way");
  EXPECT_EQ(EndOf(first), State::STATE_CANCELLED);
  EXPECT_EQ(EndOf(second), State::STATE_SUCCEEDED);
}

TEST_F(OperationManagerTest, DatabasesDoNotWaitForOneAnother) {
  StartEndless();
  FakeWorkspace other;
  other.Write({"a", ""});
  {
    OperationManager manager;
    const auto operation = manager.Start(other.workspace(), Request());
    EXPECT_EQ(EndOf(*operation), State::STATE_SUCCEEDED);
  }
}

TEST_F(OperationManagerTest, APendingOneGivesUpAtItsDeadline) {
  StartEndless();
  OperationRequest request = Request();
  request.mutex_timeout = absl::Milliseconds(5);
  const OperationPointer second = Start(request);
  EXPECT_EQ(EndOf(second), State::STATE_FAILED);
  EXPECT_EQ(second->Snapshot().error().reason(), "MUTEX_TIMEOUT");
}

TEST_F(OperationManagerTest, APendingOneCanBeCancelled) {
  const OperationPointer first = StartEndless();
  const OperationPointer second = Start();
  second->cancellation().Request("not needed any more");
  EXPECT_EQ(EndOf(second), State::STATE_CANCELLED);
  EXPECT_FALSE(first->finished());
}

TEST_F(OperationManagerTest, ARunningOneCanBeCancelled) {
  const OperationPointer operation = StartEndless();
  operation->cancellation().Request("somebody asked for it");
  EXPECT_EQ(EndOf(operation), State::STATE_CANCELLED);
  EXPECT_THAT(fake_.database().ReadRows().value(), IsEmpty());
}

// --- Finding and listing ---

TEST_F(OperationManagerTest, FindsByIdAndByTheBeginningOfOne) {
  const OperationPointer operation = Start();
  EXPECT_EQ(*manager_.Find(operation->id()), operation);
  EXPECT_EQ(*manager_.Find(operation->id().substr(0, 4)), operation);
}

TEST_F(OperationManagerTest, DoesNotFindWhatIsUnknown) {
  Start();
  EXPECT_EQ(errors::ReasonOf(manager_.Find("nothing-like-it").status()),
            ErrorReason::ERROR_REASON_UNKNOWN_OPERATION);
}

TEST_F(OperationManagerTest, AnEmptyIdIsRefusedEvenIfThereIsOneOperationOnly) {
  Start();
  const absl::Status status = manager_.Find("").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_INVALID_REQUEST);
}

TEST_F(OperationManagerTest, AnIdThatSeveralBeginWithIsRefusedWithThem) {
  // With more operations than letters, two ids begin with the same one.
  std::string first_letters;
  while (true) {
    const std::string id = Start()->id();
    const char letter = id.front();
    if (first_letters.find(letter) != std::string::npos) {
      const absl::Status status = manager_.Find(std::string(1, letter)).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_INVALID_REQUEST);
      EXPECT_THAT(std::string(status.message()), HasSubstr("several ids begin with"));
      EXPECT_THAT(errors::ToProto(status).metadata().at("candidates"), HasSubstr(id));
      return;
    }
    first_letters += letter;
  }
}

TEST_F(OperationManagerTest, ListsNewestFirstByDatabaseAndState) {
  const OperationPointer failed = Start(Request("nowhere"));
  EndOf(failed);
  const OperationPointer succeeded = Start();
  EndOf(succeeded);
  EXPECT_THAT(manager_.List({}), ElementsAre(succeeded, failed));
  EXPECT_THAT(manager_.List({"app", {State::STATE_FAILED}}), ElementsAre(failed));
  EXPECT_THAT(manager_.List({"", {State::STATE_FAILED, State::STATE_SUCCEEDED}}), SizeIs(2));
  EXPECT_THAT(manager_.List({"other", {}}), IsEmpty());
}

TEST_F(OperationManagerTest, ForgetsTheOldestOfThoseThatHaveEnded) {
  Workspace offline;
  offline.name = "app";
  offline.scripts = fake_.workspace().scripts;
  const OperationPointer running = StartEndless();
  OperationPointer oldest;
  for (size_t i = 0; i < OperationManager::kKept; ++i) {
    const auto operation = manager_.Start(offline, Request());
    ASSERT_TRUE(operation.ok()) << operation.status();
    EndOf(*operation);
    if (i == 0) oldest = *operation;
  }
  EXPECT_THAT(manager_.List({}), SizeIs(OperationManager::kKept));
  EXPECT_TRUE(manager_.Find(running->id()).ok());
  EXPECT_FALSE(manager_.Find(oldest->id()).ok());
}

TEST_F(OperationManagerTest, TakesNoMoreThanItCanRun) {
  StartEndless();
  for (int i = 1; i < OperationManager::kMostRunning; ++i) Start();
  const auto refused = manager_.Start(fake_.workspace(), Request());
  EXPECT_EQ(errors::ReasonOf(refused.status()), ErrorReason::ERROR_REASON_TOO_MANY_OPERATIONS);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
}

// --- Draining ---

TEST_F(OperationManagerTest, ADrainingManagerTakesNoNewOperation) {
  OperationRequest known = Request();
  known.request_id = kRequestId;
  const OperationPointer before = Start(known);
  manager_.Drain(absl::Minutes(1));
  EXPECT_TRUE(before->finished());
  EXPECT_EQ(errors::ReasonOf(manager_.Start(fake_.workspace(), Request()).status()),
            ErrorReason::ERROR_REASON_DRAINING);
  // But a repetition is still told how the first ended.
  EXPECT_EQ(*manager_.Start(fake_.workspace(), known), before);
}

TEST_F(OperationManagerTest, DrainingLetsOperationsEndInTheirTime) {
  const OperationPointer operation = StartEndless();
  std::thread canceller([&] { operation->cancellation().Request("its own end"); });
  manager_.Drain(absl::Minutes(1));
  canceller.join();
  EXPECT_THAT(operation->Snapshot().error().message(), HasSubstr("its own end"));
}

TEST_F(OperationManagerTest, DrainingWithoutGraceCancelsWhatRunsAndWaits) {
  const OperationPointer running = StartEndless();
  const OperationPointer pending = Start();
  manager_.Drain(absl::ZeroDuration());
  EXPECT_TRUE(running->finished());
  EXPECT_TRUE(pending->finished());
  EXPECT_EQ(running->Snapshot().state(), State::STATE_CANCELLED);
  EXPECT_EQ(pending->Snapshot().state(), State::STATE_CANCELLED);
  EXPECT_THAT(running->Snapshot().error().message(), HasSubstr("the server shuts down"));
}

TEST_F(OperationManagerTest, EndingCancelsWhatRuns) {
  OperationPointer operation;
  {
    OperationManager manager;
    fake_.Write({"a", "", "\nSELECT pg_sleep(600);\n"});
    operation = *manager.Start(fake_.workspace(), Request());
  }
  EXPECT_EQ(operation->Snapshot().state(), State::STATE_CANCELLED);
}

}  // namespace
}  // namespace migd
