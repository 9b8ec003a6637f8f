// Operations, kept in the schema `migration_service` of the database that they migrate.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "service/database/operation_store.h"
#include "service/postgres/postgres_database.h"

namespace migd {

// Thread-safe. Reads and single writes use the connections of the database's readers; each ledger
// has one of its own.
//
// Events are stored as they are written: one row holds all that came together, as delimited
// protobuf messages, so that a thousand statements cost neither a thousand commits nor rows.
class PostgresOperationStore : public OperationStore {
 public:
  // `database` must outlive the store and its ledgers.
  explicit PostgresOperationStore(PostgresDatabase& database) : database_(database) {}

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

 private:
  // The operations that a condition holds for, which may be followed by ORDER BY and LIMIT.
  absl::StatusOr<std::vector<OperationRecord>> ReadRecords(const std::string& condition);

  PostgresDatabase& database_;
  // All that Insert writes to was there.
  std::atomic<bool> is_prepared_ = false;
};

}  // namespace migd
