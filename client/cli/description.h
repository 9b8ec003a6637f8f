// A command line as plain data, for what is made of it besides its parsing: completions and manual
// pages.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace cli {

// An option or a positional argument.
struct Option {
  // As they are typed, long ones first: "--range", "-r". The name alone of a positional: "REV".
  std::vector<std::string> names;
  bool positional = false;
  bool required = false;
  bool repeatable = false;
  // A flag takes none.
  bool takes_value = false;
  // A value is given as --name=VALUE only, and may be left out.
  bool value_optional = false;
  // What the help calls the value: "ADDR". Empty for flags and positionals.
  std::string placeholder;
  // What kind of value it is: the type that the grammar names, such as REV, or the placeholder, or
  // the positional's name.
  std::string type;
  // The only values that there are; empty if they are not known beforehand.
  std::vector<std::string> choices;
  // Without the note of the variable.
  std::string description;
  // The variable of the environment that stands for it, and its default; may be empty.
  std::string variable;
  std::string default_value;
};

// A command: the program itself, or one of its subcommands.
struct Command {
  std::string name;
  std::string description;
  // The heading that the help lists it under.
  std::string group;
  std::string footer;
  // In the order of the help; what the help hides is left out.
  std::vector<Option> options;
  std::vector<Command> commands;
};

// Describes `app` with everything below it.
Command Describe(const CLI::App& app);

}  // namespace cli
