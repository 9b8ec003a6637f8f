#include "service/monitor/metrics.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/proto_time.h"

namespace migd {
namespace {

using migration::v1::OperationEvent;
using ::testing::HasSubstr;
using ::testing::Not;
using State = migration::v1::Operation;

class MetricsTest : public ::testing::Test {
 protected:
  MetricsTest() {
    DatabaseStatus status;
    status.name = "core";
    status.history.set_total_count(5);
    status.history.set_applied_count(3);
    status.rows = {"a1"};
    metrics_.SetDatabase(status);
    operation_.set_operation("7k2m");
    operation_.set_database("core");
    operation_.set_action(migration::v1::ACTION_UPGRADE);
    operation_.set_state(State::STATE_RUNNING);
  }

  void Happen(OperationEvent event, int second = 0, bool is_own = true) {
    *event.mutable_time() = ToProtoTimestamp(absl::FromUnixSeconds(1000 + second));
    metrics_.OperationHappened(operation_, event, is_own);
  }

  static OperationEvent LockWait(int blockers, int waited_seconds) {
    OperationEvent event;
    for (int i = 0; i < blockers; ++i) event.mutable_lock_wait()->add_blockers()->set_pid(i + 1);
    *event.mutable_lock_wait()->mutable_waited() = ToProtoDuration(absl::Seconds(waited_seconds));
    return event;
  }
  static OperationEvent Finished(State::State state, const std::string& reason = "") {
    OperationEvent event;
    event.mutable_operation_finished()->set_state(state);
    if (!reason.empty()) event.mutable_operation_finished()->mutable_error()->set_reason(reason);
    return event;
  }

  void ExpectMetric(const std::string& line) const {
    EXPECT_THAT(metrics_.Text(), HasSubstr("\n" + line + "\n"));
  }

  Metrics metrics_{"1.2.3"};
  State operation_;
};

TEST_F(MetricsTest, AreThereBeforeAnythingHappens) {
  ExpectMetric("migd_operations_total{action=\"upgrade\",database=\"core\",result=\"failed\"} 0");
  ExpectMetric("migd_revision_duration_seconds_count{database=\"core\",direction=\"upgrade\"} 0");
  ExpectMetric("migd_build_info{version=\"1.2.3\"} 1");
  ExpectMetric("migd_watchers 0");
}

TEST_F(MetricsTest, TellHowADatabaseStands) {
  ExpectMetric("migd_pending_revisions{database=\"core\"} 2");
  ExpectMetric("migd_current_revision_info{database=\"core\",revision=\"a1\"} 1");
  DatabaseStatus status;
  status.name = "core";
  status.rows = {"b2"};
  status.history.set_total_count(5);
  status.history.set_applied_count(5);
  metrics_.SetDatabase(status);
  ExpectMetric("migd_pending_revisions{database=\"core\"} 0");
  ExpectMetric("migd_current_revision_info{database=\"core\",revision=\"b2\"} 1");
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("revision=\"a1\"")));
}

TEST_F(MetricsTest, KeepWhatWasKnownOfADatabaseThatDoesNotAnswer) {
  DatabaseStatus status;
  status.name = "core";
  status.database_error = absl::UnavailableError("gone");
  metrics_.SetDatabase(status);
  ExpectMetric("migd_database_up{database=\"core\"} 0");
  ExpectMetric("migd_pending_revisions{database=\"core\"} 2");
}

TEST_F(MetricsTest, CountALockTimeoutForEachAttemptThatRanIntoIt) {
  OperationEvent retried;
  retried.mutable_step_retried()->mutable_error()->set_reason("LOCK_TIMEOUT");
  Happen(retried);
  // It has waited for the store.
  retried.mutable_step_retried()->mutable_error()->set_reason("DATABASE_UNAVAILABLE");
  Happen(retried);
  ExpectMetric("migd_lock_timeouts_total{database=\"core\"} 1");
}

TEST_F(MetricsTest, CountWhatThisServerFinishesByResult) {
  Happen(Finished(State::STATE_SUCCEEDED), 5);
  Happen(Finished(State::STATE_FAILED, "LOCK_TIMEOUT"));
  ExpectMetric(
      "migd_operations_total{action=\"upgrade\",database=\"core\",result=\"succeeded\"} 1");
  ExpectMetric("migd_operations_total{action=\"upgrade\",database=\"core\",result=\"failed\"} 1");
  ExpectMetric("migd_lock_timeouts_total{database=\"core\"} 1");
  ExpectMetric("migd_last_success_timestamp_seconds{database=\"core\"} 1005");
}

TEST_F(MetricsTest, CountWhatIsRefusedByItself) {
  Happen(Finished(State::STATE_FAILED, "UNKNOWN_REVISION"));
  ExpectMetric("migd_operations_total{action=\"upgrade\",database=\"core\",result=\"refused\"} 1");
  ExpectMetric("migd_operations_total{action=\"upgrade\",database=\"core\",result=\"failed\"} 0");
}

TEST_F(MetricsTest, LeaveWhatAnotherServerDoesToIt) {
  OperationEvent plan;
  plan.mutable_plan();
  Happen(plan, 0, false);
  ExpectMetric("migd_operations_running{database=\"core\"} 0");
  Happen(Finished(State::STATE_SUCCEEDED), 1, false);
  ExpectMetric(
      "migd_operations_total{action=\"upgrade\",database=\"core\",result=\"succeeded\"} 0");
}

TEST_F(MetricsTest, CountNoInterruptionWhereAServerThatStopsHandsOver) {
  OperationEvent interrupted;
  interrupted.mutable_operation_interrupted()->set_handed_over(true);
  Happen(interrupted);
  ExpectMetric("migd_operation_interruptions_total{database=\"core\"} 0");
  interrupted.mutable_operation_interrupted()->set_handed_over(false);
  Happen(interrupted, 1);
  ExpectMetric("migd_operation_interruptions_total{database=\"core\"} 1");
}

TEST_F(MetricsTest, CountAnOperationThatIsTakenOverAsGone) {
  OperationEvent plan;
  plan.mutable_plan();
  Happen(plan);
  ExpectMetric("migd_operations_running{database=\"core\"} 1");
  OperationEvent resumed;
  resumed.mutable_operation_resumed();
  Happen(resumed, 1, false);
  ExpectMetric("migd_operations_running{database=\"core\"} 0");
}

TEST_F(MetricsTest, MeasureAWaitForALockFromItsBeginning) {
  Happen(LockWait(2, 1), 11);
  ExpectMetric("migd_blocking_sessions{database=\"core\"} 2");
  Happen(LockWait(1, 3), 13);
  ExpectMetric("migd_blocking_sessions{database=\"core\"} 1");
  OperationEvent progress;
  progress.mutable_statement_progress();
  Happen(progress, 14);
  ExpectMetric("migd_lock_wait_seconds_count{database=\"core\"} 0");
  OperationEvent done;
  done.mutable_statement_finished();
  Happen(done, 15);
  ExpectMetric("migd_lock_wait_seconds_count{database=\"core\"} 1");
  ExpectMetric("migd_lock_wait_seconds_sum{database=\"core\"} 5");
  ExpectMetric("migd_blocking_sessions{database=\"core\"} 0");
}

TEST_F(MetricsTest, HaveNoRevisionsInHistograms) {
  OperationEvent step;
  step.mutable_step_finished()->set_revision("a1b2c3");
  step.mutable_step_finished()->set_direction(migration::v1::DIRECTION_UPGRADE);
  Happen(step);
  ExpectMetric("migd_revision_duration_seconds_count{database=\"core\",direction=\"upgrade\"} 1");
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("a1b2c3")));
}

TEST_F(MetricsTest, CountCalls) {
  const CallName watch = {"server_stream", "migration.v1.MigrationService", "Watch"};
  metrics_.CallStarted(watch);
  ExpectMetric("migd_watchers 1");
  metrics_.MessageSent(watch);
  metrics_.CallEnded(watch, grpc::StatusCode::DEADLINE_EXCEEDED, absl::Seconds(2));
  ExpectMetric("migd_watchers 0");
  const std::string labels =
      "grpc_method=\"Watch\",grpc_service=\"migration.v1.MigrationService\","
      "grpc_type=\"server_stream\"}";
  ExpectMetric(absl::StrCat("grpc_server_started_total{", labels, " 1"));
  ExpectMetric(absl::StrCat("grpc_server_msg_sent_total{", labels, " 1"));
  ExpectMetric(
      absl::StrCat("grpc_server_handled_total{grpc_code=\"DeadlineExceeded\",", labels, " 1"));
  ExpectMetric(absl::StrCat("grpc_server_handling_seconds_sum{", labels, " 2"));
}

}  // namespace
}  // namespace migd
