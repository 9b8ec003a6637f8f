#include "client/exit_code.h"

namespace migctl {

ExitCode ExitCodeOf(const migration::v1::Error& error) {
  if (error.code() == "UNAVAILABLE" || error.code() == "DEADLINE_EXCEEDED") {
    return ExitCode::kUnreachable;
  }
  return error.code() == "CANCELLED" ? ExitCode::kInterrupted : ExitCode::kFailed;
}

}  // namespace migctl
