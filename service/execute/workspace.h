// A configured database with its migration files: what a request's `database` names.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "service/database/audit_store.h"
#include "service/database/backup.h"
#include "service/database/database.h"
#include "service/database/operation_store.h"
#include "service/database/scratch.h"
#include "service/execute/policy.h"
#include "service/script/script_directory.h"

namespace migd {

// So often, and no more, a step can be tried again.
inline constexpr int kMostLockRetries = 100;

// Thread-safe, as its parts are. Lives as long as the server.
struct Workspace {
  // The name by which requests call it.
  std::string name;
  std::shared_ptr<ScriptDirectory> scripts;
  // Null on a server started with --offline.
  std::shared_ptr<Database> database;
  // Where the operations on `database` are kept; null with it.
  std::unique_ptr<OperationStore> operations;
  // Who had it changed, and who was refused; null with it.
  std::unique_ptr<AuditStore> audit;
  // Makes scratch databases for `database`; null with it.
  std::unique_ptr<ScratchSource> scratch;
  // Makes backups of `database`; null with it.
  std::unique_ptr<BackupMaker> backups;
  // Where `database` keeps its rows; what a script for it names, also with --offline.
  VersionTable version_table;
  // For requests that set none.
  Timeouts default_timeouts;
  int default_lock_retries = 0;
  // Whether requests may have the sessions ended that are in their way.
  bool allow_terminate_blockers = false;
  // What else its configuration demands.
  Policy policy;
};

}  // namespace migd
