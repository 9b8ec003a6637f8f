// The command line of migd.
#pragma once

#include "absl/types/optional.h"
#include "cli/description.h"
#include "service/config.h"

namespace migd {

// What the command line asks for: to serve, or to end at once (--help, --version, a mistake, which
// has been told on stderr).
struct CommandLine {
  absl::optional<Config> config;
  int exit_code = 0;
};

// Reads the command line and the MIGD_* environment.
CommandLine ReadCommandLine(int argc, const char* const* argv);

// The command line as it may be, for the manual page.
cli::Command DescribeCommandLine();

}  // namespace migd
