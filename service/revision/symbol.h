// The symbols by which people name revisions, and ranges of them: the grammar alone.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace migd {

// A revision symbol as it was written:
//
//     symbol := [branch "@"] ( name [offset] | offset )
//     name   := "head" | "heads" | "base" | "current" | an id or the beginning of one | a label
//     offset := ( "+" | "-" ) digits
//
// An offset on its own counts from the rows of the version table. A plain value; whether it names
// anything is for a graph to say (symbol_resolution.h).
struct RevisionSymbol {
  enum class Start { kHead, kHeads, kBase, kCurrent, kName, kUnnamed };

  // errors::InvalidSymbol if `text` is none: also for what follows an offset, for a second `@`,
  // for steps below base, and for a range.
  static absl::StatusOr<RevisionSymbol> Parse(absl::string_view text);

  bool is_relative() const { return offset.has_value(); }
  // Counts from the rows of the version table: `current+1` as well as `+1`.
  bool counts_from_rows() const {
    return is_relative() && (start == Start::kCurrent || start == Start::kUnnamed);
  }

  // What it means depends on the rows of the version table.
  bool needs_rows() const { return start == Start::kCurrent || counts_from_rows(); }

  // As it was written, for errors.
  std::string text;
  // A label, an id, or the beginning of either. An empty one (`@head`) is none.
  absl::optional<std::string> branch;
  Start start = Start::kName;
  // For kName only.
  std::string name;
  // Never INT32_MIN, which has no absolute value.
  absl::optional<int32_t> offset;
};

// A range of revisions, `a:b`, `a:` or `:b`. A plain value.
struct RevisionRange {
  // errors::InvalidSymbol if `text` is no range; an empty text is the range without ends.
  static absl::StatusOr<RevisionRange> Parse(absl::string_view text);

  std::string text;
  absl::optional<RevisionSymbol> lower;
  absl::optional<RevisionSymbol> upper;
};

}  // namespace migd
