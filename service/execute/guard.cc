#include "service/execute/guard.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/errors.h"
#include "service/base/sha256.h"

namespace migd {

using migration::v1::Loss;

namespace {

// As many hex digits of a confirmation stand for the plan, and as many for what it destroys.
constexpr size_t kHashDigits = 12;

std::string DigitsOf(absl::string_view text) {
  Sha256 hash;
  hash.Update(text);
  return hash.FinishHex().substr(0, kHashDigits);
}

// "?" if it is not known; otherwise how many digits the amount has, those below `negligible` alike.
std::string MagnitudeOf(int64_t amount, int64_t negligible) {
  if (amount < 0) return "?";
  if (amount < negligible) return "0";
  return absl::StrCat(absl::StrCat(amount).size());
}

std::string IdentityOf(const Loss& loss) {
  // Pages come and go in an empty table, too.
  constexpr int64_t kNegligibleBytes = 1000000;
  return absl::StrJoin(
      std::vector<std::string>{loss.object_kind(), loss.object_name(), loss.because_of(),
                               loss.revision(), absl::StrCat(loss.statement_index()),
                               MagnitudeOf(loss.estimated_rows(), 1),
                               MagnitudeOf(loss.size_bytes(), kNegligibleBytes)},
      "\t");
}

}  // namespace

std::string PlanConfirmationOf(absl::string_view database, absl::string_view plan_hash) {
  return DigitsOf(absl::StrCat("migration.v1 confirmation\n", database, "\n", plan_hash, "\n"));
}

std::string ConfirmationOf(absl::string_view database, absl::string_view plan_hash,
                           const std::vector<Loss>& losses) {
  std::vector<std::string> lost;
  for (const Loss& loss : losses) lost.push_back(IdentityOf(loss));
  std::sort(lost.begin(), lost.end());
  return absl::StrCat(PlanConfirmationOf(database, plan_hash), DigitsOf(absl::StrJoin(lost, "\n")));
}

absl::Status CheckPlanHash(absl::string_view wanted, absl::string_view plan_hash) {
  if (wanted.empty() || absl::StartsWith(plan_hash, wanted)) return absl::OkStatus();
  return errors::PlanStale(wanted, plan_hash);
}

std::vector<Loss> LargestFirst(std::vector<Loss> losses) {
  const auto amount = [](int64_t known) {
    return known < 0 ? std::numeric_limits<int64_t>::max() : known;
  };
  std::stable_sort(losses.begin(), losses.end(), [&](const Loss& a, const Loss& b) {
    return std::make_tuple(amount(a.size_bytes()), amount(a.estimated_rows())) >
           std::make_tuple(amount(b.size_bytes()), amount(b.estimated_rows()));
  });
  return losses;
}

absl::Status CheckLosses(absl::string_view database, const Policy& policy,
                         const Destruction& destruction, absl::string_view plan_hash,
                         absl::string_view confirmation) {
  const std::vector<Loss>& losses = destruction.losses;
  if (!destruction.IsAny() || policy.destructive == DestructivePolicy::kAllow) {
    return absl::OkStatus();
  }
  if (policy.destructive == DestructivePolicy::kRefuse) {
    return errors::DatabaseProtected(database, LargestFirst(losses), destruction.unknown);
  }
  const std::string of_plan = PlanConfirmationOf(database, plan_hash);
  const std::string needed = ConfirmationOf(database, plan_hash, losses);
  if (confirmation == needed || confirmation == of_plan) return absl::OkStatus();
  const bool of_this_plan = absl::StartsWith(confirmation, of_plan);
  return errors::ConfirmationRequired(database, LargestFirst(losses), destruction.unknown, needed,
                                      confirmation, of_this_plan);
}

absl::Status Guard(const GuardedCall& call, const Policy& policy, const ScriptSet& scripts,
                   const Plan& plan, Database& database) {
  const absl::Status status = CheckPlanHash(call.wanted_plan_hash, call.plan_hash);
  if (!status.ok()) return status;
  const bool asks = policy.destructive == DestructivePolicy::kRefuse ||
                    (policy.destructive == DestructivePolicy::kConfirm &&
                     call.confirmation != PlanConfirmationOf(call.database, call.plan_hash));
  const bool may_destroy =
      call.role == migration::v1::ROLE_UNSPECIFIED || call.role >= migration::v1::ROLE_DESTRUCTIVE;
  if (!asks && may_destroy) return absl::OkStatus();
  const auto destruction = DestructionBy(scripts, plan, TellUnknown::kBesideLosses, database);
  if (!destruction.ok()) return destruction.status();
  if (!may_destroy && destruction->IsAny()) {
    return errors::PermissionDenied(call.principal, "destructive", call.database,
                                    "this would destroy data");
  }
  return CheckLosses(call.database, policy, *destruction, call.plan_hash, call.confirmation);
}

}  // namespace migd
