// Follows one operation to its end, through broken connections and Ctrl-C.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "client/connection.h"
#include "client/operation_report.h"
#include "client/output.h"
#include "client/progress_view.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/sync_stream.h"

namespace migctl {

// How a follower behaves.
struct FollowSettings {
  // What the first Ctrl-C does: ask the server to cancel the operation, because this command
  // started it; or only leave, because somebody else did.
  bool cancel_on_interrupt = true;
  // The request_id of the call, which repeats it safely; empty if it has none.
  std::string request_id;
  // How often in a row to connect again after the stream broke, and how long to wait before the
  // first time; each further wait is twice as long.
  int max_attempts = 5;
  absl::Duration first_backoff = absl::Milliseconds(250);
};

// Reads the stream of a call that starts or watches an operation and shows its events. The
// operation lives in the server: when the stream breaks, the follower goes on by WatchOperation
// after the last sequence that it has seen. Follow is called once; Interrupt from any thread at any
// time.
class OperationFollower {
 public:
  using Reader = std::unique_ptr<grpc::ClientReaderInterface<migration::v1::OperationEvent>>;
  using OpenStream = std::function<Reader(Connection::Migrations&, grpc::ClientContext*)>;

  // All of them must outlive the follower.
  OperationFollower(Connection& connection, Output& output, ProgressView& view,
                    FollowSettings settings);
  ~OperationFollower();
  OperationFollower(const OperationFollower&) = delete;
  OperationFollower& operator=(const OperationFollower&) = delete;

  // Blocks until the operation is finished, the user has left, or the server is lost. Returns
  // nothing if the operation succeeded, otherwise the one error to report.
  std::optional<migration::v1::Error> Follow(const OpenStream& open);

  // What the events have told. Valid when Follow has returned.
  const OperationOutcome& outcome() const { return outcome_; }

  // Ctrl-C: the first asks the server to cancel the operation, the second leaves at once.
  void Interrupt();

 private:
  // Reads one stream to its end.
  grpc::Status ReadStream(const OpenStream& open);
  void Receive(const migration::v1::OperationEvent& event);
  // The stream ended, but the operation is known and may not have.
  bool CanResume(const grpc::Status& status);
  // Returns early if the user leaves.
  void WaitBeforeAttempt(int attempt);
  OpenStream WatchAgain() const;

  // The error to report for an operation that is finished; nothing if it succeeded.
  std::optional<migration::v1::Error> FinishedError(const grpc::Status& status) const;
  migration::v1::Error LeftError() const;
  // The stream ended before the operation did, and is not resumed.
  migration::v1::Error StreamError(const grpc::Status& status) const;

  bool HasLeft();
  // Requires mutex_.
  void Leave();
  // Requires mutex_. Does nothing if it was asked before or the operation is not known yet.
  void StartCancel();
  void AskToCancel(const std::string& operation);

  Connection& connection_;
  Output& output_;
  ProgressView& view_;
  const FollowSettings settings_;

  std::mutex mutex_;
  std::condition_variable left_changed_;
  // Guarded by mutex_, down to cancel_context_.
  int interrupts_ = 0;
  bool left_ = false;
  // The call that runs; null between calls.
  grpc::ClientContext* context_ = nullptr;
  // Written by the thread in Follow only, which may therefore read it without the mutex.
  OperationOutcome outcome_;
  std::thread canceller_;

  grpc::ClientContext cancel_context_;
};

}  // namespace migctl
