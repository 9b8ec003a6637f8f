#include "service/revision/symbol.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "service/base/errors.h"

namespace migd {
namespace {

using Start = RevisionSymbol::Start;

constexpr absl::string_view kSigns = "+-";

Start StartOf(absl::string_view name) {
  if (name.empty()) return Start::kUnnamed;
  if (name == "head") return Start::kHead;
  if (name == "heads") return Start::kHeads;
  if (name == "base") return Start::kBase;
  if (name == "current") return Start::kCurrent;
  return Start::kName;
}

bool IsDigits(absl::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!absl::ascii_isdigit(c)) return false;
  }
  return true;
}

// A sign with a digit after it: what Alembic takes for an offset, whatever follows.
bool HasOffset(absl::string_view text) {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (kSigns.find(text[i]) != kSigns.npos && absl::ascii_isdigit(text[i + 1])) return true;
  }
  return false;
}

// What is wrong with the characters of `text`; empty if nothing is.
absl::string_view CharacterProblem(absl::string_view text) {
  for (const char c : text) {
    if (absl::ascii_isspace(c) || absl::ascii_iscntrl(c)) return "it has whitespace in it";
    if (c == ':') return "a range is not taken here; name one revision";
    if (c == ',') return "a list is not taken here; name one revision";
  }
  return "";
}

// Reads `[name][offset]` into `symbol`. Returns what is wrong with it; empty if nothing is.
absl::string_view ReadNameAndOffset(absl::string_view text, RevisionSymbol& symbol) {
  const size_t sign = text.find_last_of(kSigns);
  absl::string_view name = text;
  if (sign != text.npos && IsDigits(text.substr(sign + 1))) {
    // As many steps down as up, so that the steps of any offset can be counted.
    int32_t steps;
    if (!absl::SimpleAtoi(text.substr(sign + 1), &steps)) return "its offset is too large";
    symbol.offset = text[sign] == '-' ? -steps : steps;
    name = text.substr(0, sign);
  }
  if (HasOffset(name)) return "nothing may follow an offset";
  if (!name.empty() && kSigns.find(name[0]) != kSigns.npos) {
    return "a number must follow the sign, as in +1 or -2";
  }
  symbol.start = StartOf(name);
  if (symbol.start == Start::kName) symbol.name = std::string(name);
  return "";
}

absl::string_view MeaningProblem(const RevisionSymbol& symbol) {
  if (symbol.start == Start::kUnnamed && !symbol.is_relative()) {
    return "name a revision, as in head or 7c20";
  }
  if (symbol.start == Start::kUnnamed && *symbol.offset == 0) {
    return "0 steps lead nowhere; say current";
  }
  if (symbol.start == Start::kBase && symbol.is_relative() && *symbol.offset <= 0) {
    return "there is nothing below base";
  }
  return "";
}

// Reads the symbol into `symbol`. Returns what is wrong with it; empty if nothing is.
absl::string_view Read(absl::string_view text, RevisionSymbol& symbol) {
  const absl::string_view characters = CharacterProblem(text);
  if (!characters.empty()) return characters;

  absl::string_view rest = text;
  const size_t at = text.find('@');
  if (at != text.npos) {
    const absl::string_view branch = text.substr(0, at);
    rest = text.substr(at + 1);
    if (rest.find('@') != rest.npos) return "it has more than one @";
    const Start start = StartOf(branch);
    if (start != Start::kUnnamed && start != Start::kName) {
      return "before the @ stands a branch label or a revision id";
    }
    if (!branch.empty()) symbol.branch = std::string(branch);
  }

  const absl::string_view name = ReadNameAndOffset(rest, symbol);
  if (!name.empty()) return name;
  return MeaningProblem(symbol);
}

// An end of a range; none where nothing is written.
absl::StatusOr<absl::optional<RevisionSymbol>> ParseEnd(absl::string_view text) {
  if (text.empty()) return absl::optional<RevisionSymbol>();
  absl::StatusOr<RevisionSymbol> symbol = RevisionSymbol::Parse(text);
  if (!symbol.ok()) return symbol.status();
  return absl::optional<RevisionSymbol>(*std::move(symbol));
}

}  // namespace

absl::StatusOr<RevisionSymbol> RevisionSymbol::Parse(absl::string_view text) {
  RevisionSymbol symbol;
  symbol.text = std::string(text);
  const absl::string_view problem = Read(text, symbol);
  if (!problem.empty()) return errors::InvalidSymbol(text, problem);
  return symbol;
}

absl::StatusOr<RevisionRange> RevisionRange::Parse(absl::string_view text) {
  RevisionRange range;
  range.text = std::string(text);
  if (text.empty()) return range;

  const size_t colon = text.find(':');
  if (colon == text.npos || text.find(':', colon + 1) != text.npos) {
    return errors::InvalidSymbol(text, "a range is written a:b, a: or :b");
  }
  absl::StatusOr<absl::optional<RevisionSymbol>> lower = ParseEnd(text.substr(0, colon));
  if (!lower.ok()) return lower.status();
  absl::StatusOr<absl::optional<RevisionSymbol>> upper = ParseEnd(text.substr(colon + 1));
  if (!upper.ok()) return upper.status();
  range.lower = *std::move(lower);
  range.upper = *std::move(upper);
  return range;
}

}  // namespace migd
