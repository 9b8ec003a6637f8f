#include "client/time_text.h"

#include <gtest/gtest.h>

namespace migctl {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1787393051);  // 2026-08-22T10:04:11Z

TEST(RelativeTime, GrowsCoarserWithAge) {
  EXPECT_EQ(RelativeTime(kNow - absl::Seconds(59), kNow), "just now");
  EXPECT_EQ(RelativeTime(kNow - absl::Minutes(5), kNow), "5m ago");
  EXPECT_EQ(RelativeTime(kNow - absl::Hours(2), kNow), "2h ago");
  EXPECT_EQ(RelativeTime(kNow - absl::Hours(75), kNow), "3d ago");
  EXPECT_EQ(RelativeTime(kNow - absl::Hours(24 * 365), kNow), "2025-08-22");
}

TEST(RelativeTime, TakesAClockThatIsAheadForNow) {
  EXPECT_EQ(RelativeTime(kNow + absl::Hours(1), kNow), "just now");
}

TEST(LogTime, IsUtcToTheSecond) { EXPECT_EQ(LogTime(kNow), "2026-08-22T10:04:11Z"); }

TEST(ShortDuration, ShowsWhatMatters) {
  EXPECT_EQ(ShortDuration(absl::Milliseconds(12)), "12ms");
  EXPECT_EQ(ShortDuration(absl::Milliseconds(20100)), "20.1s");
  EXPECT_EQ(ShortDuration(absl::Milliseconds(59960)), "1m00s");
  EXPECT_EQ(ShortDuration(absl::Seconds(307)), "5m07s");
  EXPECT_EQ(ShortDuration(absl::Minutes(125)), "2h05m");
  EXPECT_EQ(ShortDuration(absl::Seconds(-1)), "0ms");
}

TEST(ParseDuration, ReadsWhatPeopleType) {
  EXPECT_EQ(ParseDuration("2s"), absl::Seconds(2));
  EXPECT_EQ(ParseDuration("500ms"), absl::Milliseconds(500));
  EXPECT_EQ(ParseDuration("1h30m"), absl::Minutes(90));
  EXPECT_EQ(ParseDuration("0"), absl::ZeroDuration());
}

TEST(ParseDuration, RefusesWhatHasNoUnitOrNoEnd) {
  EXPECT_FALSE(ParseDuration("2").has_value());
  EXPECT_FALSE(ParseDuration("").has_value());
  EXPECT_FALSE(ParseDuration("-2s").has_value());
  EXPECT_FALSE(ParseDuration("inf").has_value());
  EXPECT_FALSE(ParseDuration("soon").has_value());
}

TEST(DurationToProto, KeepsFractions) {
  const google::protobuf::Duration proto = ToProto(absl::Milliseconds(2500));
  EXPECT_EQ(proto.seconds(), 2);
  EXPECT_EQ(proto.nanos(), 500'000'000);
  EXPECT_EQ(ToDuration(proto), absl::Milliseconds(2500));
}

}  // namespace
}  // namespace migctl
