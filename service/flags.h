// The command line of migd.
#pragma once

#include <functional>
#include <string>

#include "absl/types/optional.h"
#include "service/config.h"

namespace CLI {
class App;
}

namespace migd {

// What the command line asks for: to serve, or to end at once (--help, --version, a mistake).
struct CommandLine {
  absl::optional<Config> config;
  int exit_code = 0;
  // The mistake, in one line; empty if there is none.
  std::string problem;
};

// Reads the command line and the MIGD_* environment.
CommandLine ReadCommandLine(int argc, const char* const* argv);

// Shows the command line as it may be, which goes away when `look` returns: for the manual page.
void ShowCommandLine(const std::function<void(const CLI::App&)>& look);

}  // namespace migd
