// Writes to the audit what no operation writes there by itself: refused calls, and cancels.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "migration/v1/access.pb.h"
#include "service/base/mutex.h"
#include "service/database/audit_store.h"
#include "service/execute/workspace.h"

namespace migd {

// The entries that wait to be written to one audit. Thread-safe.
//
// A caller never waits for it, and whoever makes calls only to be refused fills neither the memory
// nor the table: when entries come faster than they are written, those of one caller for one reason
// become one that says how many it stands for. What is refused again and again by its nature is
// gathered from the beginning (AddRepeated). An entry is kept until PostgreSQL takes it, as long as
// the server lives.
class AuditQueue {
 public:
  // So many different entries wait at most, and are written at most so often.
  static constexpr size_t kMostWaiting = 50;
  static constexpr absl::Duration kBetweenWrites = absl::Seconds(1);
  // Repeated entries that are alike are written at once, and then as one at most so often.
  static constexpr absl::Duration kBetweenRepeats = absl::Minutes(1);

  // `store` must outlive it; `database` is its name, for the log.
  AuditQueue(AuditStore& store, std::string database);
  // Ends, and waits until that is done.
  ~AuditQueue();

  // Tries once more, soon, to write what waits; what is added from now on may be lost.
  void End();

  void Add(migration::v1::AuditEntry entry) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for a call that whoever makes it may well make again and again, such as a read that a
  // limit refuses.
  void AddRepeated(migration::v1::AuditEntry entry) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Entries = std::deque<migration::v1::AuditEntry>;

  void Run();
  // Adds an entry, or counts it with another where enough wait: there are never many more.
  static void Keep(migration::v1::AuditEntry entry, Entries& entries);
  // Adds to an entry that is alike but for what was asked for. False if there is none.
  static bool CountWithAnother(const migration::v1::AuditEntry& entry, Entries& entries);
  // When there is something to write; infinitely far away if nothing waits.
  absl::Time Due() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Writes what is due, at the end everything; keeps it if that fails.
  void Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  AuditStore& store_;
  const std::string database_;
  Mutex mutex_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool failing_ ABSL_GUARDED_BY(mutex_) = false;
  Entries waiting_ ABSL_GUARDED_BY(mutex_);
  // Those that may come again, and that were written since a while ago: what is alike waits in
  // `repeated_`, until then.
  Entries recent_ ABSL_GUARDED_BY(mutex_);
  Entries repeated_ ABSL_GUARDED_BY(mutex_);
  absl::Time next_repeats_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::thread thread_;  // last: runs with everything above in place
};

// Thread-safe once all workspaces are followed.
class Auditor {
 public:
  // `server` is the name of this server in the entries.
  explicit Auditor(std::string server) : server_(std::move(server)) {}
  // Tries once more to write what waits, for all databases at a time.
  ~Auditor();

  // `workspace` must outlive it. Does nothing for one without an audit (--offline).
  void Follow(Workspace& workspace);

  // Adds an entry to the audit of `database`, and to each audit if that is empty: the call named
  // none. One for a database that the server does not have is in its log only.
  void Note(absl::string_view database, migration::v1::AuditEntry entry);
  // The same as AuditQueue::AddRepeated.
  void NoteRepeated(absl::string_view database, migration::v1::AuditEntry entry);

 private:
  void AddTo(absl::string_view database, migration::v1::AuditEntry entry,
             void (AuditQueue::*add)(migration::v1::AuditEntry));

  const std::string server_;
  std::map<std::string, std::unique_ptr<AuditQueue>, std::less<>> queues_;
};

}  // namespace migd
