// A store of operations in memory, with faults that a test plants.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "migration/v1/revision.pb.h"
#include "service/base/mutex.h"
#include "service/database/operation_store.h"

namespace migd {

// Passes the contract suite of OperationStore. Thread-safe; ledgers must end before it. A test may
// open a ledger of its own to be another server.
class FakeOperationStore : public OperationStore {
 public:
  absl::StatusOr<OperationRecord> Insert(
      const OperationRecord& record, const StoredEvents& accepted,
      Durability durability = Durability::kSurvivesCrash) override;
  absl::StatusOr<std::vector<OperationRecord>> Find(absl::string_view id) override;
  absl::StatusOr<absl::optional<OperationRecord>> FindRequest(
      absl::string_view request_id) override;
  absl::StatusOr<std::vector<OperationRecord>> List(
      const std::vector<migration::v1::Operation::State>& states, int64_t before_number,
      int limit) override;
  absl::StatusOr<StoredEvents> ReadEvents(absl::string_view operation,
                                          int64_t after_sequence) override;
  absl::Status RequestCancel(absl::string_view operation, absl::string_view why) override;
  absl::StatusOr<std::unique_ptr<Ledger>> OpenLedger(int server) override;

  // --- Faults ---
  // Everything fails from now on; OK ends that.
  void Fail(absl::Status status);
  // A crash: the events of the operation after `sequence` are lost, and all ledgers with them.
  void Lose(const std::string& operation, int64_t sequence);
  // How often Write was called with events.
  int writes() const;

 private:
  class FakeLedger;

  struct Entry {
    OperationRecord record;
    StoredEvents events;
    migration::v1::Plan plan;
    absl::Time change_time;
  };

  OperationRecord ToRecord(const Entry& entry) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  absl::Status fault_ ABSL_GUARDED_BY(mutex_);
  int64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  int writes_ ABSL_GUARDED_BY(mutex_) = 0;
  int crashes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::multiset<int> servers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace migd
