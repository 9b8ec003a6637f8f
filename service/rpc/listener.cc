#include "service/rpc/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/base/errors.h"

namespace migd {
namespace {

absl::Status Problem(absl::string_view address, absl::string_view problem) {
  return errors::InvalidRequest("listen", absl::StrCat(address, ": ", problem));
}

struct HostPort {
  std::string host;
  std::string port;
};

absl::StatusOr<HostPort> SplitHostPort(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return Problem(address, "write HOST:PORT, [IPV6]:PORT or unix:PATH");
  }
  std::string host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return HostPort{std::move(host), absl::StrCat(port)};
}

bool IsLoopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto* ipv4 = reinterpret_cast<const sockaddr_in*>(address);
    return ntohl(ipv4->sin_addr.s_addr) >> 24 == 127;
  }
  const auto* ipv6 = reinterpret_cast<const sockaddr_in6*>(address);
  return IN6_IS_ADDR_LOOPBACK(&ipv6->sin6_addr);
}

// Binds and lets go: gRPC itself does not say why it cannot listen.
absl::Status TryBind(const std::string& address, const addrinfo& where) {
  const UniqueFd probe(socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (probe.get() < 0) return Problem(address, std::strerror(errno));
  const int yes = 1;
  setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const int failed = bind(probe.get(), where.ai_addr, where.ai_addrlen) == 0 ? 0 : errno;
  if (failed == 0) return absl::OkStatus();
  if (failed == EADDRINUSE) {
    return Problem(address, "another program listens there; stop it, or choose another port");
  }
  return Problem(address, std::strerror(failed));
}

absl::Status CheckTcp(const std::string& address, bool allow_network) {
  const auto parts = SplitHostPort(address);
  if (!parts.ok()) return parts.status();
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(parts->host.c_str(), parts->port.c_str(), &hints, &found);
  if (failed != 0) return Problem(address, gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  for (const addrinfo* where = found; where != nullptr; where = where->ai_next) {
    if (!IsLoopback(where->ai_addr) && !allow_network) {
      return Problem(address,
                     "is open to the network, and calls are neither encrypted nor authenticated; "
                     "listen on 127.0.0.1 or unix:PATH, or say --insecure if the network is yours");
    }
    absl::Status status = TryBind(address, *where);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> LockUnixSocket(const std::string& address, const std::string& path) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Problem(address, absl::StrCat("the path must have 1 to ",
                                         sizeof(sockaddr_un::sun_path) - 1, " characters"));
  }
  const std::string lock_file = absl::StrCat(path, ".lock");
  UniqueFd lock(open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.get() < 0) {
    return Problem(address, absl::StrCat("cannot write ", lock_file, ": ", std::strerror(errno)));
  }
  if (flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  return Problem(address, "another migd listens there; stop it, or choose another path");
}

}  // namespace

absl::StatusOr<Listener> Listener::Prepare(const std::string& address, bool allow_network) {
  absl::string_view path = address;
  if (!absl::ConsumePrefix(&path, "unix:")) {
    absl::Status status = CheckTcp(address, allow_network);
    if (!status.ok()) return status;
    return Listener(address, UniqueFd());
  }
  auto lock = LockUnixSocket(address, std::string(path));
  if (!lock.ok()) return lock.status();
  return Listener(address, *std::move(lock));
}

}  // namespace migd
