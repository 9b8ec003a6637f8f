#include "client/statement_progress_text.h"

#include "gtest/gtest.h"

namespace migctl {
namespace {

using migration::v1::ProgressUnit;
using migration::v1::StatementProgress;

StatementProgress Of(const std::string& phase, ProgressUnit unit, int64_t done, int64_t total) {
  StatementProgress progress;
  progress.set_command("CREATE INDEX CONCURRENTLY");
  progress.set_relation("orders");
  progress.set_phase(phase);
  progress.set_unit(unit);
  progress.set_done(done);
  progress.set_total(total);
  return progress;
}

TEST(PhaseText, TellsThePartOfATotal) {
  EXPECT_EQ(PhaseText(Of("scanning heap", migration::v1::PROGRESS_UNIT_BLOCKS, 54000, 120000)),
            "scanning heap, 45 % of 120,000 blocks");
  EXPECT_EQ(PhaseText(Of("loading", migration::v1::PROGRESS_UNIT_TUPLES, 999, 1000)),
            "loading, 99 % of 1,000 tuples");
  EXPECT_EQ(PhaseText(Of("", migration::v1::PROGRESS_UNIT_BYTES, 1, 3 * 1024 * 1024)),
            "0 % of 3.0 MB");
  EXPECT_EQ(PhaseText(Of("", migration::v1::PROGRESS_UNIT_BYTES, 1, 2)), "50 % of 2 bytes");
}

TEST(PhaseText, CountsWithoutATotal) {
  EXPECT_EQ(PhaseText(Of("index scanning heap", migration::v1::PROGRESS_UNIT_TUPLES, 1234567, 0)),
            "index scanning heap, 1,234,567 tuples");
}

TEST(PhaseText, NamesWhatIsNotCounted) {
  EXPECT_EQ(PhaseText(Of("rebuilding index", migration::v1::PROGRESS_UNIT_UNSPECIFIED, 0, 0)),
            "rebuilding index");
}

TEST(PhaseText, SaysWhichTransactionIsWaitedFor) {
  StatementProgress waiting =
      Of("waiting for old snapshots", migration::v1::PROGRESS_UNIT_LOCKERS, 0, 2);
  waiting.set_locker_pid(4711);
  EXPECT_EQ(PhaseText(waiting),
            "waiting for old snapshots: waits for pid 4711 (transaction 1 of 2)");
  waiting.set_done(1);
  waiting.set_locker_pid(0);
  EXPECT_EQ(PhaseText(waiting), "waiting for old snapshots: waits (transaction 2 of 2)");
}

TEST(ProgressText, SaysWhatIsDoneToWhichTableAndForHowLong) {
  StatementProgress progress =
      Of("building index: scanning table", migration::v1::PROGRESS_UNIT_BLOCKS, 1, 4);
  progress.mutable_phase_remaining()->set_seconds(40);
  EXPECT_EQ(ProgressText(progress),
            "CREATE INDEX CONCURRENTLY on orders: building index: scanning table, 25 % of 4 "
            "blocks, ~40s left");
}

TEST(ProgressText, KeepsNamesFromDrivingTheTerminal) {
  StatementProgress progress = Of("p\x1b[2J", migration::v1::PROGRESS_UNIT_UNSPECIFIED, 0, 0);
  progress.set_relation("\"t\n\"");
  EXPECT_EQ(ProgressText(progress), "CREATE INDEX CONCURRENTLY on \"t\\n\": p\\x1b[2J");
}

}  // namespace
}  // namespace migctl
