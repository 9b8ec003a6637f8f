// Where the server listens: `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace migd {

// An address that was checked, and for a unix socket the lock that keeps a second server from
// taking it: gRPC removes whatever socket it finds. Movable; frees the lock at its end.
class Listener {
 public:
  // InvalidRequest if `address` is not of its form, if it is taken, or if it is open to a network
  // and `allow_network` is false.
  static absl::StatusOr<Listener> Prepare(const std::string& address, bool allow_network);

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  const std::string& address() const { return address_; }

 private:
  Listener(std::string address, int lock) : address_(std::move(address)), lock_(lock) {}

  std::string address_;
  int lock_;  // -1 for TCP
};

}  // namespace migd
