// What the configuration grants, and to whom.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "migration/v1/access.pb.h"

namespace migd {

// The names of somebody who calls, by any of which a rule can mean them; never empty. The first is
// the one that they are shown by. "token:deploy"; "certificate:billing.example.org";
// "unix:postgres" and "unix:70"; "anonymous".
using PrincipalNames = std::vector<std::string>;

// Whoever brings nothing.
inline constexpr absl::string_view kAnonymous = "anonymous";

// One grant.
struct AccessRule {
  // Whom it is for. "token:*", "certificate:*" and "unix:*" are all of their kind.
  std::set<std::string> principals;
  // By their names; "*" is all of them.
  std::set<std::string> databases;
  migration::v1::Role role = migration::v1::ROLE_UNSPECIFIED;
};

// `authorization` of the configuration: nothing that it does not grant is allowed. A plain value.
struct AccessPolicy {
  // Where the tokens stand (see token_file.h); empty if there are none.
  std::string tokens_file;
  std::vector<AccessRule> rules;
};

// OK for what a rule can call a principal: "anonymous", or a kind with a name or "*".
// InvalidRequest otherwise.
absl::Status CheckPrincipal(absl::string_view principal);

// The highest role that `policy` grants on `database`, to the names or to everybody. Pure.
migration::v1::Role GrantedRole(const AccessPolicy& policy, const PrincipalNames& names,
                                absl::string_view database);

// Whether it grants them a role on any database. Pure.
bool GrantsAnything(const AccessPolicy& policy, const PrincipalNames& names);

}  // namespace migd
