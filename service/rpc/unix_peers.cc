#include "service/rpc/unix_peers.h"

#include <fcntl.h>
#include <pwd.h>

#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace migd {

UniqueFd UnixPeers::Register(UniqueFd connection, uid_t uid) {
  PrincipalNames names = NamesOfUser(uid);
  // Those that must not be used are kept until there is one that may, so as not to come again.
  std::vector<UniqueFd> refused;
  MutexLock lock(mutex_);
  while (!MayBecome(connection.get(), uid)) {
    UniqueFd other(fcntl(connection.get(), F_DUPFD_CLOEXEC, connection.get() + 1));
    if (other.get() < 0) return other;
    refused.push_back(std::move(connection));
    connection = std::move(other);
  }
  entries_[connection.get()] = {uid, std::move(names), absl::InfiniteFuture()};
  return connection;
}

PrincipalNames UnixPeers::NamesOf(absl::string_view peer) const {
  int descriptor = -1;
  if (absl::ConsumePrefix(&peer, "fd:") && absl::SimpleAtoi(peer, &descriptor)) {
    MutexLock lock(mutex_);
    const auto found = entries_.find(descriptor);
    if (found != entries_.end()) return found->second.names;
  }
  return {std::string(kAnonymous)};
}

bool UnixPeers::MayBecome(int descriptor, uid_t uid) {
  const auto found = entries_.find(descriptor);
  if (found == entries_.end() || found->second.uid == uid) return true;
  // That it could be opened shows that what it was before is closed.
  const absl::Time now = clock_();
  found->second.closed = std::min(found->second.closed, now);
  return now - found->second.closed >= kQuarantine;
}

PrincipalNames NamesOfUser(uid_t uid) {
  PrincipalNames names;
  std::vector<char> buffer(16384);
  passwd entry = {};
  passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    const absl::string_view name = found->pw_name;
    if (!name.empty() && !absl::c_all_of(name, absl::ascii_isdigit)) {
      names.push_back(absl::StrCat("unix:", name));
    }
  }
  names.push_back(absl::StrCat("unix:", uid));
  return names;
}

}  // namespace migd
