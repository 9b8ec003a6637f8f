// Where the server listens: `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`.
#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/base/unique_fd.h"

namespace migd {

// An address that was checked, and for a unix socket the lock that keeps a second server from
// taking it: gRPC removes whatever socket it finds. Movable; frees the lock at its end.
class Listener {
 public:
  // InvalidRequest if `address` is not of its form, if it is taken, or if it is open to a network
  // and `allow_network` is false.
  static absl::StatusOr<Listener> Prepare(const std::string& address, bool allow_network);

  const std::string& address() const { return address_; }

 private:
  Listener(std::string address, UniqueFd lock)
      : address_(std::move(address)), lock_(std::move(lock)) {}

  std::string address_;
  UniqueFd lock_;  // none for TCP
};

}  // namespace migd
