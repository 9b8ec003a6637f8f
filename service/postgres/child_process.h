// A program that runs as a child of this process and does not outlive it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace migd {

// The user to run a program as.
struct ProcessUser {
  std::string name;
  uid_t uid;
  gid_t gid;
};

// A running child. Thread-compatible. The kernel sends it SIGINT when this process ends, however
// it ends.
class ChildProcess {
 public:
  // Starts `arguments` (the first is the program's path) with output and errors appended to
  // `log_file`, as `user` if one is given (only root can). The environment is inherited, less PG*
  // (other servers) and what systemd gave to migd, and with `environment` ("NAME=value") added.
  // From any thread, whatever becomes of it.
  static absl::StatusOr<ChildProcess> Start(const std::vector<std::string>& arguments,
                                            const std::string& log_file,
                                            const absl::optional<ProcessUser>& user,
                                            const std::vector<std::string>& environment = {});

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  // Leaves a running child alone: the owner decides how to end it.
  ~ChildProcess() = default;

  pid_t pid() const { return pid_; }

  // The exit status as waitpid tells it, if the child has ended. Never waits.
  absl::optional<int> Poll();
  // The exit status; waits until `deadline`.
  absl::optional<int> WaitUntil(absl::Time deadline);
  // Sends a signal, if the child has not ended.
  void Signal(int signal);

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  pid_t pid_;
  absl::optional<int> status_;
};

}  // namespace migd
