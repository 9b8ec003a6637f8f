#include "service/postgres/child_process.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <future>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/mutex.h"
#include "service/base/worker_pool.h"

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

// Without what is meant for migd alone: where its databases are, and how to speak to systemd, whom
// a PostgreSQL would otherwise tell of its own readiness and end.
std::vector<std::string> EnvironmentOfChildren() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (absl::StartsWith(*entry, "PG") || absl::StartsWith(*entry, "NOTIFY_SOCKET=") ||
        absl::StartsWith(*entry, "WATCHDOG_")) {
      continue;
    }
    environment.emplace_back(*entry);
  }
  return environment;
}

// The thread that starts children. It never ends: the kernel takes the end of the thread that
// started a child for the end of its parent. A process that was forked has none of the threads of
// its parent, and gets its own.
WorkerPool& Starter() {
  static Mutex mutex;
  static WorkerPool* starter = nullptr;
  static pid_t owner = 0;
  MutexLock lock(mutex);
  if (owner != getpid()) {
    starter = new WorkerPool(1);
    owner = getpid();
  }
  return *starter;
}

pid_t ForkOnStarter(const std::function<pid_t()>& start, int& error) {
  std::promise<pid_t> started;
  Starter().Submit([&] {
    const pid_t pid = start();
    error = errno;
    started.set_value(pid);
  });
  return started.get_future().get();
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
                                                 const absl::optional<ProcessUser>& user,
                                                 const std::vector<std::string>& environment) {
  std::vector<std::string> argument_copy = arguments;
  std::vector<std::string> environment_copy = EnvironmentOfChildren();
  environment_copy.insert(environment_copy.end(), environment.begin(), environment.end());
  const std::vector<char*> argument_pointers = Pointers(argument_copy);
  const std::vector<char*> environment_pointers = Pointers(environment_copy);

  const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) {
    return errors::Internal(absl::StrCat("cannot write ", log_file, ": ", std::strerror(errno)));
  }
  const pid_t parent = getpid();
  int fork_error = 0;
  const pid_t pid = ForkOnStarter(
      [&] {
        const pid_t child = fork();
        if (child == 0) {
          RunChild(argument_pointers.data(), environment_pointers.data(), log,
                   user ? &*user : nullptr, parent);
        }
        return child;
      },
      fork_error);
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
