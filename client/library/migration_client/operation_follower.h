// Follows one operation to its end, through broken connections and restarted servers.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "grpcpp/client_context.h"
#include "migration_client/backoff.h"
#include "migration_client/connection.h"
#include "migration_client/event_reader.h"
#include "migration_client/operation_outcome.h"

namespace migration_client {

// How a follower behaves.
struct FollowSettings {
  // Return as soon as the operation exists.
  bool detach = false;
  // Heartbeats are told, too: for who watches the watching.
  bool show_heartbeats = false;
  // A server that has not been there yet, or whose database has not, is waited for. Otherwise the
  // address is taken to be wrong.
  bool wait_for_server = true;
  // The request_id of the call, which makes it safe to repeat; empty if it has none.
  std::string request_id;
  // How a person repeats the call so that it finds the operation that it may have made; empty for
  // the same command with the request_id.
  std::string how_to_repeat;
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

// Is told what happens while an operation is followed. Called on the thread of Follow; OnWarning
// also on the one that asks to cancel. Must not call the follower but for Cancel and Leave.
class OperationObserver {
 public:
  virtual ~OperationObserver() = default;
  // An event; they come in the order of their sequence, each once.
  virtual void OnEvent(const migration::v1::OperationEvent&) {}
  // One line: the connection broke, and what is done about it.
  virtual void OnNote(const std::string&) {}
  // One line: what was asked of the follower cannot be done, or not yet.
  virtual void OnWarning(const std::string&) {}
};

// Reads the stream of a call that starts or watches an operation and tells its events. The
// operation lives in the database and its servers: when the stream breaks, the follower goes on by
// WatchOperation after the last sequence that it has seen. If it breaks before the server has said
// that the operation exists, the call is repeated, provided that it has a request_id. Follow is
// called once; Cancel and Leave from any thread at any time.
class OperationFollower {
 public:
  // All of them must outlive the follower.
  OperationFollower(Connection& connection, OperationObserver& observer, FollowSettings settings);
  ~OperationFollower();
  OperationFollower(const OperationFollower&) = delete;
  OperationFollower& operator=(const OperationFollower&) = delete;

  // Blocks until the operation is finished, the user has left, or the server is lost. Returns
  // nothing if the operation succeeded or was detached from, otherwise the one error to report.
  std::optional<migration::v1::Error> Follow(const OpenStream& open);

  // What the events have told. Valid when Follow has returned.
  const OperationOutcome& outcome() const { return outcome_; }

  // Asks the server to cancel the operation, as soon as there is one, and goes on until it has
  // ended.
  void Cancel();
  // Ends Follow at once; the operation goes on in the server.
  void Leave() { reader_.Stop(); }

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

  // It is to be cancelled, but there is no operation that could be.
  bool HasNothingToCancel();
  // Requires mutex_. Does nothing if it was asked before or the operation is not known yet.
  void StartCancel();
  // Asks until a server has answered, or until it is of no use any more.
  void AskToCancel(const std::string& operation);
  grpc::Status CallCancel(const std::string& operation);

  Connection& connection_;
  OperationObserver& observer_;
  const FollowSettings settings_;
  EventReader reader_;
  // How many messages have come.
  int64_t messages_ = 0;
  // A server has been there: it broke off, or refused for now. Since when it has been lost.
  bool reached_ = false;
  absl::Time lost_since_ = absl::InfinitePast();
  // What was said about it last.
  std::string told_;

  // Held while the observer is called, which may call back: never locked while mutex_ is.
  std::mutex observer_mutex_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_, down to canceller_.
  bool cancel_wanted_ = false;
  CancelState cancel_state_ = CancelState::kNotAsked;
  // Nobody needs the canceller any more.
  bool over_ = false;
  // The call of the canceller; null between calls.
  grpc::ClientContext* cancel_context_ = nullptr;
  // Written by the thread in Follow only, which may therefore read it without the mutex.
  OperationOutcome outcome_;
  std::thread canceller_;
};

}  // namespace migration_client
