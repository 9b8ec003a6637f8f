#include "client/import/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/unique_fd.h"

namespace migctl {
namespace {

using migd::UniqueFd;

absl::Status CannotStart(const std::string& program, int error) {
  return absl::FailedPreconditionError(
      absl::StrCat(program, " cannot be started: ", std::generic_category().message(error)));
}

// A pipe from the child to this process.
class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_, O_CLOEXEC) != 0) error_ = errno;
  }
  ~Pipe() {
    CloseWriter();
    if (ends_[0] >= 0) ::close(ends_[0]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  // Why it could not be made; 0 if it was.
  int error() const { return error_; }
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  // Without it the reader would never see the end.
  void CloseWriter() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  int ends_[2] = {-1, -1};
  int error_ = 0;
};

// What the child needs, prepared before the fork: between fork and exec it must not allocate.
struct Start {
  std::vector<char*> arguments;
  const char* directory = nullptr;
  pid_t parent = 0;
  int null = -1;
  int out = -1;
  int err = -1;
  // Takes errno if the program cannot be started; closed by exec if it can.
  int failure = -1;
};

[[noreturn]] void FailInChild(const Start& start) {
  const int error = errno;
  // Nobody is left to be told if this fails.
  [[maybe_unused]] const ssize_t written = ::write(start.failure, &error, sizeof error);
  ::_exit(127);
}

[[noreturn]] void BecomeProgram(const Start& start) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != start.parent) ::_exit(127);
  // This process blocks SIGINT to wait for it; the program shall have it as usual.
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(start.null, STDIN_FILENO) < 0 || ::dup2(start.out, STDOUT_FILENO) < 0 ||
      ::dup2(start.err, STDERR_FILENO) < 0 || ::chdir(start.directory) != 0) {
    FailInChild(start);
  }
  ::execvp(start.arguments[0], start.arguments.data());
  FailInChild(start);
}

// Reads what is there; false at the end.
bool ReadSome(int fd, std::string& text) {
  char chunk[size_t{1} << 16];
  const ssize_t count = ::read(fd, chunk, sizeof chunk);
  if (count > 0) text.append(chunk, static_cast<size_t>(count));
  return count > 0 || (count < 0 && errno == EINTR);
}

// Reads both pipes to their ends, whichever has something: a program that fills one while the other
// is waited for would hang.
void ReadBoth(int out, int err, ProgramResult& result) {
  pollfd pipes[] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  std::string* const texts[] = {&result.out, &result.err};
  while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
    if (::poll(pipes, 2, -1) < 0) continue;  // EINTR
    for (int i = 0; i < 2; ++i) {
      if (pipes[i].fd < 0 || pipes[i].revents == 0) continue;
      if (!ReadSome(pipes[i].fd, *texts[i])) pipes[i].fd = -1;
    }
  }
}

int WaitFor(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

absl::StatusOr<ProgramResult> RunProgram(const std::vector<std::string>& arguments,
                                         const std::string& directory) {
  Pipe out;
  Pipe err;
  Pipe failure;
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (null.get() < 0) return CannotStart(arguments[0], errno);
  for (const Pipe* pipe : {&out, &err, &failure}) {
    if (pipe->error() != 0) return CannotStart(arguments[0], pipe->error());
  }
  Start start;
  for (const std::string& argument : arguments) {
    start.arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  start.arguments.push_back(nullptr);
  start.directory = directory.c_str();
  start.parent = ::getpid();
  start.null = null.get();
  start.out = out.writer();
  start.err = err.writer();
  start.failure = failure.writer();

  const pid_t child = ::fork();
  if (child < 0) return CannotStart(arguments[0], errno);
  if (child == 0) BecomeProgram(start);
  for (Pipe* pipe : {&out, &err, &failure}) pipe->CloseWriter();

  int error = 0;
  ssize_t count = 0;
  do {
    count = ::read(failure.reader(), &error, sizeof error);
  } while (count < 0 && errno == EINTR);
  const bool started = count != sizeof error;
  ProgramResult result;
  if (started) ReadBoth(out.reader(), err.reader(), result);
  result.exit_code = WaitFor(child);
  if (!started) return CannotStart(arguments[0], error);
  return result;
}

}  // namespace migctl
