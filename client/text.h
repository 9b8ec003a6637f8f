// Text as a terminal shows it: how wide it is, how to shorten it, and how to keep what comes from
// elsewhere from driving the terminal. Pure; safe from any thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace migctl {

// One character of a UTF-8 text. A byte that is not part of valid UTF-8 is a character of its own.
struct Character {
  char32_t value = 0;
  size_t size = 1;
  bool valid = false;
};

// The first character of `text`, which must not be empty.
Character FirstCharacter(absl::string_view text);

// Whether all of `text` is valid UTF-8.
bool IsUtf8(absl::string_view text);

// The columns that `text` takes: 2 for East Asian wide characters and emoji, 0 for combining marks
// and for the colour sequences of Style.
int DisplayWidth(absl::string_view text);

// `text` within `width` columns, its end replaced by "…" if it is longer. Colour sequences are
// kept, so that a colour that was switched on is switched off again.
std::string Truncate(absl::string_view text, int width);

// `text` filled with spaces on the right to `width` columns.
std::string PadRight(absl::string_view text, int width);

// `text` filled with spaces on the left to `width` columns.
std::string PadLeft(absl::string_view text, int width);

// `text` without anything that acts on a terminal: control characters, bidirectional overrides and
// bytes that are no UTF-8 are shown as \n, \t, \x1b, \u202e.
std::string Escape(absl::string_view text);

// The lines of `text`, each escaped. Carriage returns before a newline are dropped.
std::vector<std::string> EscapedLines(absl::string_view text);

// "1 revision", "2 revisions".
std::string Count(int count, absl::string_view noun);

// `names` joined by ", " and escaped; `if_empty` for none.
template <typename Names>
std::string NameList(const Names& names, absl::string_view if_empty = "") {
  std::string joined;
  for (const auto& name : names) {
    if (!joined.empty()) joined += ", ";
    joined += Escape(name);
  }
  return joined.empty() ? std::string(if_empty) : joined;
}

}  // namespace migctl
