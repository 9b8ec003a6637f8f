// Tells those who wait for a connection that there is little time left.
#pragma once

#include <sys/eventfd.h>

#include <cstdint>

#include "absl/time/time.h"
#include "service/base/unique_fd.h"

namespace migd {

// Thread-safe.
class Hurry {
 public:
  // How long a connection may take from then on: enough for a server that answers.
  static constexpr absl::Duration kPatience = absl::Seconds(1);

  // Without a descriptor, which only a process has that cannot connect either, nobody hears of it.
  Hurry() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  // For good; more than once is no more.
  void Request() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(event_.get(), &one, sizeof one);
  }

  // Readable once it is requested, for poll(2).
  int descriptor() const { return event_.get(); }

 private:
  UniqueFd event_;
};

}  // namespace migd
