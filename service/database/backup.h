// Backups of one database, made before it is migrated.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "migration/v1/operation.pb.h"

namespace migd {

// Makes backups. Thread-safe.
class BackupMaker {
 public:
  virtual ~BackupMaker() = default;

  // Takes BackupStarted, then BackupProgress when there is some, on the caller's thread.
  using Sink = std::function<void(migration::v1::OperationEvent)>;
  // Called often while a backup is made; what is not OK ends it, and is returned.
  using Tick = std::function<absl::Status()>;

  // Makes a backup for `operation` and verifies it as `verification` says; keeps so many of the
  // newest, as it was told. BackupUnavailable, before anything is written, if none can be made: no
  // directory, no room, no program that fits. BackupFailed later on; nothing of it is left then.
  virtual absl::StatusOr<migration::v1::Backup> Make(const std::string& operation,
                                                     migration::v1::BackupVerification verification,
                                                     const Tick& tick, const Sink& sink) = 0;
};

}  // namespace migd
