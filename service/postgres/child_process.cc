#include "service/postgres/child_process.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"

namespace migd {
namespace {

// How often a child that is waited for is looked at.
constexpr absl::Duration kPoll = absl::Milliseconds(5);

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> EnvironmentWithoutPostgres() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!absl::StartsWith(*entry, "PG")) environment.emplace_back(*entry);
  }
  return environment;
}

// Runs in the child, between fork and exec: only calls that are safe there. Never returns.
[[noreturn]] void RunChild(char* const* arguments, char* const* environment, int log,
                           const ProcessUser* user, pid_t parent) {
  const bool ready =
      dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0 && setpgid(0, 0) == 0 &&
      (user == nullptr ||
       (setgroups(1, &user->gid) == 0 && setgid(user->gid) == 0 && setuid(user->uid) == 0)) &&
      // After setuid, which clears it.
      prctl(PR_SET_PDEATHSIG, SIGINT) == 0;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // The parent may have ended before prctl.
  if (ready && getppid() == parent) execve(arguments[0], arguments, environment);
  const char problem[] = "cannot start the program\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, problem, sizeof problem - 1);
  _exit(127);
}

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Start(const std::vector<std::string>& arguments,
                                                 const std::string& log_file,
                                                 const absl::optional<ProcessUser>& user) {
  std::vector<std::string> argument_copy = arguments;
  std::vector<std::string> environment_copy = EnvironmentWithoutPostgres();
  const std::vector<char*> argument_pointers = Pointers(argument_copy);
  const std::vector<char*> environment_pointers = Pointers(environment_copy);

  const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) {
    return errors::Internal(absl::StrCat("cannot write ", log_file, ": ", std::strerror(errno)));
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    RunChild(argument_pointers.data(), environment_pointers.data(), log, user ? &*user : nullptr,
             parent);
  }
  const int fork_error = errno;
  close(log);
  if (pid < 0) {
    return errors::Internal(
        absl::StrCat("cannot start ", arguments[0], ": ", std::strerror(fork_error)));
  }
  return ChildProcess(pid);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), status_(other.status_) {}

absl::optional<int> ChildProcess::Poll() {
  int status = 0;
  if (!status_ && pid_ > 0 && waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  return status_;
}

absl::optional<int> ChildProcess::WaitUntil(absl::Time deadline) {
  while (!Poll() && absl::Now() < deadline) absl::SleepFor(kPoll);
  return status_;
}

void ChildProcess::Signal(int signal) {
  if (!Poll() && pid_ > 0) kill(pid_, signal);
}

}  // namespace migd
