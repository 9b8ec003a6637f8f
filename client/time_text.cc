#include "client/time_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace migctl {
namespace {

std::string MinutesOrHours(absl::Duration duration) {
  const int64_t seconds = absl::ToInt64Seconds(duration);
  if (seconds < 3600) return absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60);
  return absl::StrFormat("%dh%02dm", seconds / 3600, seconds / 60 % 60);
}

}  // namespace

std::string RelativeTime(absl::Time time, absl::Time now) {
  const absl::Duration age = now - time;
  if (age < absl::Minutes(1)) return "just now";
  if (age < absl::Hours(1)) return absl::StrCat(absl::ToInt64Minutes(age), "m ago");
  if (age < absl::Hours(48)) return absl::StrCat(absl::ToInt64Hours(age), "h ago");
  if (age < absl::Hours(60 * 24)) return absl::StrCat(absl::ToInt64Hours(age) / 24, "d ago");
  return absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone());
}

std::string LogTime(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

std::string ShortDuration(absl::Duration duration) {
  duration = std::max(duration, absl::ZeroDuration());
  if (duration < absl::Seconds(1)) return absl::StrCat(absl::ToInt64Milliseconds(duration), "ms");
  // 59.96 s must not be printed as 60.0s.
  if (duration < absl::Milliseconds(59950)) {
    return absl::StrFormat("%.1fs", absl::ToDoubleSeconds(duration));
  }
  return MinutesOrHours(duration + absl::Milliseconds(500));
}

std::string WholeSeconds(absl::Duration duration) {
  duration = std::max(duration, absl::ZeroDuration());
  if (duration < absl::Minutes(1)) return absl::StrCat(absl::ToInt64Seconds(duration), "s");
  return MinutesOrHours(duration);
}

std::optional<absl::Duration> ParseDuration(absl::string_view text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration)) return std::nullopt;
  if (duration < absl::ZeroDuration() || duration == absl::InfiniteDuration()) return std::nullopt;
  return duration;
}

}  // namespace migctl
