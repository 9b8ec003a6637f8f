// Follows the operations of all databases of a server, until its user has enough.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "migration_client/backoff.h"
#include "migration_client/connection.h"
#include "migration_client/event_reader.h"

namespace migration_client {

// How a follower behaves.
struct FeedSettings {
  // Only the operations of this database; all if empty.
  std::string database;
  // How often the server is asked to send a sign of life; a stream without one for three times as
  // long is dead.
  absl::Duration heartbeat_interval = absl::Seconds(10);
  // A server that has not been there yet is waited for. Otherwise its address is taken to be wrong.
  bool wait_for_server = true;
  absl::Duration first_pause = absl::Milliseconds(250);
  absl::Duration longest_pause = absl::Seconds(5);
};

// Reads the stream of Watch. When it breaks, it is opened again from the time of its last message,
// so that no end of an operation is missed. Follow is called once; Leave from any thread at any
// time.
class FeedFollower {
 public:
  using Show = std::function<void(const migration::v1::OperationEvent&)>;

  using Note = std::function<void(const std::string&)>;

  // `connection` must outlive the follower. `show` gets each message and `note` each line about a
  // stream that broke, on the thread of Follow.
  FeedFollower(Connection& connection, FeedSettings settings, Show show, Note note);

  // Blocks until Leave is called; or until the server refuses, or a deadline of the command passes,
  // or the server is not there from the first. Returns the error to report for these.
  std::optional<migration::v1::Error> Follow();

  // Ends Follow at once.
  void Leave() { reader_.Stop(); }

 private:
  OpenStream Open() const;
  void Receive(const migration::v1::OperationEvent& event);
  // The stream has ended, and may be opened again.
  bool CanResume(const grpc::Status& status) const;

  Connection& connection_;
  const FeedSettings settings_;
  const Show show_;
  const Note note_;
  EventReader reader_;
  int64_t messages_ = 0;
  // The time of the newest message, by the server's clock; none before the first.
  std::optional<google::protobuf::Timestamp> last_time_;
};

}  // namespace migration_client
