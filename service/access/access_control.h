// Who calls and what they may do, as the configuration says it now.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "migration/v1/access.pb.h"
#include "service/access/file_watch.h"
#include "service/access/policy.h"
#include "service/access/token_file.h"
#include "service/base/mutex.h"

namespace migd {

// Thread-safe. Without a policy everybody who reaches the server is admin. The file of tokens is
// read again when it changes; one that is wrong then is logged, and the tokens before it stay.
class AccessControl {
 public:
  // `databases` are those that rules may name. InvalidRequest for a rule that names another, and
  // for a file of tokens that cannot be taken.
  static absl::StatusOr<std::unique_ptr<AccessControl>> Make(
      absl::optional<AccessPolicy> policy, const std::set<std::string>& databases);

  // Takes another policy from now on. The errors of Make, with which everything stays as it is.
  absl::Status Reload(absl::optional<AccessPolicy> policy, const std::set<std::string>& databases);

  // Nobody is asked who they are.
  bool is_open() const;

  // Who brings `authorization` (the header, if the call has one) over a connection that is known as
  // `connection`. A token stands for the caller instead of what the connection says.
  // Unauthenticated for a header that is no known bearer token, and for a caller without a name who
  // may do nothing.
  absl::StatusOr<PrincipalNames> Identify(absl::optional<absl::string_view> authorization,
                                          const PrincipalNames& connection) const;

  migration::v1::Role RoleOn(const PrincipalNames& names, absl::string_view database) const;

 private:
  struct State {
    absl::optional<AccessPolicy> policy;
    TokenList tokens;
  };
  using StatePointer = std::shared_ptr<const State>;

  AccessControl() = default;

  StatePointer state() const;
  static absl::StatusOr<StatePointer> Read(absl::optional<AccessPolicy> policy,
                                           const std::set<std::string>& databases);
  void ReloadTokens();

  // One Reload at a time.
  Mutex reload_mutex_;
  mutable Mutex mutex_;
  StatePointer state_ ABSL_GUARDED_BY(mutex_);
  // Last: its thread uses everything above.
  std::unique_ptr<FileWatch> watch_ ABSL_GUARDED_BY(reload_mutex_);
};

}  // namespace migd
