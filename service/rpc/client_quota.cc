#include "service/rpc/client_quota.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/errors.h"

namespace migd {
namespace {

// Connections of one host differ in their port.
std::string ClientOf(const Caller& caller) {
  return absl::StrCat(caller.principal, " ", caller.address.substr(0, caller.address.rfind(':')));
}

}  // namespace

ClientQuota::ClientQuota(std::string what, int limit)
    : what_(std::move(what)), limit_(limit), counts_(std::make_shared<Counts>()) {}

absl::StatusOr<std::shared_ptr<void>> ClientQuota::Take(const Caller& caller) {
  const std::string client = ClientOf(caller);
  {
    MutexLock lock(counts_->mutex);
    int& taken = counts_->taken[client];
    if (taken >= limit_) return errors::LimitReached(caller.principal, what_, limit_);
    ++taken;
  }
  return std::shared_ptr<void>(nullptr, [counts = counts_, client](void*) {
    MutexLock lock(counts->mutex);
    const auto found = counts->taken.find(client);
    if (--found->second == 0) counts->taken.erase(found);
  });
}

}  // namespace migd
