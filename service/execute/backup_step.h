// The backup before the first step.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "service/database/database.h"
#include "service/execute/cancellation.h"
#include "service/execute/executor.h"
#include "service/execute/workspace.h"
#include "service/plan/plan.h"
#include "service/script/script_directory.h"

namespace migd {

// Whether a step of `plan` may destroy data: it goes down and has statements, or one of its
// statements says DROP or TRUNCATE. Says so rather too often. Pure.
bool DestroysData(const ScriptSet& scripts, const Plan& plan);

// What is about to run.
struct BackupOccasion {
  const ExecuteRequest& request;
  bool destroys_data = false;
  // The revision of the first step.
  std::string first_revision;
};

// Whether the request or the policy, whichever demands more, wants a backup. Pure.
bool WantsBackup(const Policy& policy, const BackupOccasion& occasion);

// Makes a backup if one is wanted, and emits its events. `session`, which holds the mutex, is asked
// now and then meanwhile: PostgreSQL ends sessions that idle. BackupUnavailable, BackupFailed,
// OperationCancelled, MutexLost.
absl::Status BackUp(Workspace& workspace, const BackupOccasion& occasion, Session& session,
                    Cancellation& cancellation, const EventSink& sink);

}  // namespace migd
