#include <cstdint>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "service/base/errors.h"
#include "service/base/utf8.h"
#include "service/revision/symbol.h"
#include "tests/fuzz/properties.h"

namespace migd::fuzz {
namespace {

using Start = RevisionSymbol::Start;

std::string NameOf(const RevisionSymbol& symbol) {
  switch (symbol.start) {
    case Start::kHead:
      return "head";
    case Start::kHeads:
      return "heads";
    case Start::kBase:
      return "base";
    case Start::kCurrent:
      return "current";
    case Start::kName:
      return symbol.name;
    case Start::kUnnamed:
      return "";
  }
  return "";
}

// The symbol written anew, from its parts.
std::string Print(const RevisionSymbol& symbol) {
  return absl::StrCat(symbol.branch ? *symbol.branch + "@" : "", NameOf(symbol),
                      symbol.offset ? absl::StrFormat("%+d", *symbol.offset) : "");
}

bool HaveSameParts(const RevisionSymbol& a, const RevisionSymbol& b) {
  return a.branch == b.branch && a.start == b.start && a.name == b.name && a.offset == b.offset;
}

// A name or a branch could stand in a symbol, a list or a range without being taken apart.
bool IsWhole(absl::string_view name) {
  for (const char c : name) {
    if (c == '@' || c == ':' || c == ',' || absl::ascii_isspace(c) || absl::ascii_iscntrl(c)) {
      return false;
    }
  }
  return !name.empty();
}

// Checks one input.
class Checker {
 public:
  explicit Checker(absl::string_view text) : text_(text) {}

  Broken Check() {
    const absl::StatusOr<RevisionSymbol> symbol = RevisionSymbol::Parse(text_);
    if (symbol.ok()) {
      CheckSymbol(*symbol);
    } else {
      CheckError(symbol.status());
    }
    const absl::StatusOr<RevisionRange> range = RevisionRange::Parse(text_);
    CheckRange(range);
    Expect(!symbol.ok() || !range.ok(), "a text is a symbol or a range, not both");
    return std::move(broken_);
  }

 private:
  void Expect(bool holds, absl::string_view property) {
    if (!holds) broken_.emplace_back(property);
  }

  void CheckError(const absl::Status& status) {
    Expect(errors::ReasonOf(status) == migration::v1::ERROR_REASON_INVALID_SYMBOL,
           "what is no symbol or range is an invalid symbol");
    Expect(!status.message().empty(), "an error says something");
    Expect(!FindInvalidUtf8(status.message()).has_value(), "an error is valid UTF-8");
  }

  void CheckSymbol(const RevisionSymbol& symbol) {
    Expect(symbol.text == text_, "a symbol keeps its text");
    Expect(!symbol.branch || IsWhole(*symbol.branch), "a branch is whole");
    Expect((symbol.start == Start::kName) == !symbol.name.empty(), "a name is there if it counts");
    Expect(symbol.name.empty() || IsWhole(symbol.name), "a name is whole");
    Expect(symbol.start != Start::kUnnamed || symbol.offset.value_or(0) != 0,
           "a symbol without a name leads somewhere");
    Expect(symbol.start != Start::kBase || symbol.offset.value_or(1) > 0,
           "a symbol does not lead below base");
    Expect(symbol.offset != std::numeric_limits<int32_t>::min(), "steps can be counted");

    const std::string printed = Print(symbol);
    const absl::StatusOr<RevisionSymbol> again = RevisionSymbol::Parse(printed);
    Expect(again.ok() && HaveSameParts(symbol, *again),
           absl::StrCat("a symbol can be printed and read again, here as ", printed));
  }

  void CheckRange(const absl::StatusOr<RevisionRange>& range) {
    if (!range.ok()) CheckError(range.status());
    if (range.ok()) Expect(range->text == text_, "a range keeps its text");
    const size_t colon = text_.find(':');
    if (colon == text_.npos) {
      Expect(range.ok() == text_.empty(), "a range has a colon, or is empty");
      if (range.ok()) Expect(!range->lower && !range->upper, "the empty range has no ends");
      return;
    }
    const bool lower = CheckEnd(text_.substr(0, colon), range.ok(), [&] { return range->lower; });
    const bool upper = CheckEnd(text_.substr(colon + 1), range.ok(), [&] { return range->upper; });
    Expect(range.ok() == (lower && upper), "a range is one if its ends are symbols or missing");
  }

  // Whether `text` is an end of a range. It then is what it is on its own.
  template <typename End>
  bool CheckEnd(absl::string_view text, bool is_range, End end) {
    if (text.empty()) {
      if (is_range) Expect(!end(), "an end that is not written is none");
      return true;
    }
    const absl::StatusOr<RevisionSymbol> alone = RevisionSymbol::Parse(text);
    if (!is_range || !alone.ok()) return alone.ok();
    Expect(end() && end()->text == text && HaveSameParts(*end(), *alone),
           "the ends of a range are what they are on their own");
    return true;
  }

  const absl::string_view text_;
  Broken broken_;
};

}  // namespace

Broken CheckSymbol(absl::string_view text) { return Checker(text).Check(); }

}  // namespace migd::fuzz
