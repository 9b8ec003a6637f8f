#include "client/import/versions.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace migctl {
namespace {

absl::string_view WithoutLeadingZeros(absl::string_view number) {
  const size_t first = number.find_first_not_of('0');
  return first == absl::string_view::npos ? "" : number.substr(first);
}

// Below 0 if number `a` is smaller than `b`, above 0 if it is greater.
int CompareNumbers(absl::string_view a, absl::string_view b) {
  a = WithoutLeadingZeros(a);
  b = WithoutLeadingZeros(b);
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

}  // namespace

bool VersionLess(absl::string_view a, absl::string_view b) {
  const std::vector<absl::string_view> as = absl::StrSplit(a, '.');
  const std::vector<absl::string_view> bs = absl::StrSplit(b, '.');
  for (size_t i = 0; i < std::max(as.size(), bs.size()); ++i) {
    const int order = CompareNumbers(i < as.size() ? as[i] : "", i < bs.size() ? bs[i] : "");
    if (order != 0) return order < 0;
  }
  return false;
}

absl::optional<absl::Time> DateOfVersion(absl::string_view version) {
  constexpr size_t kDigits = 14;
  const bool digits = std::all_of(version.begin(), version.end(), absl::ascii_isdigit);
  absl::Time time;
  std::string error;
  if (version.size() != kDigits || !digits) return absl::nullopt;
  const std::string spaced =
      absl::StrCat(version.substr(0, 4), "-", version.substr(4, 2), "-", version.substr(6, 2), " ",
                   version.substr(8, 2), ":", version.substr(10, 2), ":", version.substr(12, 2));
  if (!absl::ParseTime("%Y-%m-%d %H:%M:%S", spaced, &time, &error)) return absl::nullopt;
  const int year = std::stoi(spaced.substr(0, 4));
  if (year < 1990 || year >= 2100) return absl::nullopt;
  return time;
}

std::string WordsOf(absl::string_view description) {
  const std::string words = absl::StrReplaceAll(description, {{"_", " "}});
  return std::string(absl::StripAsciiWhitespace(words));
}

migd::Revision RevisionOf(absl::string_view version, absl::string_view description) {
  migd::Revision revision;
  revision.id = std::string(version);
  revision.message = WordsOf(description);
  revision.create_time = DateOfVersion(version);
  return revision;
}

void LinkInOrder(Reading& reading,
                 const std::function<bool(absl::string_view, absl::string_view)>& less) {
  std::stable_sort(reading.revisions.begin(), reading.revisions.end(),
                   [&less](const ImportedRevision& a, const ImportedRevision& b) {
                     return less(a.revision.id, b.revision.id);
                   });
  for (size_t i = 1; i < reading.revisions.size(); ++i) {
    const ImportedRevision& before = reading.revisions[i - 1];
    ImportedRevision& after = reading.revisions[i];
    if (!less(before.revision.id, after.revision.id)) {
      reading.problems.push_back({after.source, 0,
                                  absl::StrCat("has the same version as ", before.source,
                                               "; only one of them can be it")});
    }
    after.revision.down_revisions = {before.revision.id};
  }
}

void NoteMissingDowns(Reading& reading, absl::string_view why) {
  const auto missing =
      std::count_if(reading.revisions.begin(), reading.revisions.end(),
                    [](const ImportedRevision& imported) { return !imported.down.has_value(); });
  if (missing == 0) return;
  reading.notes.push_back(absl::StrCat(
      missing, " of ", reading.revisions.size(), " revisions ", missing == 1 ? "has " : "have ",
      why, ": nothing downgrades below ", missing == 1 ? "it" : "them"));
}

}  // namespace migctl
