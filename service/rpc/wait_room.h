// Those who wait until a database is at a revision.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "migration/v1/migration_service.pb.h"
#include "service/base/mutex.h"
#include "service/execute/workspace.h"
#include "service/revision/symbol.h"

namespace migd {

// Keeps those who wait, for all databases. A waiter costs some memory and neither a thread nor a
// connection: one thread looks after all waiters, reads the migration files and keeps the
// deadlines, and each database that is waited for has one that reads its rows (RowPoller).
// Thread-safe.
class WaitRoom {
 public:
  // What a waiter wants to know.
  struct Wish {
    RevisionSymbol symbol;
    // Zero: looks once, however long that takes.
    absl::Duration timeout = absl::InfiniteDuration();
  };

  using Answer = std::function<void(const absl::StatusOr<migration::v1::WaitResponse>&)>;
  using Ticket = int64_t;

  // How often the rows of a database are read while somebody waits for them.
  static constexpr absl::Duration kInterval = absl::Milliseconds(500);

  explicit WaitRoom(absl::Duration interval = kInterval);
  // Closes. Returns when the readings that are under way have ended.
  ~WaitRoom();

  // Lets somebody wait. `answer` is called once, on a thread of the room or of Close, unless Leave
  // came before; it must not block:
  //   - with a response when the database is at the revisions that the symbol names in the files as
  //     they are then, or beyond them, by rows that were read after this call;
  //   - with the errors of ResolveAwaited, and InvalidMigrations if the files are at fault already,
  //     as soon as the files are read. Files that become faulty later are waited for, as is a
  //     database that cannot be asked, for whatever reason;
  //   - with WaitTimeout, which says where the database is, or why nobody knows;
  //   - with Draining when the room closes.
  // `workspace` has a database, and must outlive the room.
  Ticket Enter(Workspace& workspace, Wish wish, Answer answer);

  // Ends the waiting without an answer. False if the answer was given, or is on its way.
  bool Leave(Ticket ticket);

  // Answers all with Draining, and from now on everybody.
  void Close();

  // How many wait at present.
  int size() const;

 private:
  class Desk;
  struct Waiter;
  using WaiterPointer = std::shared_ptr<Waiter>;

  Desk& DeskOf(Workspace& workspace) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Serve();
  // Waits until something has changed or a deadline has passed, and returns who waits. Nobody, at
  // the end.
  std::vector<WaiterPointer> AwaitNews();
  absl::Time NextDeadline() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Answers those for whom it is time.
  void LookAfter(const std::vector<WaiterPointer>& waiters);
  // Removes a waiter; null if there is none, because somebody else has removed it.
  WaiterPointer Take(Ticket ticket);
  void TellNews();

  const absl::Duration interval_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::map<Ticket, WaiterPointer> waiters_ ABSL_GUARDED_BY(mutex_);
  // One per database that was ever waited for.
  std::map<const Workspace*, std::unique_ptr<Desk>> desks_ ABSL_GUARDED_BY(mutex_);
  Ticket last_ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  bool news_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_ ABSL_GUARDED_BY(mutex_);  // started by the first waiter
};

}  // namespace migd
