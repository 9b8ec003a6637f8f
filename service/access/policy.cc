#include "service/access/policy.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/errors.h"

namespace migd {
namespace {

constexpr std::array<absl::string_view, 3> kKinds = {"token:", "certificate:", "unix:"};

// A wildcard stands for a kind, never for `anonymous`: a name is what somebody has proved.
bool IsFor(const AccessRule& rule, const std::string& name) {
  const size_t colon = name.find(':');
  return rule.principals.count(name) > 0 ||
         (colon != std::string::npos &&
          rule.principals.count(absl::StrCat(name.substr(0, colon), ":*")) > 0);
}

// What nobody in particular may do, everybody may.
bool IsForAny(const AccessRule& rule, const PrincipalNames& names) {
  return rule.principals.count(std::string(kAnonymous)) > 0 ||
         std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return IsFor(rule, name); });
}

}  // namespace

absl::Status CheckPrincipal(absl::string_view principal) {
  const bool has_kind = std::any_of(kKinds.begin(), kKinds.end(), [&](absl::string_view kind) {
    return absl::StartsWith(principal, kind) && principal.size() > kind.size();
  });
  if (has_kind || principal == kAnonymous) return absl::OkStatus();
  return errors::InvalidRequest(
      "principals", absl::StrCat("\"", principal,
                                 "\" is no principal; write token:NAME, certificate:NAME, "
                                 "unix:USER, one of these with * as the name, or anonymous"));
}

migration::v1::Role GrantedRole(const AccessPolicy& policy, const PrincipalNames& names,
                                absl::string_view database) {
  migration::v1::Role granted = migration::v1::ROLE_UNSPECIFIED;
  for (const AccessRule& rule : policy.rules) {
    const bool on_database =
        rule.databases.count("*") > 0 || rule.databases.count(std::string(database)) > 0;
    if (on_database && IsForAny(rule, names)) granted = std::max(granted, rule.role);
  }
  return granted;
}

bool GrantsAnything(const AccessPolicy& policy, const PrincipalNames& names) {
  return std::any_of(policy.rules.begin(), policy.rules.end(),
                     [&](const AccessRule& rule) { return IsForAny(rule, names); });
}

}  // namespace migd
