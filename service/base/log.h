// The server's log: one line per entry on stderr, with its priority where that is the journal.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace migd {

// How entries are written.
enum class LogFormat {
  // `time level message name=value ...`; values with spaces or quotes are quoted, control
  // characters escaped.
  kText,
  // One JSON object: `time`, `level`, `message`, and the fields as strings beside them.
  kJson,
};

// Of all entries from now on. Thread-safe.
void SetLogFormat(LogFormat format);

// Facts of a log entry: names and values. Those without a value are left out.
using LogFields = std::vector<std::pair<absl::string_view, std::string>>;

// Writes one line. Passwords in values are masked (redact.h). Thread-safe: entries do not mix.
void LogInfo(absl::string_view message, const LogFields& fields = {});
void LogWarning(absl::string_view message, const LogFields& fields = {});
void LogError(absl::string_view message, const LogFields& fields = {});

}  // namespace migd
