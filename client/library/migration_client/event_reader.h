// Reads streams of events, one after the other, and notices when one has died.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/time/time.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/sync_stream.h"
#include "migration_client/connection.h"

namespace migration_client {

// How a stream is opened by the stub.
using EventStream = std::unique_ptr<grpc::ClientReaderInterface<migration::v1::OperationEvent>>;
using OpenStream = std::function<EventStream(Connection::Migrations&, grpc::ClientContext*)>;

// How the stream of `request` is opened, which asks for batches; keeps a copy of it.
OpenStream Opening(migration::v1::UpgradeRequest request);
OpenStream Opening(migration::v1::DowngradeRequest request);
OpenStream Opening(migration::v1::StampRequest request);
OpenStream Opening(migration::v1::WatchOperationRequest request);

// Read and Pause on one thread at a time; Stop and stopped on any.
class EventReader {
 public:
  // A stream that has sent a snapshot or a heartbeat is taken for dead when nothing has come for
  // `longest_silence`. Others may be silent for as long as they want: not every server sends signs
  // of life. `connection` must outlive the reader.
  EventReader(Connection& connection, absl::Duration longest_silence);
  ~EventReader();
  EventReader(const EventReader&) = delete;
  EventReader& operator=(const EventReader&) = delete;

  // Hands each message of a stream to `receive`, those of a batch one by one, until its end or
  // until `receive` returns false. Returns the status of the stream: UNAVAILABLE if it was silent
  // for too long, CANCELLED if it was stopped, OK if `receive` wanted no more.
  using Receive = std::function<bool(const migration::v1::OperationEvent&)>;
  grpc::Status Read(const OpenStream& open, const Receive& receive);

  // Waits for `pause`, or until the reader is stopped.
  void Pause(absl::Duration pause);

  // Ends the stream or the pause under way, and every later one at once.
  void Stop();
  bool stopped() const;

 private:
  // Cancels a stream that is silent for too long.
  void Watch();
  // A message has come; `sign_of_life` is one that only comes from servers that send such.
  void NoteMessage(bool sign_of_life);

  Connection& connection_;
  const absl::Duration longest_silence_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_, like all that follows but the thread.
  bool stopped_ = false;
  bool finished_ = false;
  bool silent_ = false;
  // The call that runs; null between calls.
  grpc::ClientContext* context_ = nullptr;
  // When it is taken for dead.
  absl::Time deadline_ = absl::InfiniteFuture();
  std::thread watch_;  // last: runs with everything above in place
};

}  // namespace migration_client
