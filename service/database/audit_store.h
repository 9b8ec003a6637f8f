// The audit of a database: who had it changed, and who was refused.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "migration/v1/access.pb.h"

namespace migd {

// Thread-safe. Entries are only ever added, each chained to the one before it; see audit_chain.h.
// Those of an operation's beginning and end are written by OperationStore together with it, so that
// there is no operation without them.
//
// Errors of every function: those of Database.
class AuditStore {
 public:
  virtual ~AuditStore() = default;

  // Adds entries in their order, all or none; their numbers, times and hashes are given to them
  // here. Makes what it needs in the database if it is missing. DatabaseReadOnly,
  // InsufficientPrivilege.
  virtual absl::Status Append(const std::vector<migration::v1::AuditEntry>& entries) = 0;

  // The newest entries with a number below `before_number`, of one principal (of all, if that is
  // empty), newest first, at most `limit`.
  virtual absl::StatusOr<std::vector<migration::v1::AuditEntry>> ListNewest(
      int64_t before_number, absl::string_view principal, int limit) = 0;

  // The oldest entries with a number above `after_number`, oldest first, at most `limit`.
  virtual absl::StatusOr<std::vector<migration::v1::AuditEntry>> ListOldest(int64_t after_number,
                                                                            int limit) = 0;
};

}  // namespace migd
