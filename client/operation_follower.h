// Follows one operation to its end, through broken connections, restarted servers and Ctrl-C.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "client/backoff.h"
#include "client/connection.h"
#include "client/event_reader.h"
#include "client/operation_report.h"
#include "client/output.h"
#include "client/progress_view.h"
#include "grpcpp/client_context.h"

namespace migctl {

// How a follower behaves.
struct FollowSettings {
  // What the first Ctrl-C does: ask the server to cancel the operation, because this command
  // started it; or only leave, because somebody else did.
  bool cancel_on_interrupt = true;
  // Return as soon as the operation exists.
  bool detach = false;
  // Heartbeats are shown, too: for programs that watch the watching.
  bool show_heartbeats = false;
  // The request_id of the call, which makes it safe to repeat; empty if it has none.
  std::string request_id;
  // For how long to try to reach a server again, and how long to pause before the first attempt;
  // each further pause is twice as long, up to the longest. A server that was killed takes its time
  // to start, and another one to notice that an operation is nobody's.
  absl::Duration patience = absl::Seconds(90);
  absl::Duration first_pause = absl::Milliseconds(250);
  absl::Duration longest_pause = absl::Seconds(5);
  // How often the server is asked to send a sign of life; a stream without one for three times as
  // long is dead.
  absl::Duration heartbeat_interval = absl::Seconds(10);
};

// Reads the stream of a call that starts or watches an operation and shows its events. The
// operation lives in the database and its servers: when the stream breaks, the follower goes on by
// WatchOperation after the last sequence that it has seen. If it breaks before the server has said
// that the operation exists, the call is repeated, provided that it has a request_id. Follow is
// called once; Interrupt from any thread at any time.
class OperationFollower {
 public:
  // All of them must outlive the follower.
  OperationFollower(Connection& connection, Output& output, ProgressView& view,
                    FollowSettings settings);
  ~OperationFollower();
  OperationFollower(const OperationFollower&) = delete;
  OperationFollower& operator=(const OperationFollower&) = delete;

  // Blocks until the operation is finished, the user has left, or the server is lost. Returns
  // nothing if the operation succeeded or was detached from, otherwise the one error to report.
  std::optional<migration::v1::Error> Follow(const OpenStream& open);

  // What the events have told. Valid when Follow has returned.
  const OperationOutcome& outcome() const { return outcome_; }

  // Ctrl-C: the first asks the server to cancel the operation, the second leaves at once.
  void Interrupt();

 private:
  // How far the server has been asked to cancel.
  enum class CancelState { kNotAsked, kAsking, kAccepted, kRefused };

  // False if no more is wanted.
  bool Receive(const migration::v1::OperationEvent& event);
  // The stream has ended too early, with a status after which it can be tried again.
  bool CanResume(const grpc::Status& status) const;
  // Says what comes next, unless it has just said so. Returns early if the user leaves.
  void PauseAfter(const grpc::Status& status, absl::Duration pause);
  OpenStream WatchAgain() const;

  // The error to report for an operation that is finished; nothing if it succeeded.
  std::optional<migration::v1::Error> FinishedError(const grpc::Status& status) const;
  migration::v1::Error LeftError();
  // The stream ended before the operation did, and is not resumed.
  migration::v1::Error StreamError(const grpc::Status& status) const;

  // The user has asked to cancel, but there is no operation that could be.
  bool HasNothingToCancel();
  // Requires mutex_. Does nothing if it was asked before or the operation is not known yet.
  void StartCancel();
  // Asks until a server has answered, or until it is of no use any more.
  void AskToCancel(const std::string& operation);
  grpc::Status CallCancel(const std::string& operation);

  Connection& connection_;
  Output& output_;
  ProgressView& view_;
  const FollowSettings settings_;
  EventReader reader_;
  // How many messages have come.
  int64_t messages_ = 0;
  // A server has been there: it broke off, or refused for now. Since when it has been lost.
  bool reached_ = false;
  absl::Time lost_since_ = absl::InfinitePast();
  // What was said about it last.
  std::string told_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_, down to canceller_.
  int interrupts_ = 0;
  CancelState cancel_state_ = CancelState::kNotAsked;
  // Nobody needs the canceller any more.
  bool over_ = false;
  // The call of the canceller; null between calls.
  grpc::ClientContext* cancel_context_ = nullptr;
  // Written by the thread in Follow only, which may therefore read it without the mutex.
  OperationOutcome outcome_;
  std::thread canceller_;
};

}  // namespace migctl
