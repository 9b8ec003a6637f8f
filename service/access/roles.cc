#include "service/access/roles.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace migd {

std::string RoleName(migration::v1::Role role) {
  if (role == migration::v1::ROLE_UNSPECIFIED) return "none";
  constexpr size_t kPrefix = absl::string_view("ROLE_").size();
  return absl::AsciiStrToLower(migration::v1::Role_Name(role)).substr(kPrefix);
}

bool ParseRole(absl::string_view text, migration::v1::Role& into) {
  return text == absl::AsciiStrToLower(text) &&
         migration::v1::Role_Parse(absl::StrCat("ROLE_", absl::AsciiStrToUpper(text)), &into) &&
         into != migration::v1::ROLE_UNSPECIFIED;
}

}  // namespace migd
