#include "service/lint/unified_diff.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace migd {
namespace {

using Lines = std::vector<absl::string_view>;

// The lines of a text, each with its line end.
Lines LinesOf(absl::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const size_t size = end == text.npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

// One line of a diff.
struct Change {
  char sign;
  absl::string_view line;
};
using Changes = std::vector<Change>;

void AddAll(const Lines& lines, char sign, Changes& changes) {
  for (const absl::string_view line : lines) changes.push_back({sign, line});
}

// By the longest common subsequence, if that is not too much to look for.
void AddDifference(const Lines& before, const Lines& after, Changes& changes) {
  constexpr size_t kMostCells = size_t{4} << 20;
  if (before.size() * after.size() > kMostCells) {
    AddAll(before, '-', changes);
    return AddAll(after, '+', changes);
  }
  const size_t width = after.size() + 1;
  // The length of what the rest of `before` and the rest of `after` have in common.
  std::vector<int> common((before.size() + 1) * width, 0);
  for (size_t i = before.size(); i-- > 0;) {
    for (size_t j = after.size(); j-- > 0;) {
      common[i * width + j] =
          before[i] == after[j] ? common[(i + 1) * width + j + 1] + 1
                                : std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  size_t i = 0;
  size_t j = 0;
  while (i < before.size() || j < after.size()) {
    if (i < before.size() && j < after.size() && before[i] == after[j]) {
      changes.push_back({' ', before[i]});
      ++i;
      ++j;
    } else if (j == after.size() ||
               (i < before.size() && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
      changes.push_back({'-', before[i++]});
    } else {
      changes.push_back({'+', after[j++]});
    }
  }
}

Changes Compare(Lines before, Lines after) {
  size_t same_first = 0;
  while (same_first < before.size() && same_first < after.size() &&
         before[same_first] == after[same_first]) {
    ++same_first;
  }
  size_t same_last = 0;
  while (same_last < before.size() - same_first && same_last < after.size() - same_first &&
         before[before.size() - 1 - same_last] == after[after.size() - 1 - same_last]) {
    ++same_last;
  }
  const auto middle = [&](const Lines& lines) {
    return Lines(lines.begin() + static_cast<std::ptrdiff_t>(same_first),
                 lines.end() - static_cast<std::ptrdiff_t>(same_last));
  };
  Changes changes;
  AddAll(Lines(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(same_first)), ' ',
         changes);
  AddDifference(middle(before), middle(after), changes);
  AddAll(Lines(before.end() - static_cast<std::ptrdiff_t>(same_last), before.end()), ' ', changes);
  return changes;
}

// The first line and the number of lines of a part, as a hunk's header has them.
std::string Range(size_t lines_before, size_t count) {
  return absl::StrCat(count == 0 ? lines_before : lines_before + 1, ",", count);
}

}  // namespace

std::string UnifiedDiff(absl::string_view path, absl::string_view before, absl::string_view after,
                        bool is_new) {
  if (before == after && !is_new) return "";
  constexpr size_t kContext = 3;
  const Changes changes = Compare(LinesOf(before), LinesOf(after));
  std::string diff =
      absl::StrCat(is_new ? "--- /dev/null" : absl::StrCat("--- a/", path), "\n+++ b/", path, "\n");
  size_t old_line = 0;
  size_t new_line = 0;
  size_t at = 0;
  const auto is_change = [&](size_t i) { return changes[i].sign != ' '; };
  while (at < changes.size()) {
    size_t first = at;
    while (first < changes.size() && !is_change(first)) ++first;
    if (first == changes.size()) break;
    const size_t begin = std::max(at, first > kContext ? first - kContext : 0);
    // A hunk goes on while changes are so close that their contexts meet.
    size_t end = first;
    for (size_t i = first; i < changes.size() && i <= end + 2 * kContext; ++i) {
      if (is_change(i)) end = i;
    }
    end = std::min(changes.size(), end + 1 + kContext);
    old_line += begin - at;
    new_line += begin - at;
    std::string lines;
    size_t old_count = 0;
    size_t new_count = 0;
    for (size_t i = begin; i < end; ++i) {
      old_count += changes[i].sign != '+';
      new_count += changes[i].sign != '-';
      absl::StrAppend(&lines, std::string(1, changes[i].sign), changes[i].line);
      if (!absl::EndsWith(changes[i].line, "\n")) {
        absl::StrAppend(&lines, "\n\\ No newline at end of file\n");
      }
    }
    absl::StrAppend(&diff, "@@ -", Range(old_line, old_count), " +", Range(new_line, new_count),
                    " @@\n", lines);
    old_line += old_count;
    new_line += new_count;
    at = end;
  }
  return diff;
}

}  // namespace migd
