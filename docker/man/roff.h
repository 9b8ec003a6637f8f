// Parts of a manual page in the language of man(7), made of what a command line says of itself.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "client/cli/description.h"

namespace man {

// `text` as it is printed, whatever it holds.
std::string Escape(absl::string_view text);

// The options of a command, each with its description, the variable of the environment that stands
// for it, and its default.
std::string Options(const cli::Command& command);

// The commands of a program beneath the headings of its help, each with how it is called, its
// positionals and options, and what its help ends with, but for the paragraph `left_out`.
std::string Commands(const cli::Command& program, absl::string_view left_out);

// Each variable of the environment that stands for an option of a program, once.
std::string Environment(const cli::Command& program);

// The paragraph of the help's end that begins with the line `heading`, as an example; empty if
// there is none.
std::string Example(const cli::Command& command, absl::string_view heading);

}  // namespace man
