#include "service/rpc/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
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

// Of `where` with another port.
void SetPort(addrinfo& where, int port) {
  if (where.ai_family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(where.ai_addr)->sin_port = htons(static_cast<uint16_t>(port));
  } else {
    reinterpret_cast<sockaddr_in6*>(where.ai_addr)->sin6_port = htons(static_cast<uint16_t>(port));
  }
}

absl::StatusOr<int> PortOf(const std::string& address, int socket) {
  sockaddr_storage bound = {};
  socklen_t size = sizeof bound;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return Problem(address, std::strerror(errno));
  }
  return ntohs(bound.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&bound)->sin_port
                                          : reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port);
}

// A socket that listens on `where`.
absl::StatusOr<UniqueFd> ListenOn(const std::string& address, const sockaddr* where,
                                  socklen_t size) {
  UniqueFd listening(socket(where->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (listening.get() < 0) return Problem(address, std::strerror(errno));
  const int yes = 1;
  const int no = 0;
  if (where->sa_family != AF_UNIX) {
    setsockopt(listening.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  }
  if (where->sa_family == AF_INET6) {
    setsockopt(listening.get(), IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  }
  if (bind(listening.get(), where, size) == 0 && listen(listening.get(), SOMAXCONN) == 0) {
    return listening;
  }
  if (errno == EADDRINUSE) {
    return Problem(address, "another program listens there; stop it, or choose another port");
  }
  return Problem(address, std::strerror(errno));
}

struct TcpSockets {
  std::vector<UniqueFd> sockets;
  std::string address;
};

// On all addresses of the host, on the same port.
absl::StatusOr<TcpSockets> OpenTcp(const std::string& address, bool allow_network) {
  const auto parts = SplitHostPort(address);
  if (!parts.ok()) return parts.status();
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(parts->host.c_str(), parts->port.c_str(), &hints, &found);
  if (failed != 0) return Problem(address, gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  TcpSockets opened;
  int port = 0;
  for (addrinfo* where = found; where != nullptr; where = where->ai_next) {
    if (!IsLoopback(where->ai_addr) && !allow_network) {
      return Problem(address,
                     "is open to the network, and calls are neither encrypted nor authenticated; "
                     "give --tls-cert and --tls-key, listen on 127.0.0.1 or unix:PATH, or say "
                     "--insecure if the network is yours");
    }
    if (port != 0) SetPort(*where, port);
    auto listening = ListenOn(address, where->ai_addr, where->ai_addrlen);
    if (!listening.ok()) return listening.status();
    const auto bound = PortOf(address, listening->get());
    if (!bound.ok()) return bound.status();
    port = *bound;
    opened.sockets.push_back(*std::move(listening));
  }
  opened.address = absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
  return opened;
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

// In the place of the socket that a server which did not end properly has left.
absl::StatusOr<UniqueFd> OpenUnix(const std::string& address, const std::string& path) {
  struct stat about = {};
  if (lstat(path.c_str(), &about) == 0) {
    if (!S_ISSOCK(about.st_mode)) return Problem(address, "there is a file that is no socket");
    unlink(path.c_str());
  }
  sockaddr_un where = {};
  where.sun_family = AF_UNIX;
  path.copy(where.sun_path, sizeof where.sun_path - 1);
  return ListenOn(address, reinterpret_cast<const sockaddr*>(&where), sizeof where);
}

}  // namespace

absl::StatusOr<Listener> Listener::Open(const std::string& address, bool allow_network) {
  Listener listener;
  absl::string_view path = address;
  if (!absl::ConsumePrefix(&path, "unix:")) {
    auto opened = OpenTcp(address, allow_network);
    if (!opened.ok()) return opened.status();
    listener.address_ = std::move(opened->address);
    listener.sockets_ = std::move(opened->sockets);
    return listener;
  }
  auto lock = LockUnixSocket(address, std::string(path));
  if (!lock.ok()) return lock.status();
  auto listening = OpenUnix(address, std::string(path));
  if (!listening.ok()) return listening.status();
  listener.address_ = address;
  listener.sockets_.push_back(*std::move(listening));
  listener.path_ = std::string(path);
  listener.lock_ = *std::move(lock);
  return listener;
}

absl::StatusOr<Listener> Listener::Prepare(const std::string& address, bool allow_network) {
  Listener listener;
  listener.address_ = address;
  absl::string_view path = address;
  if (absl::ConsumePrefix(&path, "unix:")) {
    auto lock = LockUnixSocket(address, std::string(path));
    if (!lock.ok()) return lock.status();
    listener.lock_ = *std::move(lock);
    return listener;
  }
  const auto opened = OpenTcp(address, allow_network);
  if (!opened.ok()) return opened.status();
  return listener;
}

Listener::~Listener() {
  // Moved away: the path is the other's.
  if (!path_.empty() && lock_.get() >= 0) unlink(path_.c_str());
}

}  // namespace migd
