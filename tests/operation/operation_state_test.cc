#include "service/operation/operation_state.h"

#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace migd {
namespace {

using migration::v1::OperationEvent;
using State = migration::v1::Operation;
using ::testing::ElementsAre;

// What follows the events that a test applies, in order.
class OperationStateTest : public ::testing::Test {
 protected:
  OperationEvent& Next() {
    event_.Clear();
    event_.set_sequence(state_.last_sequence() + 1);
    event_.mutable_time()->set_seconds(1000 + event_.sequence());
    return event_;
  }
  void Apply() { ApplyEvent(event_, state_); }

  void ApplyPlan(int steps) {
    auto& plan = *Next().mutable_plan();
    plan.add_starting_revisions("a");
    plan.add_starting_revisions("m");
    for (int i = 0; i < steps; ++i) plan.add_steps();
    Apply();
  }
  void ApplyStepStarted(int statements) {
    auto& started = *Next().mutable_step_started();
    started.set_step_index(1);
    started.mutable_step()->set_revision("b");
    started.mutable_step()->set_statement_count(statements);
    Apply();
  }
  void ApplyStepFinished() {
    auto& finished = *Next().mutable_step_finished();
    finished.add_deleted_revisions("a");
    finished.add_inserted_revisions("b");
    Apply();
  }

  OperationEvent event_;
  State state_;
};

TEST_F(OperationStateTest, APlanMakesItRun) {
  ApplyPlan(2);
  EXPECT_EQ(state_.state(), State::STATE_RUNNING);
  EXPECT_EQ(state_.start_time().seconds(), 1001);
  EXPECT_EQ(state_.step_count(), 2);
  EXPECT_EQ(state_.first_sequence(), 1);
  EXPECT_THAT(state_.resulting_revisions(), ElementsAre("a", "m"));
}

TEST_F(OperationStateTest, AFinishedStepChangesTheRowsInTheirOrder) {
  ApplyPlan(1);
  ApplyStepFinished();
  EXPECT_EQ(state_.finished_step_count(), 1);
  EXPECT_THAT(state_.resulting_revisions(), ElementsAre("b", "m"));
}

TEST_F(OperationStateTest, KnowsWhichStatementRuns) {
  ApplyPlan(1);
  ApplyStepStarted(3);
  EXPECT_EQ(state_.position().revision(), "b");
  EXPECT_EQ(state_.position().statement_count(), 3);
  EXPECT_EQ(state_.position().finished_statement_count(), 0);
  Next().mutable_statement_finished()->set_statement_index(2);
  Apply();
  EXPECT_EQ(state_.position().finished_statement_count(), 2);
  EXPECT_EQ(state_.position().statement_start_time().seconds(), 1003);
  EXPECT_EQ(state_.position().step_start_time().seconds(), 1002);
  Next().mutable_step_retried();
  Apply();
  EXPECT_EQ(state_.position().finished_statement_count(), 0);
  Next().mutable_step_resumed()->set_next_statement(3);
  Apply();
  EXPECT_EQ(state_.position().finished_statement_count(), 2);
  ApplyStepFinished();
  EXPECT_FALSE(state_.has_position());
}

TEST_F(OperationStateTest, AProgressBelongsToItsStatement) {
  ApplyPlan(1);
  ApplyStepStarted(2);
  OperationEvent progress;
  progress.mutable_statement_progress()->set_done(5);
  ApplyEvent(progress, state_);
  EXPECT_EQ(state_.position().progress().done(), 5);
  EXPECT_EQ(state_.last_sequence(), 2);
  Next().mutable_statement_finished()->set_statement_index(1);
  Apply();
  EXPECT_FALSE(state_.position().has_progress());
}

TEST_F(OperationStateTest, AfterAnInterruptionItGoesOnWhereItWas) {
  ApplyPlan(3);
  ApplyStepFinished();
  ApplyStepStarted(1);
  Next().mutable_operation_interrupted();
  Apply();
  EXPECT_EQ(state_.state(), State::STATE_INTERRUPTED);
  EXPECT_FALSE(state_.has_position());

  Next().mutable_operation_resumed()->set_attempt(2);
  event_.mutable_operation_resumed()->set_server("db1:77");
  Apply();
  EXPECT_EQ(state_.state(), State::STATE_PENDING);
  EXPECT_EQ(state_.attempt(), 2);
  EXPECT_EQ(state_.server(), "db1:77");
  ApplyPlan(2);
  EXPECT_EQ(state_.state(), State::STATE_RUNNING);
  EXPECT_EQ(state_.step_count(), 3);
  EXPECT_EQ(state_.start_time().seconds(), 1001);
  ApplyStepFinished();
  EXPECT_EQ(state_.finished_step_count(), 2);
}

TEST_F(OperationStateTest, TheEndSaysHowItStands) {
  ApplyPlan(1);
  ApplyStepStarted(1);
  auto& finished = *Next().mutable_operation_finished();
  finished.set_state(State::STATE_FAILED);
  finished.add_resulting_revisions("m");
  finished.mutable_error()->set_reason("STATEMENT_FAILED");
  Apply();
  EXPECT_EQ(state_.state(), State::STATE_FAILED);
  EXPECT_THAT(state_.resulting_revisions(), ElementsAre("m"));
  EXPECT_EQ(state_.error().reason(), "STATEMENT_FAILED");
  EXPECT_EQ(state_.finish_time().seconds(), 1003);
  EXPECT_FALSE(state_.has_position());
}

TEST(OperationState, ThreeStatesAreFinal) {
  EXPECT_FALSE(IsFinal(State::STATE_PENDING));
  EXPECT_FALSE(IsFinal(State::STATE_RUNNING));
  EXPECT_FALSE(IsFinal(State::STATE_INTERRUPTED));
  EXPECT_TRUE(IsFinal(State::STATE_SUCCEEDED));
  EXPECT_TRUE(IsFinal(State::STATE_FAILED));
  EXPECT_TRUE(IsFinal(State::STATE_CANCELLED));
}

TEST(IsSameRequest, AnyDifferenceMakesItAnother) {
  State request;
  request.set_database("app");
  request.set_action(migration::v1::ACTION_UPGRADE);
  request.add_targets("head");
  request.set_request_id("c0ffee00-0000-4000-8000-000000000001");
  State started = request;
  started.set_operation("7k2m");
  started.set_state(State::STATE_SUCCEEDED);
  EXPECT_TRUE(IsSameRequest(request, started));
  const std::vector<std::function<void(State&)>> changes = {
      [](State& r) { r.set_database("other"); },
      [](State& r) { r.set_action(migration::v1::ACTION_STAMP); },
      [](State& r) { r.add_targets("b"); },
      [](State& r) { r.set_purge(true); },
      [](State& r) { r.mutable_options()->mutable_lock_timeout()->set_seconds(1); },
      [](State& r) { r.mutable_options()->set_lock_retries(0); },
      [](State& r) { r.mutable_options()->set_skip_statement(1); },
      [](State& r) { r.set_request_id("other"); },
  };
  for (const auto& change : changes) {
    State changed = request;
    change(changed);
    EXPECT_FALSE(IsSameRequest(request, changed)) << changed.DebugString();
  }
}

TEST_F(OperationStateTest, KeepsWhomItWaitsForWhileItDoes) {
  Next().mutable_waiting_for_mutex()->set_holder_operation("9x");
  Apply();
  EXPECT_EQ(state_.waiting_for_mutex().holder_operation(), "9x");
  ApplyPlan(1);
  EXPECT_FALSE(state_.has_waiting_for_mutex());

  ApplyStepStarted(2);
  Next().mutable_lock_wait()->add_blockers()->set_pid(4711);
  Apply();
  EXPECT_EQ(state_.position().lock_wait().blockers(0).pid(), 4711);
  Next().mutable_lock_wait();
  Apply();
  EXPECT_FALSE(state_.position().has_lock_wait());
  Next().mutable_lock_wait()->add_blockers()->set_pid(4711);
  Apply();
  Next().mutable_statement_finished()->set_statement_index(1);
  Apply();
  EXPECT_FALSE(state_.position().has_lock_wait());
}

TEST_F(OperationStateTest, AnAttemptThatIsHandedOverIsNotOneOfThoseThatItHas) {
  EXPECT_EQ(LastAttempt(state_), kMostAttempts);
  Next().mutable_operation_interrupted();
  Apply();
  EXPECT_EQ(LastAttempt(state_), kMostAttempts);
  Next().mutable_operation_interrupted()->set_handed_over(true);
  Apply();
  EXPECT_EQ(state_.hand_over_count(), 1);
  EXPECT_EQ(LastAttempt(state_), kMostAttempts + 1);
}

// A failed operation as its end tells it.
State FailedFor(const std::string& reason) {
  State operation;
  operation.set_state(State::STATE_FAILED);
  operation.mutable_error()->set_reason(reason);
  return operation;
}

TEST(IsRefused, WhatIsTurnedAwayBeforeItsFirstStep) {
  for (const char* reason : {"UNKNOWN_REVISION", "CONFIRMATION_REQUIRED", "LINT_FAILED",
                             "PLAN_STALE", "CHECKSUM_MISMATCH", "INSUFFICIENT_PRIVILEGE"}) {
    EXPECT_TRUE(IsRefused(FailedFor(reason))) << reason;
  }
}

TEST(IsRefused, NotWhatIsOutOfOrder) {
  for (const char* reason : {"STATEMENT_FAILED", "BACKUP_FAILED", "DATABASE_UNAVAILABLE",
                             "MUTEX_TIMEOUT", "OPERATION_INTERRUPTED", "INTERNAL"}) {
    EXPECT_FALSE(IsRefused(FailedFor(reason))) << reason;
  }
}

TEST(IsRefused, NotWhatAStatementOrALaterStepFailedWith) {
  State operation = FailedFor("INSUFFICIENT_PRIVILEGE");
  operation.mutable_error()->mutable_statement_failure()->set_revision("a");
  EXPECT_FALSE(IsRefused(operation));
  operation = FailedFor("CHECKSUM_MISMATCH");
  operation.set_finished_step_count(1);
  EXPECT_FALSE(IsRefused(operation));
}

}  // namespace
}  // namespace migd
