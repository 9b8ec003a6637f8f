// The audit, kept in the schema `migration_service` of the database that it is about.
#pragma once

#include <vector>

#include "service/database/audit_store.h"
#include "service/postgres/postgres_database.h"

namespace migd {

// Thread-safe. Uses the connections of the database's readers.
class PostgresAuditStore : public AuditStore {
 public:
  // `database` must outlive it.
  explicit PostgresAuditStore(PostgresDatabase& database) : database_(database) {}

  absl::Status Append(const std::vector<migration::v1::AuditEntry>& entries) override;
  absl::StatusOr<std::vector<migration::v1::AuditEntry>> ListNewest(int64_t before_number,
                                                                    absl::string_view principal,
                                                                    int limit) override;
  absl::StatusOr<std::vector<migration::v1::AuditEntry>> ListOldest(int64_t after_number,
                                                                    int limit) override;

 private:
  // The entries that a condition holds for, which may be followed by ORDER BY and LIMIT.
  absl::StatusOr<std::vector<migration::v1::AuditEntry>> Read(const std::string& condition);

  PostgresDatabase& database_;
};

}  // namespace migd
