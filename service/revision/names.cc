#include "service/revision/names.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/utf8.h"

namespace migd {
namespace {

// The width of the version table's column: varchar(32).
constexpr size_t kMaxIdLength = 32;

constexpr absl::string_view kForbiddenInIds = "@-+:,/";
constexpr absl::string_view kForbiddenInLabels = "@:,";

bool IsReserved(absl::string_view name) {
  return name == "head" || name == "heads" || name == "base" || name == "current";
}

std::string NameProblem(absl::string_view name, absl::string_view forbidden) {
  if (name.empty()) return "is empty";
  if (IsReserved(name)) return "is a word with a meaning of its own";
  for (const char c : name) {
    if (absl::ascii_isspace(static_cast<unsigned char>(c))) return "has whitespace in it";
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) return "has a control character in it";
    if (absl::StrContains(forbidden, c)) {
      return absl::StrCat("has a character that is not allowed there: ", std::string(1, c));
    }
  }
  return "";
}

}  // namespace

std::string RevisionIdProblem(absl::string_view id) {
  std::string problem = NameProblem(id, kForbiddenInIds);
  if (problem.empty() && absl::StartsWith(id, ".")) {
    problem = "begins with a dot, which would hide its file";
  }
  const size_t length = CountCharacters(id);
  if (problem.empty() && length > kMaxIdLength) {
    problem = absl::StrCat("has ", length, " characters; the version table holds ", kMaxIdLength);
  }
  return problem;
}

std::string BranchLabelProblem(absl::string_view label) {
  return NameProblem(label, kForbiddenInLabels);
}

}  // namespace migd
