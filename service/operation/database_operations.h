// The operations of one database: those that this server runs, and those that it sees others run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "migration/v1/operation.pb.h"
#include "service/base/listeners.h"
#include "service/base/mutex.h"
#include "service/database/operation_store.h"
#include "service/execute/cancellation.h"
#include "service/execute/workspace.h"
#include "service/operation/number_tracker.h"
#include "service/operation/operation.h"
#include "service/operation/turnstile.h"

namespace migd {

// How operations are kept and taken over.
struct OperationSettings {
  // How long a server must have been gone before another takes its operations over. A server that
  // lost its connection for a moment is back before that.
  absl::Duration takeover_after = absl::Seconds(10);
  // How long finished operations are kept, and with them their request_ids.
  absl::Duration retention = absl::Hours(30 * 24);
  // So many events of an operation are kept, and some more: the newest.
  int64_t most_events = 100'000;
};

// A server, as others know it.
struct ServerIdentity {
  // Positive, drawn at random when the server starts.
  int number = 0;
  // Its host's name and process id.
  std::string name;
};

// Thread-safe. Each operation that this server runs has a thread; one more follows the store: it
// writes what they do, on one connection and as much together as has come up, sees what other
// servers do, passes requests to cancel on, and takes over what no living server runs.
class DatabaseOperations {
 public:
  // As many may run and wait at once: each has a thread.
  static constexpr int kMostRunning = 500;

  // `workspace`, which has a store, must outlive it. `on_new` is called when an operation has
  // become known.
  DatabaseOperations(Workspace& workspace, ServerIdentity server, OperationSettings settings,
                     std::function<void()> on_new);
  // Drains without grace.
  ~DatabaseOperations();

  using OnAccepted = std::function<void(absl::StatusOr<std::shared_ptr<Operation>>)>;
  // Why there may be no new operation; OK if there may.
  using MayMake = std::function<absl::Status()>;
  // Makes an operation of `wanted` (of which what the caller says is set), and runs it; or finds
  // the one that the same request has made. Tells `on_accepted`, mostly on another thread, when it
  // is stored, or why it is not: RequestIdReused, Draining, TooManyOperations, what `may_make` says
  // (null: nothing), the errors of OperationStore. Neither is called after Drain has returned, but
  // for the call of Start itself.
  void Start(migration::v1::Operation wanted, OnAccepted on_accepted, MayMake may_make = nullptr);

  // The operation with this id if it is known without asking the store; null otherwise.
  std::shared_ptr<Operation> FindHere(absl::string_view id) const;
  // The operations whose id begins with `id`; one whose id it is comes alone.
  absl::StatusOr<std::vector<std::shared_ptr<Operation>>> Find(absl::string_view id);

  // As OperationStore::List.
  absl::StatusOr<std::vector<OperationRecord>> List(
      const std::vector<migration::v1::Operation::State>& states, int64_t before_number, int limit);

  // Those in memory: all that are not finished, as far as they have been seen, and the newest that
  // are.
  std::vector<std::shared_ptr<Operation>> Known() const;

  // Asks an operation to stop, whichever server runs it.
  absl::Status Cancel(const Operation& operation, const std::string& why);

  // Takes no new operation from now on, gives those that run `grace` to end, then interrupts them
  // and leaves them to other servers. Returns when none runs. After the grace nobody waits long for
  // the database any more (Database::Hurry), whatever for.
  void Drain(absl::Duration grace);

  const Workspace& workspace() const { return workspace_; }

 private:
  // One that this server runs.
  struct Run {
    std::shared_ptr<Operation> operation;
    Cancellation cancellation;
    // The plan that runs, if it has steps; what an attempt after this one goes on with.
    migration::v1::Plan plan;
    // The server shuts down: let it go instead of ending it. Guarded by mutex_, as is what follows.
    bool hand_over = false;
    bool ended = false;
    std::thread thread;
  };
  using RunPointer = std::shared_ptr<Run>;

  struct Accepted {
    std::shared_ptr<Operation> operation;
    // This call made it.
    bool is_new = false;
  };

  // --- On the thread of an operation ---
  absl::StatusOr<Accepted> Accept(migration::v1::Operation wanted, const MayMake& may_make);
  // What the call that has made a stored operation already is told, and the other that has its
  // request_id.
  absl::StatusOr<Accepted> Repeated(const OperationRecord& stored,
                                    const migration::v1::Operation& wanted);
  // Runs an operation to its end, through interruptions.
  void RunToEnd(Run& run);
  ExecuteResult RunOnce(Run& run);
  // The server stops, and leaves the operation to others.
  bool IsHandedOver(const Run& run) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether a run was cut off, and another may go on.
  bool IsCutOff(const absl::Status& status);
  // The next attempt may begin: the interruption is stored, hence the database answers again.
  absl::Status AwaitRecovery(Run& run);
  // Waits until all that is urgent of the operation is stored (IsUrgent). DatabaseUnavailable at
  // `deadline`; OperationCancelled if `cancellation` (which may be null) is requested, or if the
  // operation is not this server's any more.
  absl::Status AwaitWritten(const Operation& operation, const Cancellation* cancellation,
                            absl::Time deadline);
  void Emit(Run& run, migration::v1::OperationEvent event);

  // --- On the thread that follows the store ---
  void Follow();
  // Waits for something to do: something to write, though not before `not_before`, or until
  // `next_poll`. False if it is time to end.
  bool AwaitWork(absl::Time next_poll, absl::Time not_before);
  absl::Status WriteAndPoll(absl::Time& next_poll);
  absl::Status OpenLedger();
  absl::Status WriteAll();
  absl::Status Write(Operation& operation, const Operation::Batch& batch);
  // Another server has the operation: this one stops what it runs of it.
  void GiveUp(Operation& operation);
  absl::Status Poll();
  absl::Status See(const OperationRecord& record);
  absl::Status SeeForeign(const OperationRecord& record);
  absl::Status TakeOverIfOrphan(const std::shared_ptr<Operation>& operation,
                                const OperationRecord& record);
  absl::Status TakeOver(const std::shared_ptr<Operation>& operation, const OperationRecord& record);
  // What takes long without an event is not forgotten by its server.
  absl::Status TouchOwn();
  absl::Status ForgetOld();
  // What goes wrong with the store is logged when it begins and when it ends.
  void ReportTrouble(const absl::Status& status);

  // --- On any ---
  std::shared_ptr<Operation> FindKnown(const std::string& id) const;
  std::shared_ptr<Operation> FindRequest(const std::string& request_id) const;
  // The operation of a record, in memory from now on; as it is there, if it is known already.
  std::shared_ptr<Operation> Know(const OperationRecord& record, const StoredEvents& events,
                                  bool own);
  // The operation of a record that was looked up.
  std::shared_ptr<Operation> Recall(const OperationRecord& record);
  // Drops from memory the oldest finished operations that are too many, all `but` one.
  void ForgetFinished(const Operation& but) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // All events of an operation behind a sequence.
  absl::StatusOr<StoredEvents> ReadEvents(const std::string& id, int64_t after_sequence);
  // Runs `body` as the thread of `run`. TooManyOperations; Draining, since nobody would wait for
  // its end.
  absl::Status StartThread(const RunPointer& run, std::function<void()> body)
      ABSL_LOCKS_EXCLUDED(mutex_);
  RunPointer FindRun(const std::string& id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Logs `message` for each operation that holds the mutex and works.
  void LogRunning(absl::string_view message, const std::string& grace) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int CountRunning() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasUnwritten() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<std::shared_ptr<Operation>> Owned() const;
  // Joins the threads of operations that have ended.
  void JoinEnded() ABSL_LOCKS_EXCLUDED(mutex_);
  void Wake(bool at_once);

  Workspace& workspace_;
  OperationStore& store_;
  const ServerIdentity server_;
  const OperationSettings settings_;
  const std::function<void()> on_new_;
  Turnstile turnstile_;

  // Taken before that of an operation.
  mutable Mutex mutex_;
  CondVar work_;     // for the thread that follows
  CondVar written_;  // something was written, or a run has ended
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  // When the thread that follows stops at the latest: it writes what is left before.
  absl::optional<absl::Time> stopping_at_ ABSL_GUARDED_BY(mutex_);
  // There is something to write: soon, or at once.
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time woken_time_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool woken_at_once_ ABSL_GUARDED_BY(mutex_) = false;
  // Those that are not finished, and the newest of the others.
  std::map<std::string, std::shared_ptr<Operation>> known_ ABSL_GUARDED_BY(mutex_);
  std::map<int64_t, std::string> known_by_number_ ABSL_GUARDED_BY(mutex_);
  std::vector<RunPointer> runs_ ABSL_GUARDED_BY(mutex_);
  // Ids that are being stored just now.
  std::set<std::string> accepting_ ABSL_GUARDED_BY(mutex_);
  // One request at a time is stored, so that the same one twice finds itself.
  Mutex accept_mutex_;

  // Of the thread that follows.
  std::unique_ptr<Ledger> ledger_;
  absl::optional<NumberTracker> numbers_;
  std::map<std::string, absl::Time> orphaned_since_;
  absl::optional<std::set<int>> live_servers_;  // as far as this poll has asked
  absl::Time no_takeover_before_ = absl::InfinitePast();
  absl::Time next_touch_ = absl::InfinitePast();
  absl::Time next_forgetting_ = absl::InfinitePast();
  bool in_trouble_ = false;

  std::thread follower_;  // last: runs with everything above in place
};

}  // namespace migd
