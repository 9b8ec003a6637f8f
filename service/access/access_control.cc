#include "service/access/access_control.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/log.h"

namespace migd {
namespace {

absl::Status CheckDatabases(const AccessPolicy& policy, const std::set<std::string>& databases) {
  for (const AccessRule& rule : policy.rules) {
    for (const std::string& name : rule.databases) {
      if (name == "*" || databases.count(name) > 0) continue;
      return errors::InvalidRequest(
          "authorization",
          absl::StrCat("a rule names the database ", name, ", which is none of `databases`"));
    }
  }
  return absl::OkStatus();
}

// The token of an `authorization` header; nothing if it is of another scheme. Schemes are compared
// without regard to case (RFC 9110, 11.1).
absl::optional<absl::string_view> BearerToken(absl::string_view header) {
  constexpr absl::string_view kScheme = "bearer ";
  if (!absl::StartsWithIgnoreCase(header, kScheme)) return absl::nullopt;
  return absl::StripAsciiWhitespace(header.substr(kScheme.size()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<AccessControl>> AccessControl::Make(
    absl::optional<AccessPolicy> policy, const std::set<std::string>& databases) {
  std::unique_ptr<AccessControl> control(new AccessControl());
  const absl::Status status = control->Reload(std::move(policy), databases);
  if (!status.ok()) return status;
  return control;
}

absl::Status AccessControl::Reload(absl::optional<AccessPolicy> policy,
                                   const std::set<std::string>& databases) {
  MutexLock reload_lock(reload_mutex_);
  std::vector<std::string> watched;
  if (policy && !policy->tokens_file.empty()) watched = {policy->tokens_file};
  // Watched before it is read, so that no change falls between the two.
  auto watch = std::make_unique<FileWatch>(watched, [this] { ReloadTokens(); });
  auto state = Read(std::move(policy), databases);
  if (!state.ok()) return state.status();
  {
    MutexLock lock(mutex_);
    state_ = *std::move(state);
  }
  watch_ = std::move(watch);
  return absl::OkStatus();
}

bool AccessControl::is_open() const { return !state()->policy; }

absl::StatusOr<PrincipalNames> AccessControl::Identify(
    absl::optional<absl::string_view> authorization, const PrincipalNames& connection) const {
  const StatePointer state = this->state();
  if (!state->policy) return connection;
  if (authorization) {
    const auto token = BearerToken(*authorization);
    if (!token) return errors::Unauthenticated("`authorization` must be a bearer token");
    auto name = state->tokens.Find(*token, absl::Now());
    if (!name.ok()) return name.status();
    return PrincipalNames{absl::StrCat("token:", *name)};
  }
  if (connection.front() == kAnonymous && !GrantsAnything(*state->policy, connection)) {
    return errors::Unauthenticated("the call brings nothing that tells");
  }
  return connection;
}

migration::v1::Role AccessControl::RoleOn(const PrincipalNames& names,
                                          absl::string_view database) const {
  const StatePointer state = this->state();
  if (!state->policy) return migration::v1::ROLE_ADMIN;
  return GrantedRole(*state->policy, names, database);
}

AccessControl::StatePointer AccessControl::state() const {
  MutexLock lock(mutex_);
  return state_;
}

absl::StatusOr<AccessControl::StatePointer> AccessControl::Read(
    absl::optional<AccessPolicy> policy, const std::set<std::string>& databases) {
  auto state = std::make_shared<State>();
  if (policy) {
    const absl::Status status = CheckDatabases(*policy, databases);
    if (!status.ok()) return status;
    if (!policy->tokens_file.empty()) {
      auto tokens = TokenList::Read(policy->tokens_file);
      if (!tokens.ok()) return tokens.status();
      state->tokens = *std::move(tokens);
    }
  }
  state->policy = std::move(policy);
  return state;
}

void AccessControl::ReloadTokens() {
  const StatePointer before = state();
  // The file of a policy that is only being taken is read by whoever takes it.
  if (before == nullptr || !before->policy || before->policy->tokens_file.empty()) return;
  auto tokens = TokenList::Read(before->policy->tokens_file);
  if (!tokens.ok()) {
    LogWarning("tokens not reloaded; those before stay",
               {{"problem", std::string(tokens.status().message())}});
    return;
  }
  auto after = std::make_shared<State>(*before);
  after->tokens = *std::move(tokens);
  LogInfo("tokens reloaded", {{"tokens", absl::StrCat(after->tokens.entries().size())}});
  MutexLock lock(mutex_);
  // Another policy that was taken meanwhile has its own.
  if (state_ == before) state_ = std::move(after);
}

}  // namespace migd
