#include "tests/support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace migd {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(5);

[[noreturn]] void Abort(const std::string& problem) {
  std::cerr << "tests: " << problem << std::endl;
  std::abort();
}

std::string ReadFile(const std::string& path) {
  std::ostringstream contents;
  contents << std::ifstream(path, std::ios::binary).rdbuf();
  return contents.str();
}

bool IsReadByOurPrograms(const std::string& entry) {
  return absl::StartsWith(entry, "PG") || absl::StartsWith(entry, "MIGD_") ||
         absl::StartsWith(entry, "MIGCTL_") || absl::StartsWith(entry, "NO_COLOR=");
}

std::vector<std::string> EnvironmentOf(const Command& command) {
  std::vector<std::string> environment;
  for (const auto& [name, value] : command.environment) {
    environment.push_back(absl::StrCat(name, "=", value));
  }
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const bool overridden = command.environment.count(text.substr(0, text.find('='))) > 0;
    if (!overridden && !IsReadByOurPrograms(text)) environment.push_back(text);
  }
  return environment;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Runs in the child, between fork and exec: only calls that are safe there.
[[noreturn]] void RunChild(char* const* arguments, char* const* environment,
                           const std::string& directory_of_streams, pid_t parent) {
  const auto redirect = [&](const char* name, int flags, int stream) {
    const std::string path = directory_of_streams + name;
    const int file = open(path.c_str(), flags, 0600);
    return file >= 0 && dup2(file, stream) == stream;
  };
  constexpr int kWrite = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const bool ready = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
                     redirect("/in", O_RDONLY | O_CLOEXEC, STDIN_FILENO) &&
                     redirect("/out", kWrite, STDOUT_FILENO) &&
                     redirect("/err", kWrite, STDERR_FILENO);
  if (ready) execvpe(arguments[0], arguments, environment);
  const char problem[] = "tests: cannot start this program: is it installed?\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, problem, sizeof problem - 1);
  _exit(127);
}

int ExitCodeOf(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

bool Eventually(const std::function<bool()>& condition) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(kPoll);
  }
  return true;
}

Process::Process(const Command& command) : name_(absl::StrJoin(command.arguments, " ")) {
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = EnvironmentOf(command);
  const std::vector<char*> argument_pointers = Pointers(arguments);
  const std::vector<char*> environment_pointers = Pointers(environment);
  directory_.Write("in", command.input);
  directory_.Write("out", "");
  directory_.Write("err", "");
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    RunChild(argument_pointers.data(), environment_pointers.data(), directory_.path(), parent);
  }
  if (pid_ < 0) Abort(absl::StrCat("cannot start ", name_));
}

Process::~Process() {
  if (!running()) return;
  Signal(SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool Process::running() {
  int status = 0;
  if (!exit_code_ && waitpid(pid_, &status, WNOHANG) == pid_) exit_code_ = ExitCodeOf(status);
  return !exit_code_;
}

void Process::Signal(int signal) {
  if (running()) kill(pid_, signal);
}

std::string Process::out() const { return ReadFile(directory_.path() + "/out"); }

std::string Process::err() const { return ReadFile(directory_.path() + "/err"); }

bool Process::WaitForOutput(const std::string& text) {
  bool found = false;
  Eventually([&] {
    const bool ended = !running();  // asked first, so that its last words are read
    found = absl::StrContains(out(), text) || absl::StrContains(err(), text);
    return found || ended;
  });
  return found;
}

Finished Process::Wait() {
  if (!Eventually([this] { return !running(); })) {
    ADD_FAILURE() << name_ << " does not end; it printed:\n" << out() << err();
    Signal(SIGKILL);
    Eventually([this] { return !running(); });
  }
  return {exit_code_.value_or(-1), out(), err()};
}

int ThreadsOf(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  std::string line;
  int threads = 0;
  while (std::getline(status, line)) {
    absl::string_view value = line;
    if (absl::ConsumePrefix(&value, "Threads:") && absl::SimpleAtoi(value, &threads)) break;
  }
  return threads;
}

Finished RunCommand(const Command& command) { return Process(command).Wait(); }

std::string TestVariable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) Abort(absl::StrCat(name, " is not set: run this test by ctest"));
  return value;
}

}  // namespace migd
