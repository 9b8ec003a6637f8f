#include "client/progress_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/lock_text.h"
#include "client/time_text.h"
#include "tests/client/events.h"

namespace migctl {
namespace {

using migration::v1::OperationEvent;
using testing::ElementsAre;
using testing::IsEmpty;

absl::Time Second(int second) { return ToTime(EventAt(1, second).time()); }

OperationEvent Skipped(int sequence, const std::string& name) {
  OperationEvent event = EventAt(sequence);
  event.mutable_object_skipped()->set_revision("7c20");
  event.mutable_object_skipped()->set_object_kind("table");
  event.mutable_object_skipped()->set_object_name(name);
  event.mutable_object_skipped()->set_reason(migration::v1::SKIP_REASON_EXISTS);
  return event;
}

TEST(LiveProgress, SaysWhichOperationStarted) {
  LiveProgress progress{Style(false)};
  EXPECT_THAT(progress.Consume(Accepted(1)), ElementsAre("    Started  operation 7k2m on core"));
}

TEST(LiveProgress, ShowsTheStatementThatRunsAndForHowLong) {
  LiveProgress progress{Style(false)};
  EXPECT_THAT(progress.Consume(Started(2, "7c20", 2)), IsEmpty());
  EXPECT_EQ(progress.LiveLine(Second(5)), "   Applying  7c20 message of 7c20  [1/2]  5s");
  EXPECT_THAT(progress.Consume(Statement(3, "7c20", 1, 2, 6)), IsEmpty());
  EXPECT_EQ(progress.LiveLine(Second(18)), "   Applying  7c20 message of 7c20  [2/2]  12s");
}

TEST(LiveProgress, KeepsTheLastStatementWhileTheStepCommits) {
  LiveProgress progress{Style(false)};
  progress.Consume(Started(2, "7c20", 1));
  progress.Consume(Statement(3, "7c20", 1, 1, 6));
  EXPECT_EQ(progress.LiveLine(Second(6)), "   Applying  7c20 message of 7c20  [1/1]  0s");
}

TEST(LiveProgress, NamesThePlaceOfARevisionAmongSeveral) {
  LiveProgress progress{Style(false)};
  OperationEvent started = Started(2, "7c20", 0);
  started.mutable_step_started()->set_step_index(3);
  started.mutable_step_started()->set_step_count(120);
  progress.Consume(started);
  EXPECT_EQ(progress.LiveLine(Second(1)),
            "   Applying  7c20 message of 7c20  1s  revision 3 of 120");
}

TEST(LiveProgress, LeavesOneLinePerFinishedStep) {
  LiveProgress progress{Style(false)};
  progress.Consume(Started(2, "7c20", 2));
  EXPECT_THAT(progress.Consume(StepDone(5, "7c20", 20100)),
              ElementsAre("    Applied  7c20 message of 7c20  20.1s"));
  EXPECT_EQ(progress.LiveLine(Second(30)), "");
}

TEST(LiveProgress, UsesTheVerbsOfTheDirection) {
  LiveProgress progress{Style(false)};
  OperationEvent started = Started(2, "7c20", 0);
  started.mutable_step_started()->mutable_step()->set_direction(migration::v1::DIRECTION_DOWNGRADE);
  progress.Consume(started);
  EXPECT_EQ(progress.LiveLine(Second(0)), "  Reverting  7c20 message of 7c20  0s");
  OperationEvent done = StepDone(3, "7c20", 5);
  done.mutable_step_finished()->set_direction(migration::v1::DIRECTION_DOWNGRADE);
  EXPECT_THAT(progress.Consume(done), ElementsAre("   Reverted  7c20 message of 7c20  5ms"));
}

TEST(LiveProgress, SaysForWhomItWaits) {
  LiveProgress progress{Style(false)};
  progress.Consume(Accepted(1));
  OperationEvent waiting = EventAt(2, 1);
  waiting.mutable_waiting_for_mutex()->set_holder_pid(4711);
  waiting.mutable_waiting_for_mutex()->set_holder_application("billing");
  waiting.mutable_waiting_for_mutex()->set_holder_user("app");
  waiting.mutable_waiting_for_mutex()->set_holder_address("10.0.0.3");
  EXPECT_THAT(progress.Consume(waiting), IsEmpty());
  EXPECT_EQ(progress.LiveLine(Second(4)),
            "    Waiting  for pid 4711 (billing, user app, at 10.0.0.3)  3s");
}

TEST(LiveProgress, CountsSkipsBeyondAFewInsteadOfListingThem) {
  LiveProgress progress{Style(false)};
  progress.Consume(Started(1, "7c20", 9));
  EXPECT_THAT(progress.Consume(Skipped(2, "a")),
              ElementsAre("    Skipped  table a exists already"));
  for (int i = 0; i < 7; ++i) progress.Consume(Skipped(3 + i, "b"));
  EXPECT_THAT(
      progress.Consume(StepDone(10, "7c20", 5)),
      ElementsAre("     Notice  and 3 more like these", "    Applied  7c20 message of 7c20  5ms"));
}

OperationEvent Settled(int sequence, migration::v1::Settlement settlement,
                       const std::string& index = "") {
  OperationEvent event = EventAt(sequence);
  event.mutable_statement_settled()->set_revision("7c20");
  event.mutable_statement_settled()->set_statement_index(3);
  event.mutable_statement_settled()->set_settlement(settlement);
  event.mutable_statement_settled()->set_index_name(index);
  return event;
}

OperationEvent Resumed(int sequence, int next, int count) {
  OperationEvent event = EventAt(sequence);
  event.mutable_step_resumed()->set_revision("7c20");
  event.mutable_step_resumed()->set_next_statement(next);
  event.mutable_step_resumed()->set_statement_count(count);
  event.mutable_step_resumed()->set_operation("5j1l");
  return event;
}

TEST(LiveProgress, GoesOnWhereAnEarlierOperationWasCutOff) {
  LiveProgress progress{Style(false)};
  progress.Consume(Started(1, "7c20", 4));
  EXPECT_THAT(
      progress.Consume(Resumed(2, 3, 4)),
      ElementsAre("   Resuming  7c20 at statement 3 of 4, where operation 5j1l was cut off"));
  EXPECT_EQ(progress.LiveLine(Second(5)), "   Applying  7c20 message of 7c20  [3/4]  5s");
  EXPECT_THAT(
      progress.Consume(Resumed(3, 5, 4)),
      ElementsAre("   Resuming  7c20 behind its last statement, where operation 5j1l was cut off"));
}

TEST(LiveProgress, SaysWhatWasMadeOfAStatementInQuestion) {
  LiveProgress progress{Style(false)};
  progress.Consume(Started(1, "7c20", 4));
  EXPECT_THAT(
      progress.Consume(Settled(2, migration::v1::SETTLEMENT_FOUND_DONE, "public.i")),
      ElementsAre("    Settled  statement 3 had finished, as the catalogue shows: public.i"));
  EXPECT_THAT(progress.Consume(Settled(3, migration::v1::SETTLEMENT_RUN_AGAIN)),
              ElementsAre("    Settled  statement 3 is run again"));
  EXPECT_THAT(progress.Consume(Settled(4, migration::v1::SETTLEMENT_SKIPPED_BY_DECISION)),
              ElementsAre("    Settled  statement 3 counts as done, as --skip-statement says"));
  EXPECT_THAT(
      progress.Consume(Settled(5, migration::v1::SETTLEMENT_INVALID_INDEX_DROPPED, "public.i")),
      ElementsAre("    Settled  dropped INVALID index public.i, which statement 3 builds again"));
}

TEST(LogProgress, SaysWhatWasMadeOfAStatementInQuestion) {
  LogProgress progress;
  EXPECT_THAT(
      progress.Consume(Settled(1, migration::v1::SETTLEMENT_RUN_BY_DECISION)),
      ElementsAre("2026-08-22T10:04:11Z settled  7c20 statement 3 is run, as --resume says"));
}

TEST(LiveProgress, SaysHowFarAFailedOperationCame) {
  LiveProgress progress{Style(false)};
  OperationEvent plan = EventAt(1);
  plan.mutable_plan()->add_steps();
  plan.mutable_plan()->add_steps();
  progress.Consume(plan);
  progress.Consume(Started(2, "7c20", 9));
  OperationEvent ended =
      Ended(3, migration::v1::Operation::STATE_FAILED, "ABORTED", "LOCK_TIMEOUT", "no lock");
  ended.mutable_operation_finished()->set_finished_step_count(1);
  EXPECT_THAT(progress.Consume(ended),
              ElementsAre("   Finished  operation 7k2m: failed after 3.0s, 1 of 2 revisions done"));
  EXPECT_EQ(progress.LiveLine(Second(4)), "");
}

TEST(LiveProgress, EscapesNotices) {
  LiveProgress progress{Style(false)};
  OperationEvent notice = EventAt(1);
  notice.mutable_notice()->set_severity("NOTICE");
  notice.mutable_notice()->set_message("a\x1b[2J\nb");
  EXPECT_THAT(progress.Consume(notice), ElementsAre("     Notice  NOTICE: a\\x1b[2J\\nb"));
}

TEST(LiveProgress, IgnoresAKindOfEventThatItDoesNotKnow) {
  LiveProgress progress{Style(false)};
  EXPECT_THAT(progress.Consume(EventAt(1)), IsEmpty());
}

// At `second`; a scan of 100 blocks is at `done`, with half a minute to go.
OperationEvent Progress(int second, int statement, int done,
                        const std::string& phase = "scanning heap") {
  OperationEvent event = EventAt(1, second);
  auto& progress = *event.mutable_statement_progress();
  progress.set_revision("7c20");
  progress.set_statement_index(statement);
  progress.set_statement_count(2);
  progress.set_command("VACUUM");
  progress.set_relation("orders");
  progress.set_phase(phase);
  progress.set_unit(migration::v1::PROGRESS_UNIT_BLOCKS);
  progress.set_done(done);
  progress.set_total(100);
  progress.mutable_phase_remaining()->set_seconds(30);
  return event;
}

TEST(LiveProgress, ShowsHowFarTheStatementIs) {
  LiveProgress progress{Style(false)};
  progress.Consume(Started(2, "7c20", 2));
  EXPECT_THAT(progress.Consume(Progress(5, 1, 45)), IsEmpty());
  EXPECT_EQ(progress.LiveLine(Second(6)),
            "   Applying  7c20 message of 7c20  [1/2]  6s  scanning heap, 45 % of 100 blocks, ~30s "
            "left");
}

TEST(LiveProgress, LeavesTheEstimateOutWhenThereIsNoProgress) {
  LiveProgress progress{Style(false)};
  progress.Consume(Started(2, "7c20", 2));
  progress.Consume(Progress(5, 1, 45));
  EXPECT_EQ(progress.LiveLine(Second(30)),
            "   Applying  7c20 message of 7c20  [1/2]  30s  scanning heap, 45 % of 100 blocks");
}

TEST(LiveProgress, ForgetsTheProgressOfAStatementThatHasEnded) {
  LiveProgress progress{Style(false)};
  progress.Consume(Started(2, "7c20", 2));
  progress.Consume(Progress(5, 1, 45));
  progress.Consume(Statement(3, "7c20", 1, 2, 6));
  progress.Consume(Progress(6, 1, 99));  // seen before, told late
  EXPECT_EQ(progress.LiveLine(Second(7)), "   Applying  7c20 message of 7c20  [2/2]  1s");
}

TEST(LogProgress, TellsTheProgressOfAPhaseEveryTenSeconds) {
  LogProgress progress;
  EXPECT_THAT(progress.Consume(Progress(5, 1, 45)),
              ElementsAre("2026-08-22T10:04:16Z progress 7c20 statement=1/2 VACUUM on orders: "
                          "scanning heap, 45 % of 100 blocks, ~30s left"));
  EXPECT_THAT(progress.Consume(Progress(6, 1, 46)), IsEmpty());
  EXPECT_THAT(progress.Consume(Progress(14, 1, 47)), IsEmpty());
  EXPECT_EQ(progress.Consume(Progress(15, 1, 48)).size(), 1U);
  EXPECT_THAT(progress.Consume(Progress(16, 1, 49)), IsEmpty());
}

TEST(LogProgress, TellsEveryPhaseAndEveryStatement) {
  LogProgress progress;
  progress.Consume(Progress(5, 1, 45));
  EXPECT_EQ(progress.Consume(Progress(6, 1, 1, "vacuuming heap")).size(), 1U);
  EXPECT_THAT(progress.Consume(Progress(7, 1, 2, "vacuuming heap")), IsEmpty());
  EXPECT_EQ(progress.Consume(Progress(8, 2, 2, "vacuuming heap")).size(), 1U);
}

TEST(LogProgress, WritesTheTimeOfTheEvent) {
  LogProgress progress;
  EXPECT_THAT(progress.Consume(Started(2, "7c20", 2)),
              ElementsAre("2026-08-22T10:04:11Z applying 7c20 statement=1/2"));
  EXPECT_THAT(progress.Consume(StepDone(3, "7c20", 20100, 20)),
              ElementsAre("2026-08-22T10:04:31Z applied  7c20 duration=20.1s"));
}

TEST(LogProgress, NamesTheOperationFirst) {
  LogProgress progress;
  EXPECT_THAT(progress.Consume(Accepted(1)),
              ElementsAre("2026-08-22T10:04:11Z accepted operation=7k2m database=core "
                          "action=upgrade targets=head"));
}

TEST(LogProgress, DoesNotWriteALineForEachQuickStatement) {
  LogProgress progress;
  progress.Consume(Started(1, "7c20", 4, 0));
  EXPECT_THAT(progress.Consume(Statement(2, "7c20", 1, 4, 0)), IsEmpty());
  EXPECT_THAT(progress.Consume(Statement(3, "7c20", 2, 4, 2)),
              ElementsAre("2026-08-22T10:04:13Z applying 7c20 statement=3/4"));
  EXPECT_THAT(progress.Consume(Statement(4, "7c20", 3, 4, 2)), IsEmpty());
  EXPECT_THAT(progress.Consume(Statement(5, "7c20", 4, 4, 9)), IsEmpty());
}

TEST(LogProgress, LeavesSuccessToTheResult) {
  LogProgress progress;
  EXPECT_THAT(progress.Consume(Succeeded(9, 1, {"a"})), IsEmpty());
  EXPECT_THAT(progress.Consume(Ended(9, migration::v1::Operation::STATE_CANCELLED, "CANCELLED",
                                     "OPERATION_CANCELLED", "cancelled")),
              ElementsAre("2026-08-22T10:04:14Z cancelled operation=7k2m steps=0 duration=3.0s"));
}

TEST(HolderText, NamesWhatIsKnown) {
  migration::v1::WaitingForMutex waiting;
  EXPECT_EQ(HolderText(waiting), "another holder of the database's mutex");
  waiting.set_holder_pid(4711);
  EXPECT_EQ(HolderText(waiting), "pid 4711");
  waiting.set_holder_operation("9x");
  EXPECT_EQ(HolderText(waiting), "operation 9x");
}

TEST(LiveProgress, TakesUpAnOperationThatIsUnderWay) {
  LiveProgress progress{Style(false)};
  EXPECT_THAT(
      progress.Consume(Snapshot(5, migration::v1::Operation::STATE_RUNNING)),
      ElementsAre("   Watching  operation 7k2m on core: upgrade head, running, step 2 of 3, "
                  "7c20, statement 2 of 4"));
  EXPECT_EQ(progress.LiveLine(absl::FromUnixSeconds(1787393051 + 3)),
            "   Applying  7c20  [2/4]  3s  revision 2 of 3");
  EXPECT_THAT(progress.Consume(Snapshot(5, migration::v1::Operation::STATE_INTERRUPTED)), IsEmpty())
      << "it has been named";
  EXPECT_EQ(progress.LiveLine(absl::FromUnixSeconds(1787393051 + 4)), "");
}

TEST(LiveProgress, TakesUpAnOperationThatWaits) {
  OperationEvent snapshot = Snapshot(2, migration::v1::Operation::STATE_PENDING);
  snapshot.mutable_operation_snapshot()
      ->mutable_operation()
      ->mutable_waiting_for_mutex()
      ->set_holder_operation("9x");
  LiveProgress progress{Style(false)};
  progress.Consume(snapshot);
  EXPECT_EQ(progress.LiveLine(Second(3)), "    Waiting  for operation 9x  3s");
}

TEST(LogProgress, SaysThatAServerThatStopsHandsOver) {
  OperationEvent event = EventAt(1);
  event.mutable_operation_interrupted()->set_server("db1:77");
  event.mutable_operation_interrupted()->set_handed_over(true);
  LogProgress progress;
  EXPECT_THAT(progress.Consume(event),
              ElementsAre("2026-08-22T10:04:11Z cut off  db1:77 stops, and has handed it over: it "
                          "goes on there or elsewhere"));
}

TEST(LogProgress, TellsTheSeverityOfAFindingAndWhatToWriteInstead) {
  OperationEvent event = EventAt(1);
  migration::v1::Finding& finding = *event.mutable_lint_finding();
  finding.set_severity(migration::v1::SEVERITY_WARNING);
  finding.set_path("a.sql");
  finding.set_line(3);
  finding.set_column(1);
  finding.set_rule("missing-down");
  finding.set_message("there is no way back");
  finding.set_suggestion("write a down section");
  LogProgress progress;
  EXPECT_THAT(progress.Consume(event),
              ElementsAre("2026-08-22T10:04:11Z lint     warning a.sql:3:1 missing-down: there is "
                          "no way back; instead: write a down section"));
}

TEST(LogProgress, TakesUpAnOperationThatIsUnderWay) {
  LogProgress progress;
  EXPECT_THAT(progress.Consume(Snapshot(5, migration::v1::Operation::STATE_PENDING)),
              ElementsAre("2026-08-22T10:04:11Z watching operation=7k2m database=core "
                          "action=upgrade targets=head state=pending"));
  EXPECT_THAT(progress.Consume(Heartbeat(5)), IsEmpty());
  EXPECT_THAT(progress.Consume(Snapshot(6, migration::v1::Operation::STATE_RUNNING)), IsEmpty());
}

TEST(FeedProgress, TellsEachEndOnce) {
  FeedProgress progress;
  EXPECT_EQ(progress.Consume(Accepted(1)).size(), 1U);
  const auto end = progress.Consume(Snapshot(7, migration::v1::Operation::STATE_CANCELLED, 9));
  EXPECT_THAT(end, ElementsAre("2026-08-22T10:04:20Z 7k2m cancelled database=core steps=1 at=base "
                               "duration=0ms"));
  EXPECT_THAT(progress.Consume(Snapshot(7, migration::v1::Operation::STATE_CANCELLED, 9)),
              IsEmpty());
}

}  // namespace
}  // namespace migctl
