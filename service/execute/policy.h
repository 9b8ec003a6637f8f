// What a database's configuration demands of the operations on it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "migration/v1/finding.pb.h"
#include "migration/v1/operation.pb.h"
#include "service/database/database.h"

namespace migd {

// What becomes of a plan that destroys data.
enum class DestructivePolicy {
  // It runs.
  kAllow,
  // It runs if the call confirms it.
  kConfirm,
  // It does not run.
  kRefuse,
};

// So often, and no more, a step can be tried again.
inline constexpr int kMostLockRetries = 100;

// A plain value.
struct Policy {
  // For requests that set none.
  Timeouts timeouts;
  int lock_retries = 0;
  // Whether requests may have the sessions ended that are in their way.
  bool allow_terminate_blockers = false;

  // `protected: true` in the configuration is kRefuse, unless `destructive` says otherwise.
  DestructivePolicy destructive = DestructivePolicy::kConfirm;

  // What lint may stop where the call does not say; and the severities of rules that are not those
  // that they have by themselves.
  migration::v1::LintGate lint_gate = migration::v1::LINT_GATE_ERROR;
  std::map<std::string, migration::v1::Severity> lint_severities;

  // When a backup is made, at least.
  migration::v1::BackupMode backup = migration::v1::BACKUP_MODE_NEVER;
  migration::v1::BackupVerification backup_verification = migration::v1::BACKUP_VERIFICATION_LIST;

  // Patterns of what `verify` leaves out; see VerifyRequest.ignore.
  std::vector<std::string> verify_ignore;
};

}  // namespace migd
