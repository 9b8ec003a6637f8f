// A configured database with its migration files: what a request's `database` names.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "service/base/mutex.h"
#include "service/database/audit_store.h"
#include "service/database/backup.h"
#include "service/database/database.h"
#include "service/database/operation_store.h"
#include "service/database/scratch.h"
#include "service/execute/policy.h"
#include "service/script/script_directory.h"

namespace migd {

// Thread-safe, as its parts are. Lives as long as the server.
class Workspace {
 public:
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

  // What its configuration demands now; what has begun goes on with what it began with.
  std::shared_ptr<const Policy> policy() const {
    MutexLock lock(policy_mutex_);
    return policy_;
  }
  void SetPolicy(Policy policy) {
    MutexLock lock(policy_mutex_);
    policy_ = std::make_shared<const Policy>(std::move(policy));
  }

 private:
  mutable Mutex policy_mutex_;
  std::shared_ptr<const Policy> policy_ ABSL_GUARDED_BY(policy_mutex_) =
      std::make_shared<const Policy>();
};

}  // namespace migd
