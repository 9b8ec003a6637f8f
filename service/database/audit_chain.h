// The chain of hashes that the entries of an audit make: whoever changes one, takes one away or
// puts one in between would have to write all that come after it anew. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "migration/v1/access.pb.h"
#include "migration/v1/error.pb.h"
#include "migration/v1/migration_service.pb.h"
#include "migration/v1/operation.pb.h"

namespace migd {

// The hash that an entry must have: SHA-256, in hex, over its fields in the order of the trigger
// `chain_audit`, each as its length in bytes of UTF-8, ':', its text, ','.
std::string HashOf(const migration::v1::AuditEntry& entry);

// The entry for the beginning of an operation, and for its end. What PostgreSQL gives an entry is
// not set.
migration::v1::AuditEntry AcceptedEntry(const migration::v1::Operation& operation);
migration::v1::AuditEntry FinishedEntry(const migration::v1::Operation& operation);

// The entry for a call of `rpc` that was not let in, from `address`.
migration::v1::AuditEntry RefusedEntry(absl::string_view rpc, absl::string_view address,
                                       const absl::Status& why);

// `entry` as it can be stored: texts in valid UTF-8, without control characters, none longer than
// 1000 bytes.
migration::v1::AuditEntry Storable(migration::v1::AuditEntry entry);

// The name of a reason without its prefix: "PERMISSION_DENIED".
std::string ReasonName(migration::v1::ErrorReason reason);

// Follows a chain from its beginning. Thread-compatible.
class ChainChecker {
 public:
  // `known_number` and `known_hash`, if the number is positive: an entry that was there once.
  ChainChecker(int64_t known_number, std::string known_hash);

  // The next entry, in the order of the numbers.
  void Add(const migration::v1::AuditEntry& entry);

  // After the last entry.
  migration::v1::VerifyAuditResponse Finish();

 private:
  void Report(migration::v1::AuditProblem::Kind kind, int64_t number, std::string message);

  const int64_t known_number_;
  const std::string known_hash_;
  bool known_seen_ = false;
  migration::v1::VerifyAuditResponse result_;
};

}  // namespace migd
