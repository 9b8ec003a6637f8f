#include "client/progress_view.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/progress_text.h"
#include "client/time_text.h"

namespace migctl {
namespace {

using migration::v1::OperationEvent;

std::string WithNewlines(const std::vector<std::string>& lines) {
  return lines.empty() ? "" : absl::StrCat(absl::StrJoin(lines, "\n"), "\n");
}

class JsonView : public ProgressView {
 public:
  explicit JsonView(Output& output) : output_(output) {}

  void Show(const OperationEvent& event) override {
    output_.Result(event, [](const TextSettings&) { return std::string(); });
  }

 private:
  Output& output_;
};

class LogView : public ProgressView {
 public:
  explicit LogView(Terminal& terminal) : terminal_(terminal) {}

  void Show(const OperationEvent& event) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    terminal_.Print(WithNewlines(progress_.Consume(event)));
  }

 private:
  Terminal& terminal_;
  std::mutex mutex_;
  // Guarded by mutex_.
  LogProgress progress_;
};

// A thread of its own redraws the live line, so that its seconds tick while a statement runs.
class LiveView : public ProgressView {
 public:
  explicit LiveView(Terminal& terminal)
      : terminal_(terminal), progress_(terminal.style()), ticker_([this] { Tick(); }) {}

  ~LiveView() override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopped_ = true;
    }
    stop_.notify_all();
    ticker_.join();
    terminal_.ClearLiveLine();
  }

  void Show(const OperationEvent& event) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    NoteServerTime(event);
    const std::vector<std::string> lines = progress_.Consume(event);
    // A thousand quick statements must not become a thousand redraws; the ticker catches up.
    if (lines.empty() && absl::Now() - last_drawn_ < kBetweenDraws) return;
    Draw();
    terminal_.Print(WithNewlines(lines));
  }

 private:
  static constexpr absl::Duration kBetweenDraws = absl::Milliseconds(50);
  static constexpr std::chrono::milliseconds kTick{100};

  // An event from the future tells that the server's clock is ahead, and by how much at least. The
  // age of an event tells nothing of the kind: it may be replayed.
  void NoteServerTime(const OperationEvent& event) {
    clock_difference_ = std::min(clock_difference_, absl::Now() - ToTime(event.time()));
  }

  void Draw() {
    last_drawn_ = absl::Now();
    terminal_.SetLiveLine(progress_.LiveLine(last_drawn_ - clock_difference_));
  }

  void Tick() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!stop_.wait_for(lock, kTick, [this] { return stopped_; })) Draw();
  }

  Terminal& terminal_;
  std::mutex mutex_;
  std::condition_variable stop_;
  // Guarded by mutex_, like all that follows but the ticker.
  bool stopped_ = false;
  LiveProgress progress_;
  // The client's time minus the server's, if the server's clock is ahead; never positive.
  absl::Duration clock_difference_ = absl::ZeroDuration();
  absl::Time last_drawn_ = absl::InfinitePast();
  std::thread ticker_;
};

}  // namespace

std::unique_ptr<ProgressView> MakeProgressView(Output& output) {
  if (output.json()) return std::make_unique<JsonView>(output);
  if (output.err().smart()) return std::make_unique<LiveView>(output.err());
  return std::make_unique<LogView>(output.err());
}

}  // namespace migctl
