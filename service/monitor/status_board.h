// What the status page shows.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "migration/v1/operation.pb.h"
#include "service/base/mutex.h"
#include "service/monitor/database_probe.h"
#include "service/monitor/operation_feed.h"

namespace migd {

// Two documents in JSON, made of the proto's messages: how the databases stand, with their
// revisions, and what operations do. Thread-safe; whoever reads waits for no database.
class StatusBoard : public OperationObserver {
 public:
  // `server` and `version` are shown as they are.
  StatusBoard(std::string server, std::string version);

  // A document, with a number that is greater after each change.
  struct Document {
    int64_t version = 0;
    std::shared_ptr<const std::string> json;
  };
  Document Databases();
  Document Operations();

  // Waits until one of the documents is newer than these versions, or for `timeout`, or until the
  // board is closed. False if it is.
  bool AwaitNews(int64_t databases, int64_t operations, absl::Duration timeout);
  // Whoever waits, waits no longer.
  void Close();

  void SetDatabase(std::shared_ptr<const DatabaseStatus> status);
  void OperationHappened(const migration::v1::Operation& now,
                         const migration::v1::OperationEvent& event, bool is_own) override;
  void OperationFound(const migration::v1::Operation& now) override;
  void Announced(const migration::v1::OperationEvent& event) override;

 private:
  // An operation that is not finished, and what is in its way.
  struct Running {
    migration::v1::Operation operation;
    migration::v1::LockWait lock_wait;
    migration::v1::WaitingForMutex mutex_wait;
  };

  void Touch(Document& document) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string WriteDatabases() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  std::string WriteOperations() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const std::string server_;
  const std::string version_;
  Mutex mutex_;
  CondVar changed_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, std::shared_ptr<const DatabaseStatus>> databases_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, migration::v1::OperationEvent> drift_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Running> running_ ABSL_GUARDED_BY(mutex_);
  // Finished since the last look at their database.
  std::map<std::string, migration::v1::Operation> finished_ ABSL_GUARDED_BY(mutex_);
  // Without a text after a change, until somebody wants it.
  Document databases_document_ ABSL_GUARDED_BY(mutex_) = {1, nullptr};
  Document operations_document_ ABSL_GUARDED_BY(mutex_) = {1, nullptr};
};

}  // namespace migd
