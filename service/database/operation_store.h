// What a database keeps of the operations on it, so that they outlive the servers that run them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "migration/v1/operation.pb.h"
#include "migration/v1/revision.pb.h"

namespace migd {

// An operation as it is stored.
struct OperationRecord {
  // As callers see it, and all that is needed to run it: its `attempt` says who may write, its
  // `last_sequence` which events belong to it. Read, its `database` is the name that this server
  // has for the database, whatever that of the server which wrote it is.
  migration::v1::Operation operation;
  // The number of the server that runs it; 0 if a server has let it go, for any other to take up.
  int server = 0;
  // Why it is to stop; empty if nobody asked.
  std::string cancel_reason;
  // Grows from one operation to the next.
  int64_t number = 0;
  // How long ago it was written or touched, when it was read; by the database's clock.
  absl::Duration age;
};

// In the order of their sequences.
using StoredEvents = std::vector<std::shared_ptr<const migration::v1::OperationEvent>>;

// Whether what is written must survive a crash of PostgreSQL. A crash can take the last moments
// from what need not; the server writes them again if it lives.
enum class Durability { kSurvivesCrash, kMayBeLost };

// A server's own way to the store: what its operations do goes through it, in order. While it
// lives, the server counts as alive. Used by one thread. After a status that is not OK nothing of
// the call was written, and the connection may be lost: open another.
class Ledger {
 public:
  virtual ~Ledger() = default;

  // Writes how an operation stands, with the events that led there, if the stored operation has the
  // attempt `expected_attempt` and is not finished; makes it anew if it has vanished. Keeps the
  // plan that is among the events, for ReadPlan. False if somebody else has written: the operation
  // is not this server's any more.
  virtual absl::StatusOr<bool> Write(const OperationRecord& record, int expected_attempt,
                                     const StoredEvents& events, Durability durability) = 0;

  // The first entry that a connection adds to the audit takes longer than those that follow:
  // PostgreSQL compiles the function that chains them. This adds one and takes it back, so that the
  // end of an operation need not wait for that. For after its plan was written. Changes nothing.
  virtual void RehearseEnd() = 0;

  // The operations that are not finished, those with a number above `after_number`, and those named
  // by `ids`; in the order of their numbers.
  virtual absl::StatusOr<std::vector<OperationRecord>> Read(
      int64_t after_number, const std::vector<std::string>& ids) = 0;

  // The last plan with steps that was written for the operation; without steps if there was none.
  virtual absl::StatusOr<migration::v1::Plan> ReadPlan(absl::string_view operation) = 0;

  // Notes of the operations of `server` that are not finished that it still sees to them, though
  // nothing has happened to them.
  virtual absl::Status Touch(int server) = 0;

  // The numbers of the servers that are alive.
  virtual absl::StatusOr<std::vector<int>> ReadLiveServers() = 0;

  // Forgets the events of an operation up to `sequence`, as far as they were written together with
  // none after it. Returns the sequence of the oldest that is left.
  virtual absl::StatusOr<int64_t> ForgetEvents(absl::string_view operation, int64_t sequence) = 0;

  // Forgets the operations that finished longer than `age` ago, with their events.
  virtual absl::Status ForgetFinished(absl::Duration age) = 0;
};

// Thread-safe. Operations of one version table; those of others in the same database are not seen.
//
// Errors of every function: those of Database, InsufficientPrivilege.
class OperationStore {
 public:
  virtual ~OperationStore() = default;

  // Adds an operation with its first event and returns it with its number; or, if there is one with
  // its request_id, returns that. Makes what it needs in the database if it is missing.
  // DatabaseReadOnly.
  virtual absl::StatusOr<OperationRecord> Insert(
      const OperationRecord& record, const StoredEvents& accepted,
      Durability durability = Durability::kSurvivesCrash) = 0;

  // The operations whose id begins with `id`, at most ten; one whose id it is comes alone.
  virtual absl::StatusOr<std::vector<OperationRecord>> Find(absl::string_view id) = 0;

  // The operation that was made with this request_id; nothing if there is none, or if it is empty.
  virtual absl::StatusOr<absl::optional<OperationRecord>> FindRequest(
      absl::string_view request_id) = 0;

  // The newest operations with a number below `before_number` in one of `states` (in any, if that
  // is empty), newest first, at most `limit`.
  virtual absl::StatusOr<std::vector<OperationRecord>> List(
      const std::vector<migration::v1::Operation::State>& states, int64_t before_number,
      int limit) = 0;

  // Events of an operation after a sequence: those next to it, as many as fit well into one message
  // of memory. None if there are none.
  virtual absl::StatusOr<StoredEvents> ReadEvents(absl::string_view operation,
                                                  int64_t after_sequence) = 0;

  // Notes that an operation is to stop, unless that was noted before or it is finished.
  virtual absl::Status RequestCancel(absl::string_view operation, absl::string_view why) = 0;

  // Opens the way for the server with this number, of which there must be one only.
  virtual absl::StatusOr<std::unique_ptr<Ledger>> OpenLedger(int server) = 0;
};

}  // namespace migd
