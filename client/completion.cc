#include "client/completion.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace migctl {
namespace {

// Where the command line stands before the word at the cursor.
struct Position {
  // From the program itself to the command that was given.
  std::vector<const cli::Command*> commands;
  // The option whose value comes next; null if none does.
  const cli::Option* awaiting = nullptr;
  // The names of those that were given.
  std::set<std::string> given;
  // How many positionals were given.
  size_t positionals = 0;
  // After "--" everything is a positional.
  bool options_ended = false;
  // The program's own options, with their values.
  std::vector<std::string> global_words;
};

// "-1" is a revision.
bool IsOptionWord(absl::string_view word) {
  return word.size() > 1 && word[0] == '-' &&
         !absl::ascii_isdigit(static_cast<unsigned char>(word[1]));
}

bool HasName(const cli::Option& option, absl::string_view name) {
  return !option.positional &&
         std::find(option.names.begin(), option.names.end(), name) != option.names.end();
}

// The option that a word without its value names, of the command or of one above it; null if none
// has this name.
const cli::Option* FindOption(const Position& position, absl::string_view name) {
  for (auto command = position.commands.rbegin(); command != position.commands.rend(); ++command) {
    for (const cli::Option& option : (*command)->options) {
      if (HasName(option, name)) return &option;
    }
  }
  return nullptr;
}

const cli::Command* FindCommand(const cli::Command& parent, absl::string_view name) {
  for (const cli::Command& command : parent.commands) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

bool IsGlobal(const Position& position, const cli::Option& option) {
  const std::vector<cli::Option>& globals = position.commands.front()->options;
  return &option >= globals.data() && &option < globals.data() + globals.size();
}

// Those that print something instead of running the command.
bool EndsTheProgram(const cli::Option& option) {
  return HasName(option, "--help") || HasName(option, "--version");
}

void TakeOption(const std::string& word, Position& position) {
  const size_t equals = word.find('=');
  const cli::Option* option = FindOption(position, word.substr(0, equals));
  if (option == nullptr) return;
  position.given.insert(option->names.front());
  if (option->takes_value && equals == word.npos) position.awaiting = option;
  if (IsGlobal(position, *option) && !EndsTheProgram(*option)) {
    position.global_words.push_back(word);
  }
}

void Take(const std::string& word, Position& position) {
  if (position.awaiting != nullptr) {
    if (IsGlobal(position, *position.awaiting)) position.global_words.push_back(word);
    position.awaiting = nullptr;
  } else if (!position.options_ended && word == "--") {
    position.options_ended = true;
  } else if (!position.options_ended && IsOptionWord(word)) {
    TakeOption(word, position);
  } else if (const cli::Command* inner = FindCommand(*position.commands.back(), word)) {
    position.commands.push_back(inner);
  } else {
    ++position.positionals;
  }
}

Position PositionAfter(const cli::Command& grammar, const std::vector<std::string>& words) {
  Position position;
  position.commands = {&grammar};
  for (size_t i = 0; i + 1 < words.size(); ++i) Take(words[i], position);
  return position;
}

// Puts together the candidates that the word at the cursor may become.
class Composer {
 public:
  explicit Composer(CompletionSource& source) : source_(source) {}

  void AddCommands(const cli::Command& parent, absl::string_view word) {
    for (const cli::Command& command : parent.commands) {
      Add("", word, {command.name, command.description});
    }
  }

  void AddOptions(const Position& position, absl::string_view word) {
    std::set<std::string> seen;
    for (auto command = position.commands.rbegin(); command != position.commands.rend();
         ++command) {
      for (const cli::Option& option : (*command)->options) {
        if (option.positional || !seen.insert(option.names.front()).second) continue;
        if (!option.repeatable && position.given.count(option.names.front()) > 0) continue;
        for (const std::string& name : option.names) Add("", word, {name, option.description});
      }
    }
  }

  // `before` is the part of the word that stays: "--output=".
  void AddValues(const cli::Option& option, std::string before, std::string word) {
    const char* separators = Separators(option);
    const size_t separator = word.find_last_of(separators);
    if (separator != word.npos) {
      absl::StrAppend(&before, word.substr(0, separator + 1));
      word.erase(0, separator + 1);
    }
    if (option.type == "FILE" || option.type == "PROGRAM") {
      completion_.files = FileNames::kFiles;
    } else if (option.type == "DIR") {
      completion_.files = FileNames::kDirectories;
    }
    for (const std::string& choice : option.choices) Add(before, word, {choice, ""});
    for (const Candidate& candidate : FromServer(option)) Add(before, word, candidate);
  }

  Completion Take() { return std::move(completion_); }

 private:
  // What stands between the values of an option that takes several in one word.
  static const char* Separators(const cli::Option& option) {
    if (option.placeholder == "REVS" || option.placeholder == "STATES") return ",";
    return option.type == "REV" || option.type == "RANGE" ? ":" : "";
  }

  std::vector<Candidate> FromServer(const cli::Option& option) {
    if (option.type == "REV" || option.type == "REVS" || option.type == "RANGE") {
      return source_.Revisions();
    }
    if (option.type == "OPERATION") return source_.Operations();
    if (option.type == "DATABASE") return source_.Databases();
    return {};
  }

  void Add(absl::string_view before, absl::string_view word, const Candidate& candidate) {
    if (!absl::StartsWith(candidate.text, word)) return;
    completion_.candidates.push_back({absl::StrCat(before, candidate.text), candidate.description});
  }

  CompletionSource& source_;
  Completion completion_;
};

// The positional that comes next: the last one for all that follow, if it can be repeated.
const cli::Option* NextPositional(const Position& position) {
  size_t index = 0;
  for (const cli::Option& option : position.commands.back()->options) {
    if (!option.positional) continue;
    if (index == position.positionals || option.repeatable) return &option;
    ++index;
  }
  return nullptr;
}

}  // namespace

Completion Complete(const cli::Command& grammar, const std::vector<std::string>& words,
                    CompletionSource& source) {
  const Position position = PositionAfter(grammar, words);
  const std::string& word = words.back();
  Composer composer(source);
  const size_t equals = word.find('=');
  if (position.awaiting != nullptr) {
    composer.AddValues(*position.awaiting, "", word);
  } else if (!position.options_ended && IsOptionWord(word) && equals != word.npos) {
    if (const cli::Option* option = FindOption(position, word.substr(0, equals))) {
      composer.AddValues(*option, word.substr(0, equals + 1), word.substr(equals + 1));
    }
  } else if (!position.options_ended && (word == "-" || IsOptionWord(word))) {
    composer.AddOptions(position, word);
  } else if (const cli::Option* positional = NextPositional(position)) {
    composer.AddValues(*positional, "", word);
  } else {
    composer.AddCommands(*position.commands.back(), word);
  }
  return composer.Take();
}

std::vector<std::string> GlobalOptionsIn(const cli::Command& grammar,
                                         const std::vector<std::string>& words) {
  Position position = PositionAfter(grammar, words);
  // An option whose value is being typed has none yet.
  if (position.awaiting != nullptr && IsGlobal(position, *position.awaiting)) {
    position.global_words.pop_back();
  }
  return position.global_words;
}

}  // namespace migctl
