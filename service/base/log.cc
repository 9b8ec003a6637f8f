#include "service/base/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "service/base/json_text.h"
#include "service/base/redact.h"

namespace migd {
namespace {

std::atomic<LogFormat> log_format = LogFormat::kText;

bool IsPlain(absl::string_view value) {
  for (const char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == '\x7f') return false;
  }
  return true;
}

std::string Quoted(absl::string_view value) {
  return IsPlain(value) ? std::string(value)
                        : absl::StrCat("\"", absl::Utf8SafeCEscape(value), "\"");
}

std::string TextLine(absl::string_view time, absl::string_view level, absl::string_view message,
                     const LogFields& fields) {
  std::string line = absl::StrCat(time, " ", level, " ", absl::Utf8SafeCEscape(message));
  for (const auto& [name, value] : fields) {
    if (!value.empty()) absl::StrAppend(&line, " ", name, "=", Quoted(MaskPasswords(value)));
  }
  return absl::StrCat(line, "\n");
}

std::string JsonLine(absl::string_view time, absl::string_view level, absl::string_view message,
                     const LogFields& fields) {
  std::string line = absl::StrCat("{\"time\":", JsonString(time), ",\"level\":", JsonString(level),
                                  ",\"message\":", JsonString(message));
  for (const auto& [name, value] : fields) {
    if (value.empty()) continue;
    absl::StrAppend(&line, ",", JsonString(name), ":", JsonString(MaskPasswords(value)));
  }
  return absl::StrCat(line, "}\n");
}

// How bad it is, in a line's words and for the journal (sd-daemon(3)).
struct Level {
  absl::string_view name;
  absl::string_view priority;
};
constexpr Level kInfo = {"info", "<6>"};
constexpr Level kWarning = {"warning", "<4>"};
constexpr Level kError = {"error", "<3>"};

// systemd names the journal's device and inode to those whose stderr it connects with it. One whose
// stderr was redirected since then still has the variable.
bool StderrIsTheJournal() {
  const char* journal = std::getenv("JOURNAL_STREAM");
  struct stat file = {};
  return journal != nullptr && fstat(STDERR_FILENO, &file) == 0 &&
         absl::StrCat(file.st_dev, ":", file.st_ino) == journal;
}

void Write(const Level& level, absl::string_view message, const LogFields& fields) {
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
  const std::string line =
      absl::StrCat(StderrIsTheJournal() ? level.priority : "",
                   log_format == LogFormat::kJson ? JsonLine(time, level.name, message, fields)
                                                  : TextLine(time, level.name, message, fields));
  // One write() per entry: lines of several threads do not mix. If stderr is gone, so is the log.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void SetLogFormat(LogFormat format) { log_format = format; }

void LogInfo(absl::string_view message, const LogFields& fields) { Write(kInfo, message, fields); }
void LogWarning(absl::string_view message, const LogFields& fields) {
  Write(kWarning, message, fields);
}
void LogError(absl::string_view message, const LogFields& fields) {
  Write(kError, message, fields);
}

}  // namespace migd
