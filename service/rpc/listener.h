// Where the server listens: `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/base/unique_fd.h"

namespace migd {

// Sockets that listen. Movable; at its end it listens no more, and removes the path of a unix
// socket.
class Listener {
 public:
  // Listens on `address`. InvalidRequest if it is not of its form, if it is taken, or if it is open
  // to a network and `allow_network` is false.
  static absl::StatusOr<Listener> Open(const std::string& address, bool allow_network);
  // Looks whether one could, for a server that listens by itself: has no sockets, but for a unix
  // socket the lock. The errors of Open.
  static absl::StatusOr<Listener> Prepare(const std::string& address, bool allow_network);
  Listener(Listener&&) = default;
  ~Listener();

  // With the port that was chosen where port 0 was asked for.
  const std::string& address() const { return address_; }
  // Of a unix socket, whose connections tell who is at their other end.
  bool is_unix() const { return !path_.empty(); }
  // One for each address that the name of the host has. They do not block.
  const std::vector<UniqueFd>& sockets() const { return sockets_; }

 private:
  Listener() : lock_(-1) {}

  std::string address_;
  std::vector<UniqueFd> sockets_;
  // Of a unix socket; and the lock that keeps a second server from removing it.
  std::string path_;
  UniqueFd lock_;
};

}  // namespace migd
