#include "client/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/text.h"

namespace migctl {
namespace {

constexpr int kDefaultWidth = 80;

int WidthOf(int fd) {
  winsize size = {};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kDefaultWidth;
  return size.ws_col;
}

bool IsSet(const char* value) { return value != nullptr && *value != '\0'; }

bool WantsColor(ColorMode mode, bool smart, const Environment& environment) {
  switch (mode) {
    case ColorMode::kAlways:
      return true;
    case ColorMode::kNever:
      return false;
    case ColorMode::kAuto:
      break;
  }
  return smart && !IsSet(environment("NO_COLOR"));
}

}  // namespace

std::string Style::Paint(absl::string_view code, absl::string_view text) const {
  if (!enabled_ || text.empty()) return std::string(text);
  return absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
}

TerminalTraits DetectTerminal(int fd, ColorMode mode, const Environment& environment) {
  const char* term = environment("TERM");
  TerminalTraits traits;
  traits.smart = isatty(fd) == 1 && IsSet(term) && absl::string_view(term) != "dumb";
  traits.color = WantsColor(mode, traits.smart, environment);
  if (traits.smart) traits.width = [fd] { return WidthOf(fd); };
  return traits;
}

Terminal::Terminal(Sink sink, TerminalTraits traits)
    : sink_(std::move(sink)), traits_(std::move(traits)) {}

void Terminal::Print(absl::string_view lines) {
  if (lines.empty()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  sink_(absl::StrCat(Erase(), lines, live_line_));
}

void Terminal::SetLiveLine(absl::string_view line) {
  if (!traits_.smart) return;
  // The last column stays free: terminals differ in whether filling it moves to the next line.
  std::string shortened = Truncate(line, traits_.width() - 1);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (shortened == live_line_) return;
  const std::string erase = Erase();
  live_line_ = std::move(shortened);
  sink_(absl::StrCat(erase, live_line_));
}

void Terminal::ClearLiveLine() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (live_line_.empty()) return;
  sink_(Erase());
  live_line_.clear();
}

std::string Terminal::Erase() const { return live_line_.empty() ? "" : "\r\x1b[K"; }

}  // namespace migctl
