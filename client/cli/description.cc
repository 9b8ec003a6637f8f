#include "client/cli/description.h"

#include <CLI/CLI.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace cli {
namespace {

// What CLI11 calls the values of an option that names no type.
constexpr absl::string_view kUntyped[] = {"", "TEXT", "INT", "UINT", "FLOAT", "BOOLEAN"};

bool IsUntyped(absl::string_view type) {
  for (const absl::string_view name : kUntyped) {
    if (type == name) return true;
  }
  return false;
}

// "N:INT in [0 - 100]" names the type before what the validators say.
std::string TypeOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

std::vector<std::string> ChoicesOf(absl::string_view text) {
  if (!absl::StrContains(text, "|")) return {};
  return absl::StrSplit(text, '|');
}

// Takes " [MIGCTL_SERVER]" off the end of a description.
std::string TakeVariable(std::string& description) {
  absl::string_view rest = description;
  if (!absl::ConsumeSuffix(&rest, "]")) return "";
  const size_t open = rest.rfind(" [");
  if (open == rest.npos) return "";
  const std::string name(rest.substr(open + 2));
  for (const char c : name) {
    if (c != '_' && !absl::ascii_isupper(static_cast<unsigned char>(c))) return "";
  }
  description.resize(open);
  return name;
}

void Name(const CLI::Option& from, Option& option) {
  option.positional = !from.nonpositional();
  if (option.positional) {
    option.names = {from.get_name(/*positional=*/true)};
    return;
  }
  for (const std::string& name : from.get_lnames()) {
    option.names.push_back(absl::StrCat("--", name));
  }
  for (const std::string& name : from.get_snames()) {
    option.names.push_back(absl::StrCat("-", name));
  }
}

Option Describe(const CLI::Option& from) {
  Option option;
  Name(from, option);
  option.required = from.get_required();
  option.description = from.get_description();
  option.variable = TakeVariable(option.description);
  if (!from.get_envname().empty()) option.variable = from.get_envname();
  option.default_value = from.get_default_str();

  std::string text(absl::StripAsciiWhitespace(from.get_option_text()));
  const std::string type = TypeOf(from);
  option.value_optional = absl::StartsWith(text, "[=");
  option.takes_value = option.positional || from.get_items_expected_min() > 0;
  option.repeatable = option.takes_value && from.get_items_expected_max() > 1;
  if (option.value_optional) text = text.substr(2, text.size() - 3);
  if (!option.positional && (option.takes_value || option.value_optional)) {
    option.placeholder = text.empty() ? type : text;
  }
  option.type = !IsUntyped(type)    ? type
                : option.positional ? option.names.front()
                                    : option.placeholder;
  option.choices = ChoicesOf(option.type);
  return option;
}

}  // namespace

Command Describe(const CLI::App& app) {
  Command command;
  command.name = app.get_name();
  command.description = app.get_description();
  command.group = app.get_group();
  command.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_group().empty()) command.options.push_back(Describe(*option));
  }
  for (const CLI::App* inner : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!inner->get_group().empty()) command.commands.push_back(Describe(*inner));
  }
  return command;
}

}  // namespace cli
