#include "client/schema_report.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/text.h"
#include "client/time_text.h"

namespace migctl {
namespace {

using migration::v1::SchemaDifference;

// Longer texts are shown one after the other: to compare them takes the product of their lengths.
constexpr size_t kMostLines = 500;

constexpr char kIndent[] = "             ";
constexpr char kSigns[] = "(- as the files make it, + as the database has it)";

std::vector<std::string> LinesOf(absl::string_view text) {
  if (text.empty()) return {};
  return EscapedLines(text);
}

using Lines = std::vector<std::string>;

// common[i][j]: how many lines the rests of both texts from i and j on have in common, in order.
std::vector<std::vector<int>> CommonRests(const Lines& old_lines, const Lines& new_lines) {
  std::vector<std::vector<int>> common(old_lines.size() + 1,
                                       std::vector<int>(new_lines.size() + 1, 0));
  if (old_lines.size() > kMostLines || new_lines.size() > kMostLines) return common;
  for (size_t i = old_lines.size(); i-- > 0;) {
    for (size_t j = new_lines.size(); j-- > 0;) {
      common[i][j] = old_lines[i] == new_lines[j] ? common[i + 1][j + 1] + 1
                                                  : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  return common;
}

std::string KindText(SchemaDifference::Kind kind, const Style& style) {
  switch (kind) {
    case SchemaDifference::KIND_MISSING:
      return style.Error("missing    ");
    case SchemaDifference::KIND_UNEXPECTED:
      return style.Warning("unexpected ");
    default:
      return style.Warning("different  ");
  }
}

std::string ObjectCount(int count) { return Count(count, "object"); }

}  // namespace

std::string LineDifference(absl::string_view old_text, absl::string_view new_text,
                           absl::string_view indent, const Style& style) {
  const Lines old_lines = LinesOf(old_text);
  const Lines new_lines = LinesOf(new_text);
  const auto common = CommonRests(old_lines, new_lines);
  std::string text;
  size_t i = 0;
  size_t j = 0;
  while (i < old_lines.size() || j < new_lines.size()) {
    const bool both = i < old_lines.size() && j < new_lines.size();
    if (both && old_lines[i] == new_lines[j] && common[i][j] > 0) {
      absl::StrAppend(&text, indent, "  ", old_lines[i], "\n");
      ++i;
      ++j;
    } else if (j == new_lines.size() || (both && common[i + 1][j] >= common[i][j + 1])) {
      absl::StrAppend(&text, indent, style.Error("-"), " ", old_lines[i++], "\n");
    } else {
      absl::StrAppend(&text, indent, style.Good("+"), " ", new_lines[j++], "\n");
    }
  }
  return text;
}

std::string DifferencesText(const google::protobuf::RepeatedPtrField<SchemaDifference>& differences,
                            const Style& style) {
  std::string text;
  for (const SchemaDifference& difference : differences) {
    absl::StrAppend(&text, KindText(difference.kind(), style), Escape(difference.object_kind()),
                    " ", style.Bold(Escape(difference.object_name())), "\n");
    if (difference.attributes().empty()) {
      absl::StrAppend(&text, LineDifference(difference.expected_definition(),
                                            difference.actual_definition(), kIndent, style));
    }
    for (const auto& attribute : difference.attributes()) {
      absl::StrAppend(&text, kIndent, Escape(attribute.attribute()), "\n",
                      LineDifference(attribute.expected(), attribute.actual(), kIndent, style));
    }
  }
  return text;
}

std::string VerifyText(const migration::v1::VerifyResponse& response,
                       const TextSettings& settings) {
  const Style& style = settings.style;
  const std::string at = absl::StrCat(
      " at ", NameList(response.revisions(), "base"),
      response.ignored_count() > 0
          ? absl::StrCat("; ", Count(response.ignored_count(), "difference"), " ignored")
          : "");
  if (response.differences().empty()) {
    return absl::StrCat(
        ObjectCount(response.object_count()), response.object_count() == 1 ? "" : ", all",
        style.Good(" as the files make"), response.object_count() == 1 ? " it" : " them", at, "\n");
  }
  const int count = response.differences_size();
  return absl::StrCat(DifferencesText(response.differences(), style), "\n",
                      style.Error(Count(count, "difference")), " between the database and the ",
                      ObjectCount(response.object_count()), " that its files make", at, "\n",
                      style.Dim(kSigns), "\n");
}

std::string ComparisonText(const migration::v1::SchemaCompared& compared, const Style& style) {
  if (compared.differences().empty()) return "";
  std::string text = DifferencesText(compared.differences(), style);
  if (compared.omitted_count() > 0) {
    absl::StrAppend(&text, "and ", Count(compared.omitted_count(), "more difference"),
                    "; `migctl verify` lists all\n");
  }
  return absl::StrCat(text, style.Dim(kSigns), "\n");
}

}  // namespace migctl
