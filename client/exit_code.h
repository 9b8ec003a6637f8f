// How migctl ends: the numbers that scripts rely on.
#pragma once

#include "migration/v1/error.pb.h"

namespace migctl {

enum class ExitCode {
  kDone = 0,
  // The call or the operation failed.
  kFailed = 1,
  // The command line was not understood; nothing was sent.
  kUsage = 2,
  // The command worked, and what it checks does not hold.
  kCheckFailed = 3,
  // No server answers, its database does not, or the deadline passed.
  kUnreachable = 4,
  // Ctrl-C, or the operation was cancelled.
  kInterrupted = 130,
};

// kUnreachable for UNAVAILABLE and DEADLINE_EXCEEDED, kInterrupted for CANCELLED, otherwise
// kFailed. Pure.
ExitCode ExitCodeOf(const migration::v1::Error& error);

}  // namespace migctl
