// The command line and the environment -> an Invocation. The only file that knows CLI11.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "client/cli/description.h"
#include "client/invocation.h"
#include "client/terminal.h"

namespace migctl {

// The last paragraph of the help of each command.
inline constexpr char kGlobalHint[] = "Global options, taken here too: migctl --help";

// The user asked for help: print it and end with kDone.
struct HelpText {
  std::string text;
};

// The command line was not understood: say why and end with kUsage.
struct UsageError {
  // One line.
  std::string message;
  // What to type to learn more.
  std::string hint;
  // How the error is to be printed, as far as it was understood.
  OutputFormat output = OutputFormat::kText;
};

using ParsedCommandLine = std::variant<Invocation, HelpText, UsageError>;

// `arguments` are those after the program's name. Global options are taken before and after the
// command, and from MIGCTL_SERVER and so on in `environment` where they are not given. Relative
// revisions, such as -1 or -3:current, are values and never options. Pure but for the random
// request_id of a command that starts an operation.
ParsedCommandLine ParseCommandLine(const std::vector<std::string>& arguments,
                                   const Environment& environment);

// The whole command line, for completions and the manual page. Pure.
cli::Command DescribeCommandLine();

}  // namespace migctl
