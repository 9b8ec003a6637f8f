#include "service/execute/phase_estimate.h"

#include <string>

#include "gtest/gtest.h"

namespace migd {
namespace {

using migration::v1::ProgressUnit;
using migration::v1::StatementProgress;

StatementProgress Seen(int64_t done, int64_t total, const std::string& phase = "scanning heap",
                       ProgressUnit unit = migration::v1::PROGRESS_UNIT_BLOCKS) {
  StatementProgress progress;
  progress.set_phase(phase);
  progress.set_unit(unit);
  progress.set_done(done);
  progress.set_total(total);
  return progress;
}

absl::Time Second(int second) { return absl::UnixEpoch() + absl::Seconds(second); }

TEST(PhaseEstimate, GoesOnAtTheRateThatWasSeen) {
  PhaseEstimate estimate;
  EXPECT_EQ(estimate.Update(Seen(0, 1000), Second(0)), absl::nullopt);
  EXPECT_EQ(estimate.Update(Seen(100, 1000), Second(10)), absl::Seconds(90));
  EXPECT_EQ(estimate.Update(Seen(500, 1000), Second(20)), absl::Seconds(20));
  EXPECT_EQ(estimate.Update(Seen(1000, 1000), Second(30)), absl::ZeroDuration());
}

TEST(PhaseEstimate, DoesNotCountWhatWasDoneBeforeTheFirstLook) {
  PhaseEstimate estimate;
  EXPECT_EQ(estimate.Update(Seen(900, 1000), Second(0)), absl::nullopt);
  EXPECT_EQ(estimate.Update(Seen(950, 1000), Second(10)), absl::Seconds(10));
}

TEST(PhaseEstimate, SaysNothingBeforeEnoughWasSeen) {
  PhaseEstimate estimate;
  EXPECT_EQ(estimate.Update(Seen(0, 1000), Second(0)), absl::nullopt);
  EXPECT_EQ(estimate.Update(Seen(500, 1000), Second(1)), absl::nullopt) << "too short a view";
  PhaseEstimate slow;
  EXPECT_EQ(slow.Update(Seen(0, 1000), Second(0)), absl::nullopt);
  EXPECT_EQ(slow.Update(Seen(3, 1000), Second(60)), absl::nullopt) << "too small a part";
  EXPECT_EQ(slow.Update(Seen(0, 1000), Second(70)), absl::nullopt);
}

TEST(PhaseEstimate, BeginsAnewWithEveryPhase) {
  PhaseEstimate estimate;
  estimate.Update(Seen(0, 1000), Second(0));
  EXPECT_TRUE(estimate.Update(Seen(900, 1000), Second(10)).has_value());
  EXPECT_EQ(estimate.Update(Seen(910, 1000, "vacuuming heap"), Second(20)), absl::nullopt);
  EXPECT_EQ(estimate.Update(Seen(960, 1000, "vacuuming heap"), Second(30)), absl::Seconds(8));
  // The same phase of the next index.
  EXPECT_EQ(estimate.Update(Seen(10, 1000, "vacuuming heap"), Second(40)), absl::nullopt);
  EXPECT_EQ(estimate.Update(Seen(10, 2000, "vacuuming heap"), Second(50)), absl::nullopt);
}

TEST(PhaseEstimate, SaysNothingOfWhatHasNoKnownEnd) {
  const StatementProgress endless = Seen(500, 0, "index scanning heap");
  const StatementProgress waiting =
      Seen(1, 2, "waiting for old snapshots", migration::v1::PROGRESS_UNIT_LOCKERS);
  const StatementProgress beyond = Seen(2000, 1000);
  for (const StatementProgress& seen : {endless, waiting, beyond}) {
    PhaseEstimate estimate;
    StatementProgress before = seen;
    before.set_done(0);
    EXPECT_EQ(estimate.Update(before, Second(0)), absl::nullopt) << seen.ShortDebugString();
    EXPECT_EQ(estimate.Update(seen, Second(60)), absl::nullopt) << seen.ShortDebugString();
  }
}

}  // namespace
}  // namespace migd
