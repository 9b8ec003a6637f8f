#include "service/operation/operation.h"

#include <functional>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"

namespace migd {
namespace {

using migration::v1::OperationEvent;
using ::testing::ElementsAre;

OperationRequest UpgradeToHead() {
  OperationRequest request;
  request.database = "app";
  request.action = migration::v1::ACTION_UPGRADE;
  request.targets = {"head"};
  request.request_id = "c0ffee00-0000-4000-8000-000000000001";
  return request;
}

OperationEvent PlanEvent() {
  OperationEvent event;
  event.mutable_plan()->add_starting_revisions("a");
  event.mutable_plan()->add_steps()->set_revision("b");
  return event;
}

OperationEvent StepFinishedEvent() {
  OperationEvent event;
  event.mutable_step_finished()->set_revision("b");
  event.mutable_step_finished()->set_step_index(1);
  event.mutable_step_finished()->add_inserted_revisions("b");
  event.mutable_step_finished()->add_deleted_revisions("a");
  return event;
}

TEST(Operation, BeginsWithTheEventThatItWasAccepted) {
  const Operation operation("7k2m", UpgradeToHead());
  const auto first = operation.EventAfter(0);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->operation(), "7k2m");
  EXPECT_EQ(first->sequence(), 1);
  EXPECT_GT(first->time().seconds(), 0);
  EXPECT_EQ(first->operation_accepted().database(), "app");
  EXPECT_EQ(first->operation_accepted().action(), migration::v1::ACTION_UPGRADE);
  EXPECT_EQ(first->operation_accepted().request_id(), UpgradeToHead().request_id);
  EXPECT_THAT(first->operation_accepted().targets(), ElementsAre("head"));
  EXPECT_EQ(operation.EventAfter(1), nullptr);
}

TEST(Operation, NumbersItsEventsWithoutGaps) {
  Operation operation("op", UpgradeToHead());
  operation.Append(PlanEvent());
  operation.Append(StepFinishedEvent());
  operation.Finish({absl::OkStatus(), {"b"}, 1});
  for (int64_t sequence = 1; sequence <= 4; ++sequence) {
    ASSERT_NE(operation.EventAfter(sequence - 1), nullptr);
    EXPECT_EQ(operation.EventAfter(sequence - 1)->sequence(), sequence);
  }
  EXPECT_EQ(operation.EventAfter(4), nullptr);
  EXPECT_EQ(operation.EventAfter(1000000), nullptr);
}

TEST(Operation, ANegativeSequenceMeansFromTheBeginning) {
  const Operation operation("op", UpgradeToHead());
  ASSERT_NE(operation.EventAfter(-5), nullptr);
  EXPECT_EQ(operation.EventAfter(-5)->sequence(), 1);
}

TEST(Operation, ItsStateFollowsItsEvents) {
  Operation operation("op", UpgradeToHead());
  EXPECT_EQ(operation.Snapshot().state(), migration::v1::Operation::STATE_PENDING);
  EXPECT_FALSE(operation.Snapshot().has_start_time());

  operation.Append(PlanEvent());
  EXPECT_EQ(operation.Snapshot().state(), migration::v1::Operation::STATE_RUNNING);
  EXPECT_TRUE(operation.Snapshot().has_start_time());
  EXPECT_EQ(operation.Snapshot().step_count(), 1);
  EXPECT_THAT(operation.Snapshot().resulting_revisions(), ElementsAre("a"));

  operation.Append(StepFinishedEvent());
  EXPECT_EQ(operation.Snapshot().finished_step_count(), 1);
  EXPECT_THAT(operation.Snapshot().resulting_revisions(), ElementsAre("b"));
  EXPECT_FALSE(operation.finished());

  operation.Finish({absl::OkStatus(), {"b"}, 1});
  const migration::v1::Operation snapshot = operation.Snapshot();
  EXPECT_EQ(snapshot.state(), migration::v1::Operation::STATE_SUCCEEDED);
  EXPECT_TRUE(snapshot.has_finish_time());
  EXPECT_FALSE(snapshot.has_error());
  EXPECT_EQ(snapshot.last_sequence(), 4);
  EXPECT_TRUE(operation.finished());
}

TEST(Operation, AFailureIsKeptInStateEventAndStatus) {
  Operation operation("op", UpgradeToHead());
  operation.Finish({errors::MultipleHeads("head", {"a", "b"}), {"a"}, 0});
  EXPECT_EQ(operation.Snapshot().state(), migration::v1::Operation::STATE_FAILED);
  EXPECT_EQ(operation.Snapshot().error().reason(), "MULTIPLE_HEADS");
  EXPECT_EQ(operation.EventAfter(1)->operation_finished().error().reason(), "MULTIPLE_HEADS");
  EXPECT_THAT(operation.EventAfter(1)->operation_finished().resulting_revisions(),
              ElementsAre("a"));
  EXPECT_EQ(errors::ReasonOf(operation.final_status()), migration::v1::ERROR_REASON_MULTIPLE_HEADS);
}

TEST(Operation, ACancelledOneIsNoFailure) {
  Operation operation("op", UpgradeToHead());
  operation.Finish({errors::OperationCancelled("somebody asked for it"), {}, 0});
  EXPECT_EQ(operation.Snapshot().state(), migration::v1::Operation::STATE_CANCELLED);
  EXPECT_EQ(operation.Snapshot().error().reason(), "OPERATION_CANCELLED");
}

TEST(Operation, EndsAtItsLastSequence) {
  Operation operation("op", UpgradeToHead());
  EXPECT_FALSE(operation.EndsAt(1));
  operation.Finish({absl::OkStatus(), {}, 0});
  EXPECT_FALSE(operation.EndsAt(1));
  EXPECT_TRUE(operation.EndsAt(2));
  EXPECT_TRUE(operation.EndsAt(1000));
}

TEST(Operation, TellsItsListenersOfEachEventUntilTheyAreRemoved) {
  Operation operation("op", UpgradeToHead());
  int first = 0;
  int second = 0;
  const int id = operation.AddListener([&first] { ++first; });
  operation.AddListener([&second] { ++second; });
  operation.Append(PlanEvent());
  operation.RemoveListener(id);
  operation.Finish({absl::OkStatus(), {}, 0});
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
}

TEST(Operation, AListenerMayReadTheOperation) {
  Operation operation("op", UpgradeToHead());
  int64_t seen = 0;
  operation.AddListener([&] { seen = operation.Snapshot().last_sequence(); });
  operation.Append(PlanEvent());
  EXPECT_EQ(seen, 2);
}

TEST(Operation, ReadersSeeWholeEventsWhileAnotherThreadAppends) {
  Operation operation("op", UpgradeToHead());
  std::thread writer([&operation] {
    for (int i = 0; i < 1000; ++i) operation.Append(StepFinishedEvent());
    operation.Finish({absl::OkStatus(), {}, 0});
  });
  int64_t sequence = 0;
  while (!operation.EndsAt(sequence)) {
    const auto event = operation.EventAfter(sequence);
    if (event == nullptr) continue;
    ASSERT_EQ(event->sequence(), ++sequence);
  }
  writer.join();
  EXPECT_EQ(sequence, 1002);
}

TEST(OperationRequest, AnyDifferenceMakesItAnother) {
  const OperationRequest request = UpgradeToHead();
  EXPECT_EQ(request, UpgradeToHead());
  const std::vector<std::function<void(OperationRequest&)>> changes = {
      [](OperationRequest& r) { r.database = "other"; },
      [](OperationRequest& r) { r.action = migration::v1::ACTION_STAMP; },
      [](OperationRequest& r) { r.targets.push_back("b"); },
      [](OperationRequest& r) { r.purge = true; },
      [](OperationRequest& r) { r.timeouts.lock_timeout = absl::Seconds(1); },
      [](OperationRequest& r) { r.timeouts.statement_timeout = absl::Seconds(1); },
      [](OperationRequest& r) { r.mutex_timeout = absl::Seconds(1); },
      [](OperationRequest& r) { r.decisions.resume = true; },
      [](OperationRequest& r) { r.decisions.skip_statement = 1; },
      [](OperationRequest& r) { r.request_id = "other"; },
  };
  for (const auto& change : changes) {
    OperationRequest changed = request;
    change(changed);
    EXPECT_FALSE(changed == request);
  }
}

}  // namespace
}  // namespace migd
