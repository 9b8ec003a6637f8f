#include "docker/man/roff.h"

#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace man {
namespace {

std::string Bold(absl::string_view text) { return absl::StrCat("\\fB", Escape(text), "\\fR"); }
std::string Italic(absl::string_view text) { return absl::StrCat("\\fI", Escape(text), "\\fR"); }

// A sentence as a page has it.
std::string Sentence(std::string text) {
  if (text.empty()) return text;
  text[0] = static_cast<char>(absl::ascii_toupper(static_cast<unsigned char>(text[0])));
  const char last = text.back();
  if (last != '.' && last != '!' && last != ':') text += '.';
  return text;
}

std::vector<absl::string_view> Paragraphs(absl::string_view text) {
  return absl::StrSplit(absl::StripAsciiWhitespace(text), "\n\n", absl::SkipWhitespace());
}

// The lines as they are.
std::string Verbatim(const std::vector<absl::string_view>& lines) {
  std::string text = ".EX\n";
  for (const absl::string_view line : lines) {
    absl::StrAppend(&text, Escape(absl::StripPrefix(line, "  ")), "\n");
  }
  return absl::StrCat(text, ".EE\n");
}

// "-r", "--range" RANGE
std::string Tag(const cli::Option& option) {
  if (option.positional) return Italic(option.names.front());
  const std::string names = absl::StrJoin(
      option.names, ", ",
      [](std::string* out, const std::string& name) { absl::StrAppend(out, Bold(name)); });
  if (option.value_optional) return absl::StrCat(names, "[=", Italic(option.placeholder), "]");
  return option.takes_value ? absl::StrCat(names, " ", Italic(option.placeholder)) : names;
}

std::string Item(const cli::Option& option) {
  std::string text = absl::StrCat(".TP\n", Tag(option), "\n", Escape(Sentence(option.description)));
  if (!option.default_value.empty()) {
    absl::StrAppend(&text, "\nDefault: ", Bold(option.default_value), ".");
  }
  if (!option.variable.empty()) {
    absl::StrAppend(&text, "\nIn the environment: ", Bold(option.variable), ".");
  }
  return absl::StrCat(text, "\n");
}

// What the help of a command ends with.
std::string Closing(const cli::Command& command, absl::string_view left_out) {
  std::string text;
  for (const absl::string_view paragraph : Paragraphs(command.footer)) {
    if (paragraph == left_out) continue;
    std::vector<absl::string_view> lines = absl::StrSplit(paragraph, '\n');
    if (!absl::EndsWith(lines.front(), ":") || lines.size() == 1) {
      absl::StrAppend(&text, ".PP\n", Escape(absl::StrJoin(lines, " ")), "\n");
      continue;
    }
    absl::StrAppend(&text, ".PP\n", Escape(lines.front()), "\n.PP\n");
    lines.erase(lines.begin());
    absl::StrAppend(&text, Verbatim(lines));
  }
  return text;
}

std::string Call(const std::string& program, const cli::Command& command) {
  std::string call = Bold(absl::StrCat(program, " ", command.name));
  bool has_options = false;
  for (const cli::Option& option : command.options) has_options |= !option.positional;
  if (has_options) absl::StrAppend(&call, " [", Italic("options"), "]");
  for (const cli::Option& option : command.options) {
    if (!option.positional) continue;
    std::string name = Italic(option.names.front());
    if (option.repeatable) absl::StrAppend(&name, "...");
    absl::StrAppend(&call, " ", option.required ? name : absl::StrCat("[", name, "]"));
  }
  return call;
}

bool IsHelp(const cli::Option& option) { return option.names.front() == "--help"; }

// A command, or each of those that it consists of.
std::string Section(const std::string& program, const cli::Command& command,
                    absl::string_view left_out) {
  std::string text;
  if (command.commands.empty()) {
    absl::StrAppend(&text, ".TP\n", Call(program, command), "\n",
                    Escape(Sentence(command.description)), "\n");
    std::string details;
    for (const cli::Option& option : command.options) {
      if (!IsHelp(option)) absl::StrAppend(&details, Item(option));
    }
    absl::StrAppend(&details, Closing(command, left_out));
    if (!details.empty()) absl::StrAppend(&text, ".RS\n", details, ".RE\n");
    return text;
  }
  const std::string name = absl::StrCat(program, " ", command.name);
  for (const cli::Command& inner : command.commands) {
    absl::StrAppend(&text, Section(name, inner, left_out));
  }
  return absl::StrCat(text, Closing(command, left_out));
}

void CollectVariables(const cli::Command& command, std::vector<std::string>& order,
                      std::map<std::string, std::vector<std::string>>& options) {
  for (const cli::Option& option : command.options) {
    if (option.variable.empty()) continue;
    std::vector<std::string>& names = options[option.variable];
    if (names.empty()) order.push_back(option.variable);
    if (names.empty() || names.back() != option.names.front()) {
      names.push_back(option.names.front());
    }
  }
  for (const cli::Command& inner : command.commands) CollectVariables(inner, order, options);
}

}  // namespace

std::string Escape(absl::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else if (c == '\'') {
      escaped += "\\(aq";
    } else if (c == '`') {
      escaped += "\\(ga";
    } else if (c == '^') {
      escaped += "\\(ha";
    } else if (c == '~') {
      escaped += "\\(ti";
    } else {
      escaped += c;
    }
  }
  // A dot in the first column is a request.
  if (absl::StartsWith(escaped, ".")) escaped.insert(0, "\\&");
  return escaped;
}

std::string Options(const cli::Command& command) {
  std::string text;
  for (const cli::Option& option : command.options) absl::StrAppend(&text, Item(option));
  return text;
}

std::string Commands(const cli::Command& program, absl::string_view left_out) {
  std::string text;
  std::string group;
  for (const cli::Command& command : program.commands) {
    if (command.group != group) absl::StrAppend(&text, ".SS ", Escape(command.group), "\n");
    group = command.group;
    absl::StrAppend(&text, Section(program.name, command, left_out));
  }
  return text;
}

std::string Environment(const cli::Command& program) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<std::string>> options;
  CollectVariables(program, order, options);
  std::string text;
  for (const std::string& variable : order) {
    absl::StrAppend(&text, ".TP\n", Bold(variable), "\nStands for ",
                    absl::StrJoin(options[variable], ", ",
                                  [](std::string* out, const std::string& name) {
                                    absl::StrAppend(out, Bold(name));
                                  }),
                    ".\n");
  }
  return text;
}

std::string Example(const cli::Command& command, absl::string_view heading) {
  for (const absl::string_view paragraph : Paragraphs(command.footer)) {
    std::vector<absl::string_view> lines = absl::StrSplit(paragraph, '\n');
    if (lines.front() != heading) continue;
    lines.erase(lines.begin());
    return Verbatim(lines);
  }
  return "";
}

}  // namespace man
