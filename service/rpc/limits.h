// How much the server takes on, of all callers together and of each.
#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace migd {

// As large as a message may be: gRPC counts in 31 bits, and there is more in memory than it.
inline constexpr int64_t kLargestMessage = int64_t{1} << 30;

// `limits` of the configuration. A plain value.
struct Limits {
  // The largest message that is read, and that is sent, in bytes.
  int message_size = 4 << 20;
  // How many connections are open at a time. The process takes less if its descriptors do not
  // suffice.
  int connections = 20'000;
  // How many calls may run on one connection; what comes on top waits for its turn.
  int calls_per_connection = 1'000;
  // How many other calls one client has running: each has a thread.
  int calls_per_client = 500;
  // How many streams and calls of Wait one client has open: a principal at an address.
  int streams_per_client = 2'000;
  // How many calls that make scratch databases one client has running: Rehearse, Verify,
  // ComposeBaseline.
  int scratch_calls_per_client = 4;
  // How many operations that have not ended one principal has, on all databases.
  int operations_per_client = 100;
  // How long a call that reads may take if it brings no deadline of its own; not of those that take
  // long by their nature (CallKind::lasts).
  absl::Duration read_deadline = absl::Seconds(60);
  // How long a connection may take to become one.
  absl::Duration handshake_timeout = absl::Seconds(20);
  // After so long a client is asked to connect anew, so that a certificate that is revoked is not
  // good for ever; calls that run go on to their end.
  absl::Duration connection_age = absl::Hours(1);
  // What gRPC may use for messages and connections, in bytes.
  int64_t memory = int64_t{1} << 30;
  // How many threads it may have for calls; what comes on top is refused.
  int threads = 600;

  friend bool operator==(const Limits&, const Limits&) = default;
};

}  // namespace migd
