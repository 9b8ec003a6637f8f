// What happens in the operations of this server's databases, for whoever counts it or shows it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "migration/v1/operation.pb.h"
#include "service/base/mutex.h"
#include "service/operation/operation_manager.h"
#include "service/rpc/announcements.h"

namespace migd {

// Is told what streams of events tell to callers: the same events, and no others. Called on one
// thread; what it does holds up neither operations nor streams.
class OperationObserver {
 public:
  virtual ~OperationObserver() = default;

  // Of an operation that stands as `now`, or a little further than at the event. `is_own`: this
  // server ran it when it happened, so of several servers exactly one is told so.
  virtual void OperationHappened(const migration::v1::Operation& now,
                                 const migration::v1::OperationEvent& event, bool is_own) = 0;
  // An operation that has a past when it becomes known: events before are not told.
  virtual void OperationFound(const migration::v1::Operation& now) = 0;
  // What is told of a database beside its operations.
  virtual void Announced(const migration::v1::OperationEvent& event) = 0;
};

// Follows the operations that the manager knows, on a thread of its own. Events that are in memory
// no more when their turn comes are passed over: the observer is told of those that follow.
class OperationFeed {
 public:
  // All must outlive it.
  OperationFeed(OperationManager& operations, Announcements& announcements,
                std::vector<OperationObserver*> observers);
  ~OperationFeed();

 private:
  // Set by listeners, which may be called for a moment after they were removed.
  struct Signal {
    Mutex mutex;
    CondVar changed;
    bool is_set ABSL_GUARDED_BY(mutex) = false;
    bool ending ABSL_GUARDED_BY(mutex) = false;

    void Set();
  };

  struct Followed {
    std::shared_ptr<Operation> operation;
    int64_t sequence = 0;
    // The server that runs it, as its events up to `sequence` tell.
    std::string server;
    Operation::EventPointer progress;
    int listener = 0;
  };

  void Run();
  // False at the end.
  bool AwaitSignal();
  void Look();
  void LookAt(Followed& followed);
  Followed& Follow(const std::shared_ptr<Operation>& operation);
  void Tell(const migration::v1::Operation& now, const migration::v1::OperationEvent& event,
            bool is_own);

  OperationManager& operations_;
  Announcements& announcements_;
  const std::vector<OperationObserver*> observers_;
  const std::string own_name_;
  const std::shared_ptr<Signal> signal_ = std::make_shared<Signal>();
  int new_operations_ = 0;
  int new_announcements_ = 0;

  // Of the thread.
  int64_t announced_ = 0;
  std::map<std::string, Followed> followed_;

  std::thread thread_;  // last: runs with everything above in place
};

}  // namespace migd
