// Times and durations as people read and type them. Pure; safe from any thread.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "migration_client/proto_time.h"

namespace migctl {

using migration_client::ToDuration;
using migration_client::ToProto;
using migration_client::ToTime;

// "just now", "5m ago", "2h ago", "3d ago", "2025-01-16" for what is older than 60 days. A time
// that lies ahead, because two clocks differ, is "just now".
std::string RelativeTime(absl::Time time, absl::Time now);

// "2026-08-22T10:04:11Z".
std::string LogTime(absl::Time time);

// "12ms", "20.1s", "5m07s", "2h05m".
std::string ShortDuration(absl::Duration duration);

// The same without fractions, for a clock that ticks: "0s", "12s", "5m07s".
std::string WholeSeconds(absl::Duration duration);

// "2s", "500ms", "5m", "1h30m", "0". Nothing for other text, and for a negative or infinite one.
std::optional<absl::Duration> ParseDuration(absl::string_view text);

}  // namespace migctl
