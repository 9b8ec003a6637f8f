// Commands against a fake server, with what they print.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <string>

#include "client/commands.h"
#include "client/connect.h"
#include "client/interrupts.h"
#include "tests/client/fake_server.h"

namespace migctl {

inline constexpr auto kPatience = std::chrono::seconds(30);

// What was written to a stream; a test can wait until something was.
class Captured {
 public:
  Terminal::Sink Sink() {
    return [this](absl::string_view bytes) {
      const std::lock_guard<std::mutex> lock(mutex_);
      text_ += std::string(bytes);
      changed_.notify_all();
    };
  }

  std::string text() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return text_;
  }

  bool WaitFor(const std::string& expected) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kPatience,
                             [&] { return text_.find(expected) != std::string::npos; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
};

// A flag that one thread sets and another waits for.
class Flag {
 public:
  void Set() {
    const std::lock_guard<std::mutex> lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }

  bool Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kPatience, [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

class CommandsTest : public testing::Test {
 protected:
  CommandsTest() { options_.server = server_.address(); }

  ExitCode RunCommand(const Command& command) {
    Terminal out(out_.Sink(), out_traits_);
    Terminal err(err_.Sink(), err_traits_);
    Output output(options_.output, out, err);
    const auto connection = Connect(options_);
    if (!connection.ok()) {
      output.Fail(connection.error());
      return ExitCode::kUsage;
    }
    Session session{options_.database, **connection, output, interrupts_};
    return migctl::Run(command, session);
  }

  // Runs an upgrade on a thread of its own, for tests that interrupt it.
  std::future<ExitCode> StartUpgrade() {
    return std::async(std::launch::async, [this] {
      return RunCommand(UpgradeCommand{"head", {}});
    });
  }

  static TerminalTraits Smart() {
    TerminalTraits traits;
    traits.smart = true;
    traits.width = [] { return 80; };
    return traits;
  }

  // What the server's handlers use has to outlive the server, which waits for them when it ends.
  Flag called_;
  Flag interrupted_;
  Flag released_;
  Captured out_;
  Captured err_;
  FakeServer server_;
  GlobalOptions options_;
  TerminalTraits out_traits_;
  TerminalTraits err_traits_;
  Interrupts interrupts_;
};

}  // namespace migctl
