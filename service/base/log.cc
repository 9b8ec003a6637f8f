#include "service/base/log.h"

#include <unistd.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace migd {
namespace {

bool IsPlain(absl::string_view value) {
  if (value.empty()) return false;
  for (const char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == '\x7f') return false;
  }
  return true;
}

std::string Quoted(absl::string_view value) {
  return IsPlain(value) ? std::string(value)
                        : absl::StrCat("\"", absl::Utf8SafeCEscape(value), "\"");
}

void Write(absl::string_view level, absl::string_view message, LogFields fields) {
  std::string line =
      absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone()), " ",
                   level, " ", absl::Utf8SafeCEscape(message));
  for (const auto& [name, value] : fields) absl::StrAppend(&line, " ", name, "=", Quoted(value));
  line += '\n';
  // One write() per entry: lines of several threads do not mix. If stderr is gone, so is the log.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void LogInfo(absl::string_view message, LogFields fields) { Write("info", message, fields); }
void LogWarning(absl::string_view message, LogFields fields) { Write("warning", message, fields); }
void LogError(absl::string_view message, LogFields fields) { Write("error", message, fields); }

}  // namespace migd
