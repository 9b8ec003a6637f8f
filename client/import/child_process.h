// Runs another program to its end.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace migctl {

// What a program that ended has left.
struct ProgramResult {
  // 128 + N if signal N ended it.
  int exit_code = 0;
  std::string out;
  std::string err;
};

// Runs `arguments`, whose first is the program, looked for in the PATH if it has no slash, in the
// directory `directory`, with nothing on its stdin. No shell is involved. The program is killed if
// this process ends before it; call from the main thread, with whose end the kernel takes the
// process for ended. An error in words if the program cannot be started.
absl::StatusOr<ProgramResult> RunProgram(const std::vector<std::string>& arguments,
                                         const std::string& directory);

}  // namespace migctl
