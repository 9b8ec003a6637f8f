// Streams of events to callers: of one operation, and of all.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "migration/v1/operation.pb.h"
#include "service/operation/operation_manager.h"
#include "service/rpc/announcements.h"
#include "service/rpc/message_stream.h"
#include "service/rpc/ticker.h"

namespace migd {

// What all streams of a server use. Outlives them.
struct StreamSources {
  explicit StreamSources(OperationManager& manager) : operations(manager) {}

  OperationManager& operations;
  Ticker ticker;
  Announcements announcements;
  // The server is about to end: streams end with Draining when they have told what there is.
  std::atomic<bool> closing = false;
};

// Heartbeats of streams whose caller says nothing about them; and what a caller may ask for.
inline constexpr absl::Duration kHeartbeatInterval = absl::Seconds(10);
inline constexpr absl::Duration kShortestHeartbeatInterval = absl::Milliseconds(100);

// How a stream of one operation is to be.
struct EventStreamOptions {
  // Only what comes after this sequence.
  int64_t after_sequence = 0;
  // Begin with how the operation stands.
  bool snapshot = false;
  // End with how the operation ended, for the call that asked for it; otherwise with OK.
  bool status_of_operation = false;
  absl::Duration heartbeat_interval = kHeartbeatInterval;
  // Send events together.
  bool batched = false;
  CallTerms terms = {};
};

// Looks for an operation, and passes it, or why there is none, to its argument, later and on
// another thread.
using OperationSource = std::function<void(std::function<void(OperationManager::Found)>)>;

// Streams the events of the operation that `source` gives, from memory and from the store, then
// goes on until its end. gRPC owns what is returned.
EventReactor* StreamEvents(StreamSources& sources, const OperationSource& source,
                           EventStreamOptions options);

// Streams the events of all operations on some databases from now on. Begins with snapshots of
// those that are not finished, and of those that have finished since a time; InfiniteFuture for
// none of these.
EventReactor* StreamAllEvents(StreamSources& sources, const DatabaseSelection& databases,
                              absl::Time finished_since, absl::Duration heartbeat_interval,
                              bool batched, CallTerms terms = {});

// A stream that ends at once with `status`.
EventReactor* RefuseStream(const absl::Status& status);

}  // namespace migd
