// The backup before the first step.
#pragma once

#include "absl/status/status.h"
#include "service/database/database.h"
#include "service/execute/cancellation.h"
#include "service/execute/executor.h"
#include "service/execute/workspace.h"
#include "service/plan/plan.h"
#include "service/script/script_directory.h"

namespace migd {

// What is about to run. The plan has steps.
struct BackupOccasion {
  const ExecuteRequest& request;
  const ScriptSet& scripts;
  const Plan& plan;
};

// Whether a step of `plan` may destroy data, by its words: it goes down and has statements, or one
// of its statements says DROP or TRUNCATE. Says so rather too often: a backup too many does less
// harm than one too few. Pure.
bool MayDestroyData(const ScriptSet& scripts, const Plan& plan);

// When a backup is made: what the request or the policy says, whichever demands more; never if an
// earlier attempt has made one. Pure.
migration::v1::BackupMode DemandedBackup(const Policy& policy, const ExecuteRequest& request);

// Makes a backup if one is demanded, and emits its events. What goes by the words of the statements
// for harmless is looked up in the catalogue, too (DestructionBy), and what is not known is not
// taken for harmless. `session`, which holds the mutex, is asked now and then meanwhile: PostgreSQL
// ends sessions that idle. BackupUnavailable, BackupFailed, OperationCancelled, MutexLost.
absl::Status BackUp(Workspace& workspace, const BackupOccasion& occasion, Session& session,
                    Cancellation& cancellation, const EventSink& sink);

}  // namespace migd
