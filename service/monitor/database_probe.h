// How a database stands, asked now and then.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "migration/v1/migration_service.pb.h"
#include "service/base/mutex.h"
#include "service/operation/operation_manager.h"
#include "service/rpc/catalog.h"

namespace migd {

// What was found out about a database. Where it could not be asked, what was known before.
struct DatabaseStatus {
  std::string name;
  // There is none: the server was started with --offline.
  bool is_offline = false;
  // Why the database, or the files, could not be read this time.
  absl::Status database_error;
  absl::Status files_error;
  // The rows of the version table.
  std::vector<std::string> rows;
  // The newest revisions of the files, with what the database has of them, and how many there are.
  migration::v1::HistoryResponse history;
  // The newest operations, whichever server runs or ran them.
  std::vector<migration::v1::Operation> operations;
  absl::optional<absl::Time> last_success;
  // Sessions that wait for a lock of an operation.
  int blocked_sessions = 0;
};

// Asks one database, on a thread of its own: one that does not answer holds up nobody else, and who
// wants to know how it stands is told what was found last. Thread-safe.
class DatabaseProbe {
 public:
  // So often, unless something happens. While an operation runs: who waits for it changes without
  // an event.
  static constexpr absl::Duration kInterval = absl::Seconds(15);
  static constexpr absl::Duration kBusyInterval = absl::Seconds(2);

  // `catalog`, of which `name` is a database, and `operations` must outlive it. `on_status` is
  // called after each look, on the probe's thread.
  DatabaseProbe(const Catalog& catalog, OperationManager& operations, const std::string& name,
                std::function<void(std::shared_ptr<const DatabaseStatus>)> on_status);
  // Waits for the end of a look that is under way.
  ~DatabaseProbe();

  // Something has happened: looks again soon.
  void Wake();
  // Looks no more, from now on.
  void End();

 private:
  void Run();
  // Waits for so long at most. False at the end.
  bool AwaitTurn(absl::Duration interval);
  DatabaseStatus Look(const DatabaseStatus& before) const;
  void LookAtDatabase(DatabaseStatus& status) const;

  const Catalog& catalog_;
  OperationManager& operations_;
  const std::string name_;
  const std::function<void(std::shared_ptr<const DatabaseStatus>)> on_status_;
  Mutex mutex_;
  CondVar changed_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = true;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: runs with everything above in place
};

}  // namespace migd
