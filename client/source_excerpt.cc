#include "client/source_excerpt.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "client/text.h"

namespace migctl {
namespace {

constexpr int kTabWidth = 4;

// A source line as it is shown, and where the carets go, in columns from 0.
struct Excerpt {
  std::string line;
  int caret_column = 0;
  int caret_width = 1;
};

// One character of a source line as it is shown: tabs become spaces, the rest is escaped.
std::string Shown(absl::string_view character) {
  return character == "\t" ? std::string(kTabWidth, ' ') : Escape(character);
}

std::vector<std::string> ShownCharacters(absl::string_view line) {
  std::vector<std::string> characters;
  while (!line.empty()) {
    const size_t size = FirstCharacter(line).size;
    characters.push_back(Shown(line.substr(0, size)));
    line.remove_prefix(size);
  }
  return characters;
}

int WidthOf(const std::vector<std::string>& characters, size_t first, size_t last) {
  int width = 0;
  for (size_t i = first; i < std::min(last, characters.size()); ++i) {
    width += DisplayWidth(characters[i]);
  }
  return width;
}

// Where to begin so that the fault, which is at `fault`, is seen within `width` columns, with a
// third of them before it.
size_t FirstVisible(const std::vector<std::string>& characters, size_t fault, int width) {
  if (WidthOf(characters, 0, characters.size()) <= width) return 0;
  size_t first = std::min(fault, characters.size());
  while (first > 0 && WidthOf(characters, first - 1, fault) <= width / 3) --first;
  return first;
}

Excerpt MakeExcerpt(const SourcePlace& place, int width) {
  const std::vector<std::string> characters = ShownCharacters(place.text);
  const size_t fault = std::max(place.column - 1, 0);
  const size_t first = width > 0 ? FirstVisible(characters, fault, width) : 0;

  Excerpt excerpt;
  excerpt.line = first > 0 ? "…" : "";
  excerpt.caret_column = WidthOf(characters, first, fault) + (first > 0 ? 1 : 0);
  excerpt.caret_width = std::max(WidthOf(characters, fault, fault + place.length), 1);
  for (size_t i = first; i < characters.size(); ++i) absl::StrAppend(&excerpt.line, characters[i]);
  if (width > 0) {
    excerpt.line = Truncate(excerpt.line, width);
    excerpt.caret_width = std::clamp(width - excerpt.caret_column, 1, excerpt.caret_width);
  }
  return excerpt;
}

}  // namespace

std::string SourceExcerpt(const SourcePlace& place, const Style& style, int width) {
  const std::string number = place.line > 0 ? absl::StrCat(place.line) : "";
  const std::string margin(number.size(), ' ');
  std::string position = number.empty() ? "" : absl::StrCat(":", number);
  if (place.shows_column) absl::StrAppend(&position, ":", place.column);
  std::string report =
      absl::StrCat(margin, " ", style.Accent("-->"), " ", Escape(place.file), position, "\n");
  if (place.text.empty()) return report;

  constexpr int kGutterExtra = 4;  // A space before the number, " | " after it.
  const int gutter = static_cast<int>(number.size()) + kGutterExtra;
  const Excerpt excerpt = MakeExcerpt(place, width > 0 ? std::max(width - gutter, 20) : 0);
  const std::string bar = style.Accent("|");
  absl::StrAppend(&report, " ", margin, " ", bar, "\n");
  absl::StrAppend(&report, " ", style.Accent(number), " ", bar, " ", excerpt.line, "\n");
  if (place.column > 0) {
    absl::StrAppend(&report, " ", margin, " ", bar, " ", std::string(excerpt.caret_column, ' '),
                    style.Error(std::string(excerpt.caret_width, '^')), "\n");
  }
  return report;
}

}  // namespace migctl
