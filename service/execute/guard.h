// Keeps a plan from running that is not the one that somebody looked at, or that destroys data
// nobody has agreed to lose.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "migration/v1/access.pb.h"
#include "migration/v1/operation.pb.h"
#include "migration/v1/statement.pb.h"
#include "service/database/database.h"
#include "service/execute/plan_effects.h"
#include "service/execute/policy.h"
#include "service/plan/plan.h"
#include "service/script/script_directory.h"

namespace migd {

// As few hex digits of a plan_hash name a plan.
inline constexpr size_t kShortestPlanHash = 12;

// What RunOptions.confirmation must be for the plan `plan_hash` on `database`, which loses
// `losses`: twelve hex digits of a hash over database and plan, and twelve over what is lost. It is
// no secret. It shows that whoever gives it has seen what this very plan destroys as the database
// is now. What is lost is each object by its name and by the order of magnitude of its rows and
// bytes, the number of their digits: an object more or less, or a table that has rows and had none,
// is another loss. So programs may go on writing while somebody decides.
std::string ConfirmationOf(absl::string_view database, absl::string_view plan_hash,
                           const std::vector<migration::v1::Loss>& losses);

// The first half of it, which is good as well: it confirms the plan `plan_hash` whatever it
// destroys, for who has decided that beforehand.
std::string PlanConfirmationOf(absl::string_view database, absl::string_view plan_hash);

// PlanStale unless `wanted`, if it is not empty, is `plan_hash` or its beginning.
absl::Status CheckPlanHash(absl::string_view wanted, absl::string_view plan_hash);

// `losses` with the largest first: by bytes, then by rows. What is empty comes last, what is of
// unknown size first.
std::vector<migration::v1::Loss> LargestFirst(std::vector<migration::v1::Loss> losses);

// What the policy of `database` says to a plan that destroys `destruction`: OK if nothing is lost,
// as far as that is known, or it may be lost; DatabaseProtected; ConfirmationRequired if
// `confirmation` is not that of the plan.
absl::Status CheckLosses(absl::string_view database, const Policy& policy,
                         const Destruction& destruction, absl::string_view plan_hash,
                         absl::string_view confirmation);

// A call as the guard sees it.
struct GuardedCall {
  // The name by which requests call the database.
  std::string database;
  // As the call has them; empty where it says nothing.
  std::string wanted_plan_hash;
  std::string confirmation;
  // That of the plan.
  std::string plan_hash;
  // Who makes it, and what they are on the database; ROLE_UNSPECIFIED, of operations that were made
  // before there were roles, stands for admin.
  std::string principal = {};
  migration::v1::Role role = migration::v1::ROLE_UNSPECIFIED;
};

// All of it, for `plan`; PermissionDenied if it destroys something and the call's role does not
// suffice for that. What it destroys is looked up only if it matters, in `database`; the errors of
// Database.
absl::Status Guard(const GuardedCall& call, const Policy& policy, const ScriptSet& scripts,
                   const Plan& plan, Database& database);

}  // namespace migd
