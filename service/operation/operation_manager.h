// The operations of all databases of this server.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "migration/v1/operation.pb.h"
#include "service/base/listeners.h"
#include "service/base/mutex.h"
#include "service/base/worker_pool.h"
#include "service/execute/workspace.h"
#include "service/operation/database_operations.h"
#include "service/operation/database_selection.h"
#include "service/operation/operation.h"

namespace migd {

// How others know this server: the host's name and this process's id.
std::string NameOfServer();

// Which operations to list.
struct OperationFilter {
  // Empty for all databases.
  std::string database;
  // Empty for all states.
  std::vector<migration::v1::Operation::State> states;
  // No others than these are asked.
  DatabaseSelection among = {};
};

// Some operations of a list, newest first.
struct OperationPage {
  std::vector<migration::v1::Operation> operations;
  // Where the rest begins; empty if there is none. Belongs to the filter and to the server's
  // databases.
  std::string rest;
  // The databases that could not be asked.
  std::vector<absl::Status> database_errors;
};

// Thread-safe.
class OperationManager {
 public:
  explicit OperationManager(OperationSettings settings = {});
  // Drains without grace.
  ~OperationManager();

  // Follows the operations on `workspace`, which must outlive the manager, and takes over those
  // that no living server runs. Does nothing for one without a database (--offline).
  void Follow(Workspace& workspace);

  // Makes an operation of `wanted` on a workspace that is followed; see DatabaseOperations::Start.
  // Offline.
  void Start(const Workspace& workspace, migration::v1::Operation wanted,
             DatabaseOperations::OnAccepted on_accepted,
             DatabaseOperations::MayMake may_make = nullptr);

  using Found = absl::StatusOr<std::shared_ptr<Operation>>;
  // The operation among those of some databases whose id is or begins with `id`. UnknownOperation
  // if there is none, AmbiguousOperation if there are several, InvalidRequest for an empty id. If
  // it is nowhere, and a database could not be asked, the error of that database. May wait for
  // PostgreSQL.
  Found Find(absl::string_view id, const DatabaseSelection& among = {});
  // The same, on another thread.
  void FindLater(std::string id, DatabaseSelection among, std::function<void(Found)> on_found);

  // At most `limit` of those that match, from the place that an earlier page calls its rest.
  // InvalidRequest for another place. May wait for PostgreSQL.
  absl::StatusOr<OperationPage> List(const OperationFilter& filter, absl::string_view place,
                                     int limit);

  using Listed = absl::StatusOr<OperationPage>;
  // The first page, on another thread.
  void ListLater(OperationFilter filter, int limit, std::function<void(Listed)> on_listed);

  // Those of some databases that are in memory (see DatabaseOperations::Known).
  std::vector<std::shared_ptr<Operation>> Known(const DatabaseSelection& among = {}) const;
  // How many have become known so far, and who is told when there are more.
  int64_t known_count() const { return known_count_; }
  Listeners& new_operations() { return new_operations_; }

  // Reads events of an operation from the store, on another thread: those next to a sequence, at
  // least one if there is any.
  void ReadEventsLater(std::shared_ptr<Operation> operation, int64_t after_sequence,
                       std::function<void(absl::StatusOr<StoredEvents>)> on_read);

  // Asks an operation to stop. May wait for PostgreSQL.
  absl::Status Cancel(const Operation& operation, const std::string& why);

  // See DatabaseOperations::Drain.
  void Drain(absl::Duration grace);

 private:
  // Null for a database that is not followed.
  DatabaseOperations* Of(absl::string_view database) const;
  std::vector<DatabaseOperations*> Databases(const DatabaseSelection& among = {}) const;

  const OperationSettings settings_;
  std::atomic<int64_t> known_count_ = 0;
  Listeners new_operations_;
  mutable Mutex mutex_;
  // By name; never removed, so pointers stay good.
  std::map<std::string, std::unique_ptr<DatabaseOperations>, std::less<>> databases_
      ABSL_GUARDED_BY(mutex_);
  WorkerPool workers_;  // last: its tasks use everything above
};

}  // namespace migd
