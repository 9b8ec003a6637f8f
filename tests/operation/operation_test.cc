#include "service/operation/operation.h"

#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/operation/operation_state.h"
#include "tests/support/event_text.h"

namespace migd {
namespace {

using migration::v1::OperationEvent;
using State = migration::v1::Operation;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int kServer = 4711;

OperationRecord NewRecord() {
  OperationRecord record;
  record.number = 7;
  record.server = kServer;
  record.operation.set_operation("7k2m");
  record.operation.set_database("app");
  record.operation.set_server("db1:77");
  record.operation.set_state(State::STATE_PENDING);
  record.operation.set_attempt(1);
  record.operation.set_first_sequence(1);
  record.operation.set_last_sequence(1);
  record.operation.mutable_create_time()->set_seconds(1000);
  return record;
}

StoredEvents Accepted() {
  auto event = std::make_shared<OperationEvent>();
  event->set_sequence(1);
  event->mutable_operation_accepted()->add_targets("head");
  return {event};
}

OperationEvent NoticeEvent(const std::string& text = "careful") {
  OperationEvent event;
  event.mutable_notice()->set_severity("NOTICE");
  event.mutable_notice()->set_message(text);
  return event;
}

OperationEvent PlanEvent() {
  OperationEvent event;
  event.mutable_plan()->add_starting_revisions("a");
  event.mutable_plan()->add_steps()->set_revision("b");
  return event;
}

OperationEvent ProgressEvent(int64_t done) {
  OperationEvent event;
  event.mutable_statement_progress()->set_done(done);
  return event;
}

// What readers see after a sequence.
std::vector<std::string> Seen(const Operation& operation, int64_t sequence = 0) {
  std::vector<std::string> seen;
  while (const auto event = operation.ReadAfter(sequence).event) {
    seen.push_back(Brief(*event));
    sequence = event->sequence();
  }
  return seen;
}

// One that this server runs, stored with its first event.
class OperationTest : public ::testing::Test {
 protected:
  OperationTest() : operation_(NewRecord()) {
    operation_.Mirror(NewRecord(), Accepted());
    operation_.Own();
  }

  // Writes what there is to be written, as the store would.
  Operation::Batch Write() {
    const auto batch = operation_.NextBatch(kServer);
    EXPECT_TRUE(batch.has_value());
    operation_.MarkWritten(*batch);
    return *batch;
  }

  Operation operation_;
};

TEST_F(OperationTest, ReadersSeeWhatIsWritten) {
  operation_.Append(PlanEvent());
  EXPECT_THAT(Seen(operation_), ElementsAre("accepted head"));
  EXPECT_EQ(operation_.Snapshot().state(), State::STATE_PENDING);
  EXPECT_EQ(operation_.unwritten(), 1U);
  Write();
  EXPECT_THAT(Seen(operation_), ElementsAre("accepted head", "plan b"));
  EXPECT_EQ(operation_.Snapshot().state(), State::STATE_RUNNING);
  EXPECT_EQ(operation_.unwritten(), 0U);
}

TEST_F(OperationTest, NumbersAndDatesItsEvents) {
  operation_.Append(PlanEvent());
  operation_.Append(NoticeEvent());
  const Operation::Batch batch = Write();
  ASSERT_EQ(batch.events.size(), 2U);
  EXPECT_EQ(batch.events[0]->sequence(), 2);
  EXPECT_EQ(batch.events[1]->sequence(), 3);
  EXPECT_EQ(batch.events[1]->operation(), "7k2m");
  EXPECT_GT(batch.events[1]->time().seconds(), 0);
  EXPECT_EQ(batch.record.operation.last_sequence(), 3);
  EXPECT_EQ(batch.record.server, kServer);
  EXPECT_EQ(batch.expected_attempt, 1);
}

TEST_F(OperationTest, ABatchThatWasNotWrittenIsInTheNext) {
  operation_.Append(PlanEvent());
  EXPECT_EQ(operation_.NextBatch(kServer)->events.size(), 1U);
  operation_.Append(NoticeEvent());
  EXPECT_EQ(Write().events.size(), 2U);
  EXPECT_FALSE(operation_.NextBatch(kServer).has_value());
}

TEST_F(OperationTest, WhatComesWhileABatchIsWrittenWaitsForTheNext) {
  operation_.Append(PlanEvent());
  const auto batch = operation_.NextBatch(kServer);
  operation_.Append(NoticeEvent());
  operation_.MarkWritten(*batch);
  EXPECT_THAT(Seen(operation_), ElementsAre("accepted head", "plan b"));
  EXPECT_EQ(Write().events.size(), 1U);
}

TEST_F(OperationTest, WhatOthersActUponMustSurviveACrash) {
  operation_.Append(NoticeEvent());
  EXPECT_TRUE(operation_.IsUrgentWritten());
  EXPECT_EQ(Write().durability, Durability::kMayBeLost);
  operation_.Append(PlanEvent());
  operation_.Append(NoticeEvent());
  EXPECT_FALSE(operation_.IsUrgentWritten());
  EXPECT_EQ(Write().durability, Durability::kSurvivesCrash);
  operation_.Append(NoticeEvent());
  EXPECT_EQ(Write().durability, Durability::kMayBeLost);
  operation_.Finish({absl::OkStatus(), {"b"}, 1});
  EXPECT_EQ(Write().durability, Durability::kSurvivesCrash);
}

TEST_F(OperationTest, WhatACrashTookIsWrittenAgain) {
  operation_.Append(PlanEvent());
  operation_.Append(NoticeEvent());
  Write();
  OperationRecord stored = NewRecord();
  stored.operation.set_last_sequence(2);
  operation_.MarkStored(stored);
  const Operation::Batch again = Write();
  ASSERT_EQ(again.events.size(), 1U);
  EXPECT_EQ(again.events[0]->sequence(), 3);
}

TEST_F(OperationTest, WhatCannotBeWrittenCanBeShown) {
  operation_.Append(PlanEvent());
  operation_.ShowUnwritten();
  EXPECT_THAT(Seen(operation_), ElementsAre("accepted head", "plan b"));
  EXPECT_EQ(operation_.unwritten(), 1U);
}

TEST_F(OperationTest, AnInterruptionAndTheNextAttempt) {
  operation_.Append(PlanEvent());
  operation_.Interrupt(errors::DatabaseUnavailable("app", "gone"), false);
  const Operation::Batch interrupted = Write();
  EXPECT_EQ(interrupted.record.server, kServer);
  EXPECT_EQ(operation_.Snapshot().state(), State::STATE_INTERRUPTED);
  operation_.Resume("db2:1");
  const Operation::Batch resumed = Write();
  EXPECT_EQ(resumed.expected_attempt, 1);
  EXPECT_EQ(resumed.record.operation.attempt(), 2);
  EXPECT_FALSE(operation_.NextBatch(kServer).has_value());
  EXPECT_EQ(operation_.Snapshot().server(), "db2:1");
  operation_.Append(NoticeEvent());
  EXPECT_EQ(Write().expected_attempt, 2);
  EXPECT_THAT(Seen(operation_, 2),
              ElementsAre("interrupted 1/3", "resumed 2/3", "notice NOTICE careful"));
}

TEST_F(OperationTest, WhatIsLetGoBelongsToNoServer) {
  operation_.Interrupt(errors::Draining(), true);
  EXPECT_EQ(Write().record.server, 0);
}

TEST_F(OperationTest, AFailureIsKeptInStateEventAndStatus) {
  operation_.Finish({errors::MultipleHeads("head", {"a", "b"}), {"a"}, 0});
  EXPECT_TRUE(operation_.final_status().ok());
  Write();
  EXPECT_TRUE(operation_.finished());
  EXPECT_EQ(operation_.Snapshot().state(), State::STATE_FAILED);
  EXPECT_EQ(operation_.Snapshot().error().reason(), "MULTIPLE_HEADS");
  EXPECT_EQ(operation_.final_status().message(),
            errors::MultipleHeads("head", {"a", "b"}).message());
  EXPECT_EQ(errors::ReasonOf(operation_.final_status()),
            migration::v1::ERROR_REASON_MULTIPLE_HEADS);
  EXPECT_THAT(Seen(operation_, 1), ElementsAre("end STATE_FAILED {a}"));
  EXPECT_TRUE(operation_.ReadAfter(2).at_end);
  EXPECT_FALSE(operation_.ReadAfter(1).at_end);
}

TEST_F(OperationTest, ACancelledOneIsNoFailure) {
  operation_.Finish({errors::OperationCancelled("somebody asked for it"), {}, 0});
  Write();
  EXPECT_EQ(operation_.Snapshot().state(), State::STATE_CANCELLED);
  EXPECT_EQ(operation_.Snapshot().error().reason(), "OPERATION_CANCELLED");
}

TEST_F(OperationTest, AProgressIsShownAtOnceAndOnlyTheNewest) {
  operation_.Append(PlanEvent());
  Write();
  operation_.Append(ProgressEvent(1));
  operation_.Append(ProgressEvent(2));
  EXPECT_THAT(Seen(operation_, 2), IsEmpty());
  EXPECT_EQ(operation_.progress()->statement_progress().done(), 2);
  EXPECT_EQ(operation_.progress()->sequence(), 2);
  // For those who watch another server.
  EXPECT_EQ(Write().record.operation.position().progress().done(), 2);
  EXPECT_FALSE(operation_.NextBatch(kServer).has_value());
}

TEST_F(OperationTest, TellsItsListenersOfWhatTheyCanSee) {
  int told = 0;
  operation_.listeners().Add([&] { ++told; });
  operation_.Append(PlanEvent());
  EXPECT_EQ(told, 0);
  Write();
  EXPECT_EQ(told, 1);
  operation_.Append(ProgressEvent(1));
  EXPECT_EQ(told, 2);
}

TEST_F(OperationTest, KeepsTheNewestEventsInMemoryAndThoseNotWritten) {
  const auto count = static_cast<int64_t>(Operation::kMostEvents) + 500;
  for (int64_t i = 1; i < count; ++i) operation_.Append(NoticeEvent());
  EXPECT_EQ(Write().events.size(), static_cast<size_t>(count) - 1);
  const Operation::Reading old = operation_.ReadAfter(0);
  EXPECT_EQ(old.event, nullptr);
  EXPECT_TRUE(old.stored);
  const int64_t oldest = count - static_cast<int64_t>(Operation::kMostEvents);
  EXPECT_EQ(operation_.ReadAfter(oldest).event->sequence(), oldest + 1);
  EXPECT_TRUE(operation_.ReadAfter(oldest - 1).stored);
}

TEST_F(OperationTest, LargeEventsLeaveMemorySooner) {
  for (int i = 0; i < 100; ++i) operation_.Append(NoticeEvent(std::string(100'000, 'x')));
  Write();
  EXPECT_TRUE(operation_.ReadAfter(1).stored);
  EXPECT_NE(operation_.ReadAfter(100).event, nullptr);
}

// --- Run by another server ---

TEST_F(OperationTest, WhatAnotherServerDoesIsAsItIsStored) {
  operation_.Append(PlanEvent());
  operation_.Append(NoticeEvent());
  // Never written: another server has taken over.
  operation_.Disown();
  operation_.Append(NoticeEvent("unheard"));
  OperationRecord record = NewRecord();
  record.operation.set_attempt(2);
  record.operation.set_last_sequence(2);
  record.operation.set_state(State::STATE_INTERRUPTED);
  auto interrupted = std::make_shared<OperationEvent>();
  interrupted->set_sequence(2);
  interrupted->mutable_operation_interrupted()->set_attempt(1);
  operation_.Mirror(record, {interrupted});
  // What came before is read from the store again.
  EXPECT_TRUE(operation_.ReadAfter(0).stored);
  EXPECT_THAT(Seen(operation_, 1), ElementsAre("interrupted 1/0"));
  EXPECT_EQ(operation_.Snapshot().attempt(), 2);
  EXPECT_FALSE(operation_.NextBatch(kServer).has_value());
}

TEST_F(OperationTest, ACrashMayTakeEventsBackFromThoseWhoWatch) {
  OperationRecord record = NewRecord();
  record.operation.set_last_sequence(3);
  StoredEvents events;
  for (int64_t sequence = 2; sequence <= 3; ++sequence) {
    auto event = std::make_shared<OperationEvent>(NoticeEvent());
    event->set_sequence(sequence);
    events.push_back(event);
  }
  operation_.Disown();
  operation_.Mirror(record, events);
  EXPECT_EQ(Seen(operation_).size(), 3U);
  record.operation.set_last_sequence(2);
  operation_.Mirror(record, {});
  EXPECT_EQ(Seen(operation_).size(), 2U);
}

TEST_F(OperationTest, EventsBehindAGapAreReadFromTheStore) {
  OperationRecord record = NewRecord();
  record.operation.set_last_sequence(5000);
  operation_.Disown();
  operation_.Mirror(record, {});
  EXPECT_TRUE(operation_.ReadAfter(1).stored);
  EXPECT_TRUE(operation_.ReadAfter(4999).stored);
  EXPECT_FALSE(operation_.ReadAfter(5000).stored);
}

TEST_F(OperationTest, AMirroredProgressIsShown) {
  OperationRecord record = NewRecord();
  record.operation.mutable_position()->mutable_progress()->set_done(5);
  operation_.Disown();
  operation_.Mirror(record, {});
  const auto first = operation_.progress();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->statement_progress().done(), 5);
  operation_.Mirror(record, {});
  EXPECT_EQ(operation_.progress(), first);
  record.operation.clear_position();
  operation_.Mirror(record, {});
  EXPECT_EQ(operation_.progress(), nullptr);
}

TEST_F(OperationTest, ReadersSeeWholeEventsWhileAnotherThreadAppends) {
  std::thread writer([this] {
    for (int i = 0; i < 1000; ++i) {
      operation_.Append(NoticeEvent());
      if (i % 10 == 0) Write();
    }
    operation_.Finish({absl::OkStatus(), {}, 0});
    Write();
  });
  int64_t sequence = 0;
  while (!operation_.ReadAfter(sequence).at_end) {
    const auto event = operation_.ReadAfter(sequence).event;
    if (event == nullptr) continue;
    ASSERT_EQ(event->sequence(), ++sequence);
  }
  writer.join();
  EXPECT_EQ(sequence, 1002);
}

}  // namespace
}  // namespace migd
