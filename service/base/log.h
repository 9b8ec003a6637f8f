// The server's log: one line per entry on stderr.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace migd {

// Facts of a log entry: names and values.
using LogFields = std::initializer_list<std::pair<absl::string_view, std::string>>;

// Writes `time level message name=value ...` as one line; values with spaces or quotes are quoted,
// control characters escaped. Thread-safe: entries do not mix.
void LogInfo(absl::string_view message, LogFields fields = {});
void LogWarning(absl::string_view message, LogFields fields = {});
void LogError(absl::string_view message, LogFields fields = {});

}  // namespace migd
