// A stream of an operation's events to one caller.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "migration/v1/operation.pb.h"
#include "service/operation/operation.h"

namespace migd {

using EventReactor = grpc::ServerWriteReactor<migration::v1::OperationEvent>;

// What the status of a stream says when the operation has ended.
enum class StreamEnd {
  // How the operation ended: for the call that asked for it.
  kStatusOfOperation,
  // OK: for those who watch.
  kOk,
};

// Streams the events of `operation` after `after_sequence`, then goes on until its end. Costs no
// thread: events are written as the caller takes them, and a caller that takes none holds nothing
// up. gRPC owns what is returned.
EventReactor* StreamEvents(std::shared_ptr<Operation> operation, int64_t after_sequence,
                           StreamEnd end);

// A stream that ends at once with `status`.
EventReactor* RefuseStream(const absl::Status& status);

}  // namespace migd
