#include "client/confirmation.h"

#include <unistd.h>

#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/plan_details.h"
#include "client/text.h"

namespace migctl {
namespace {

migration::v1::Error NothingWasDone(const std::string& problem) {
  migration::v1::Error error;
  error.set_code("FAILED_PRECONDITION");
  error.set_reason("CONFIRMATION_REQUIRED");
  error.set_message(absl::StrCat(problem, "; nothing was done"));
  return error;
}

int DigitOf(char c) { return absl::ascii_isdigit(c) ? c - '0' : absl::ascii_tolower(c) - 'a' + 10; }

}  // namespace

std::string Metadata(const migration::v1::Error& error, const std::string& key) {
  const auto value = error.metadata().find(key);
  return value == error.metadata().end() ? "" : value->second;
}

Prompt TerminalPrompt() {
  Prompt prompt;
  prompt.available = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
  prompt.ask = [](const std::string& question) -> std::optional<std::string> {
    std::cerr << question << std::flush;
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  };
  return prompt;
}

bool CanBeConfirmed(const migration::v1::Error& error) {
  return error.reason() == "CONFIRMATION_REQUIRED" && !Metadata(error, "confirmation").empty();
}

std::optional<migration::v1::Error> AskForConfirmation(const migration::v1::Error& error,
                                                       const Prompt& prompt, Output& output) {
  const std::string database = Metadata(error, "database");
  const TextSettings settings = {true, output.err().style(), output.err().width(),
                                 absl::UnixEpoch()};
  const auto& losses = error.losses();
  const bool is_known = losses.losses_size() > 0 || losses.unknown_statements_size() == 0;
  if (is_known) {
    output.err().Print(absl::StrCat("This destroys data of database ", Escape(database), ":\n",
                                    LossesText(losses.losses(), losses.omitted_count(), settings)));
  }
  if (losses.unknown_statements_size() > 0) {
    output.err().Print(absl::StrCat(
        is_known ? std::string("What these do besides shows only when they run:\n")
                 : absl::StrCat("This may destroy data of database ", Escape(database),
                                ": it says DROP, TRUNCATE or DELETE, and what it does shows only "
                                "when it runs:\n"),
        UnknownText(losses.unknown_statements(), losses.omitted_unknown_count(), settings)));
  }
  const auto typed =
      prompt.ask(absl::StrCat("To go on, type the name of the database, ", Escape(database), ": "));
  const std::string name(absl::StripAsciiWhitespace(typed.value_or("")));
  if (name == database) return std::nullopt;
  if (name.empty()) return NothingWasDone("it was not confirmed");
  return NothingWasDone(absl::StrCat("\"", name, "\" is not the name of the database, ", database));
}

std::string ConfirmedRequestId(const std::string& request_id, const std::string& confirmation) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string id = request_id;
  size_t next = 0;
  for (char& c : id) {
    if (c == '-' || confirmation.empty()) continue;
    const char other = confirmation[next++ % confirmation.size()];
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(other))) continue;
    c = kDigits[(DigitOf(c) ^ DigitOf(other)) & 0xf];
  }
  return id;
}

}  // namespace migctl
