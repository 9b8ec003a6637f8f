// Ends calls whose callers would wait for ever.
#pragma once

#include <grpcpp/grpcpp.h>

#include <list>
#include <thread>

#include "absl/time/time.h"
#include "service/base/mutex.h"

namespace migd {

// Gives calls that bring no deadline one. When it has passed, such a call ends for its caller with
// DEADLINE_EXCEEDED; its handler ends when what it waits for does. Thread-safe.
class CallDeadlines {
 public:
  // Calls may take so long.
  explicit CallDeadlines(absl::Duration limit);
  // After the last watch.
  ~CallDeadlines();

  // Watches a call while it lives.
  class Watch {
   public:
    // The context must outlive it. One with a deadline of its own is left alone.
    Watch(CallDeadlines& deadlines, grpc::ServerContextBase& context);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // DEADLINE_EXCEEDED if the call was ended; OK if not.
    grpc::Status status() const;

   private:
    friend class CallDeadlines;

    CallDeadlines& deadlines_;
    grpc::ServerContextBase& context_;
    absl::Time deadline_ = absl::InfiniteFuture();
    // What follows is guarded by the mutex of all.
    bool is_ended_ = false;
    // While it waits for its deadline.
    std::list<Watch*>::iterator place_;
  };

 private:
  void Run();
  grpc::Status Exceeded() const;

  const absl::Duration limit_;
  Mutex mutex_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  // By their deadlines, since all have the same time.
  std::list<Watch*> watches_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: runs with everything above in place
};

}  // namespace migd
