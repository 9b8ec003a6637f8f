// Follows the operations of all databases of a server, until the user has enough.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "client/backoff.h"
#include "client/connection.h"
#include "client/event_reader.h"
#include "client/output.h"

namespace migctl {

// How a follower behaves.
struct FeedSettings {
  // Only the operations of this database; all if empty.
  std::string database;
  // How often the server is asked to send a sign of life; a stream without one for three times as
  // long is dead.
  absl::Duration heartbeat_interval = absl::Seconds(10);
  absl::Duration first_pause = absl::Milliseconds(250);
  absl::Duration longest_pause = absl::Seconds(5);
};

// Reads the stream of Watch. When it breaks, it is opened again from the time of its last message,
// so that no end of an operation is missed. Follow is called once; Interrupt from any thread at any
// time.
class FeedFollower {
 public:
  using Show = std::function<void(const migration::v1::OperationEvent&)>;

  // Both must outlive the follower. `show` gets each message, on the thread of Follow.
  FeedFollower(Connection& connection, Output& output, FeedSettings settings, Show show);

  // Blocks until the user leaves; or until the server refuses, or a deadline of the command passes,
  // or the server is not there from the first. Returns the error to report for these.
  std::optional<migration::v1::Error> Follow();

  // Ctrl-C.
  void Interrupt() { reader_.Stop(); }

 private:
  OpenStream Open() const;
  void Receive(const migration::v1::OperationEvent& event);
  // The stream has ended, and may be opened again.
  bool CanResume(const grpc::Status& status) const;

  Connection& connection_;
  Output& output_;
  const FeedSettings settings_;
  const Show show_;
  EventReader reader_;
  int64_t messages_ = 0;
  // The time of the newest message, by the server's clock; none before the first.
  std::optional<google::protobuf::Timestamp> last_time_;
};

}  // namespace migctl
