#include "service/execute/run_options.h"

#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/execute/guard.h"

namespace migd {
namespace {

// Reads a duration of a request into `into`, which keeps its value if the field is unset.
absl::Status ReadDuration(bool is_set, const google::protobuf::Duration& field,
                          absl::string_view name, absl::Duration& into) {
  if (!is_set) return absl::OkStatus();
  into = FromProtoDuration(field);
  // PostgreSQL counts its timeouts in milliseconds, in 32 bits.
  constexpr absl::Duration kLongest = absl::Milliseconds(2147483647);
  if (into < absl::ZeroDuration() || into > kLongest) {
    return errors::InvalidRequest(
        name, absl::StrCat("must be between 0 and ", absl::FormatDuration(kLongest)));
  }
  // Anything that is not zero must not become zero, which means no limit.
  if (into > absl::ZeroDuration() && into < absl::Milliseconds(1)) into = absl::Milliseconds(1);
  return absl::OkStatus();
}

absl::Status ReadDecisions(const migration::v1::RunOptions& options, ExecuteRequest& request) {
  const RunDecisions decisions = {options.resume(), options.skip_statement()};
  if (decisions == RunDecisions()) return absl::OkStatus();
  const std::string field = decisions.resume ? "resume" : "skip_statement";
  if (request.action != migration::v1::ACTION_UPGRADE &&
      request.action != migration::v1::ACTION_DOWNGRADE) {
    return errors::InvalidRequest(field, "goes with an upgrade or a downgrade that runs");
  }
  if (decisions.resume && decisions.skip_statement != 0) {
    return errors::InvalidRequest(field, "run the statement or skip it, not both");
  }
  if (decisions.skip_statement < 0) {
    return errors::InvalidRequest(field, "statements are counted from 1");
  }
  request.decisions = decisions;
  return absl::OkStatus();
}

absl::Status ReadSchemaOptions(const migration::v1::RunOptions& options, ExecuteRequest& request) {
  const bool upgrade = request.action == migration::v1::ACTION_UPGRADE;
  const bool stamp = request.action == migration::v1::ACTION_STAMP;
  if (options.existing_objects() != migration::v1::EXISTING_OBJECTS_UNSPECIFIED) {
    if (!upgrade) return errors::InvalidRequest("existing_objects", "goes with an upgrade");
    request.existing_objects = options.existing_objects();
  }
  if (options.schema_check() != migration::v1::SCHEMA_CHECK_UNSPECIFIED) {
    if (!upgrade && !stamp) {
      return errors::InvalidRequest("schema_check", "goes with an upgrade or a stamp");
    }
    if (options.schema_check() == migration::v1::SCHEMA_CHECK_REQUIRE && !stamp) {
      return errors::InvalidRequest("schema_check", "can be required of a stamp only");
    }
    request.schema_check = options.schema_check();
  }
  return absl::OkStatus();
}

absl::Status ReadBackup(const migration::v1::RunOptions& options, ExecuteRequest& request) {
  request.backup = options.backup();
  request.backup_verification = options.backup_verification();
  const bool migrates = request.action == migration::v1::ACTION_UPGRADE ||
                        request.action == migration::v1::ACTION_DOWNGRADE;
  if (!migration::v1::BackupMode_IsValid(request.backup) ||
      (request.backup != migration::v1::BACKUP_MODE_UNSPECIFIED && !migrates)) {
    return errors::InvalidRequest("backup", "goes with an upgrade or a downgrade that runs");
  }
  if (!migration::v1::BackupVerification_IsValid(request.backup_verification) ||
      (request.backup_verification != migration::v1::BACKUP_VERIFICATION_UNSPECIFIED &&
       !migrates)) {
    return errors::InvalidRequest("backup_verification",
                                  "goes with an upgrade or a downgrade that runs");
  }
  return absl::OkStatus();
}

// Reads what makes the call run one plan only.
absl::Status ReadPins(const migration::v1::RunOptions& options, ExecuteRequest& request) {
  constexpr size_t kLongest = 64;
  request.plan_hash = absl::AsciiStrToLower(options.plan_hash());
  const bool is_hash =
      absl::c_all_of(request.plan_hash, [](unsigned char c) { return absl::ascii_isxdigit(c); });
  if (!request.plan_hash.empty() && (!is_hash || request.plan_hash.size() < kShortestPlanHash ||
                                     request.plan_hash.size() > kLongest)) {
    return errors::InvalidRequest(
        "plan_hash", absl::StrCat("is no hash of a plan; give the hex digits that Plan tells, ",
                                  kShortestPlanHash, " at least"));
  }
  if (!options.confirmation().empty() && request.action != migration::v1::ACTION_UPGRADE &&
      request.action != migration::v1::ACTION_DOWNGRADE) {
    return errors::InvalidRequest("confirmation", "goes with an upgrade or a downgrade that runs");
  }
  request.confirmation = options.confirmation();
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadRunOptions(const migration::v1::RunOptions& options, const Workspace& workspace,
                            ExecuteRequest& request) {
  const std::shared_ptr<const Policy> policy = workspace.policy();
  request.timeouts = policy->timeouts;
  absl::Duration mutex_timeout;
  absl::Status status = ReadDuration(options.has_lock_timeout(), options.lock_timeout(),
                                     "lock_timeout", request.timeouts.lock_timeout);
  if (status.ok()) {
    status = ReadDuration(options.has_statement_timeout(), options.statement_timeout(),
                          "statement_timeout", request.timeouts.statement_timeout);
  }
  if (status.ok()) {
    status = ReadDuration(options.has_mutex_timeout(), options.mutex_timeout(), "mutex_timeout",
                          mutex_timeout);
  }
  if (!status.ok()) return status;
  request.mutex_deadline =
      mutex_timeout > absl::ZeroDuration() ? absl::Now() + mutex_timeout : absl::InfiniteFuture();
  request.lock_retries = options.has_lock_retries() ? options.lock_retries() : policy->lock_retries;
  if (request.lock_retries < 0 || request.lock_retries > kMostLockRetries) {
    return errors::InvalidRequest("lock_retries",
                                  absl::StrCat("must be between 0 and ", kMostLockRetries));
  }
  request.terminate_blockers = options.terminate_blockers();
  if (request.terminate_blockers && !policy->allow_terminate_blockers) {
    return errors::TerminateNotAllowed(workspace.name);
  }
  if (options.lint() != migration::v1::LINT_GATE_UNSPECIFIED &&
      request.action == migration::v1::ACTION_STAMP) {
    return errors::InvalidRequest("lint", "goes with an upgrade or a downgrade");
  }
  request.lint_gate =
      options.lint() == migration::v1::LINT_GATE_UNSPECIFIED ? policy->lint_gate : options.lint();
  request.lint_severities = policy->lint_severities;
  request.accept_checksums = {options.accept_checksums().begin(), options.accept_checksums().end()};
  if (!request.accept_checksums.empty() && request.action != migration::v1::ACTION_UPGRADE) {
    return errors::InvalidRequest("accept_checksums", "goes with an upgrade");
  }
  status = ReadPins(options, request);
  if (status.ok()) status = ReadSchemaOptions(options, request);
  if (status.ok()) status = ReadBackup(options, request);
  return status.ok() ? ReadDecisions(options, request) : status;
}

}  // namespace migd
