// One output stream of migctl. This class owns the difference between a terminal that can redraw a
// line and a file, a pipe or a dumb terminal that cannot.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "absl/strings/string_view.h"
#include "client/invocation.h"

namespace migctl {

// Colours; each only repeats what the words say already.
class Style {
 public:
  explicit Style(bool enabled) : enabled_(enabled) {}

  std::string Bold(absl::string_view text) const { return Paint("1", text); }
  std::string Dim(absl::string_view text) const { return Paint("2", text); }
  std::string Error(absl::string_view text) const { return Paint("1;31", text); }
  std::string Warning(absl::string_view text) const { return Paint("1;33", text); }
  std::string Good(absl::string_view text) const { return Paint("1;32", text); }
  std::string Accent(absl::string_view text) const { return Paint("1;36", text); }

 private:
  std::string Paint(absl::string_view code, absl::string_view text) const;

  bool enabled_;
};

// What a stream can do.
struct TerminalTraits {
  // A line can be redrawn.
  bool smart = false;
  bool color = false;
  // How many columns a line has at present; 0 where lines may be of any length.
  std::function<int()> width = [] { return 0; };
};

// Looks a variable of the environment up; null if it is not set.
using Environment = std::function<const char*(const char* name)>;

// What the stream behind file descriptor `fd` can do. NO_COLOR (https://no-color.org) and
// TERM=dumb are obeyed unless `mode` says kAlways.
TerminalTraits DetectTerminal(int fd, ColorMode mode, const Environment& environment);

// Thread-safe: the thread that prints, the one that ticks and the one that waits for Ctrl-C meet
// here, so that no line is torn.
class Terminal {
 public:
  using Sink = std::function<void(absl::string_view)>;

  // `sink` receives the bytes and must write them out at once.
  Terminal(Sink sink, TerminalTraits traits);

  // Prints whole lines for good; each must end with a newline. A live line stays beneath them.
  // While there is none, parts of lines will do too.
  void Print(absl::string_view lines);

  // Shows `line`, shortened to the width, in place of the live line before. Does nothing on a
  // stream that is not smart.
  void SetLiveLine(absl::string_view line);

  // Removes the live line.
  void ClearLiveLine();

  bool smart() const { return traits_.smart; }
  Style style() const { return Style(traits_.color); }
  // 0 where lines may be of any length.
  int width() const { return traits_.width(); }

 private:
  // What has to be written so that the cursor stands in an empty first column.
  std::string Erase() const;

  const Sink sink_;
  const TerminalTraits traits_;
  std::mutex mutex_;
  // Guarded by mutex_. Empty if there is none.
  std::string live_line_;
};

}  // namespace migctl
