// Programs that a test runs and looks at from outside.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "tests/support/temporary_directory.h"

namespace migd {

// How long tests wait for what must happen. Long enough for a busy machine with sanitizers: only a
// test that fails waits this long.
constexpr absl::Duration kPatience = absl::Minutes(2);

// Waits until `condition` holds; false if it does not within kPatience.
bool Eventually(const std::function<bool()>& condition);

// What to run.
struct Command {
  // The program, looked for in the PATH if it has no slash, and its arguments.
  std::vector<std::string> arguments;
  // Added to the environment of the test, which is passed on without the variables that psql, migd
  // and migctl read: a test says itself what they are.
  std::map<std::string, std::string> environment = {};
  // What the program finds on stdin.
  std::string input = {};
};

// What a program that ended has left.
struct Finished {
  // As a shell tells it: 128 + N if signal N ended the program.
  int exit_code = -1;
  std::string out;
  std::string err;
};

// A running program. Killed with this object, and also if the test is killed. Start it on the main
// thread, which lives as long as the test.
class Process {
 public:
  explicit Process(const Command& command);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void Signal(int signal);

  // What it has printed so far.
  std::string out() const;
  std::string err() const;

  // Waits until it has printed `text`, to stdout or to stderr; false if it ends without.
  bool WaitForOutput(const std::string& text);

  // Waits for its end. If it does not end, the test fails and the program is killed.
  Finished Wait();

 private:
  const TemporaryDirectory directory_;
  const std::string name_;
  pid_t pid_ = -1;
  absl::optional<int> exit_code_;
};

// How many threads a running process has.
int ThreadsOf(pid_t pid);

// Runs a program to its end.
Finished RunCommand(const Command& command);

// The value of a variable that CTest sets for this project's tests, such as MIGD. Aborts with a
// hint if it is not set.
std::string TestVariable(const char* name);

}  // namespace migd
