// Tells a call that works for long that nobody waits for its answer any more.
#pragma once

#include <grpcpp/grpcpp.h>

#include <thread>

#include "service/base/mutex.h"
#include "service/execute/cancellation.h"

namespace migd {

// While it lives, a caller that goes away, and a server that ends its calls, request the
// cancellation. Looks four times a second, on a thread of its own: calls of this kind are few.
class CallCancellation {
 public:
  // The context must outlive it.
  explicit CallCancellation(const grpc::ServerContext& context);
  ~CallCancellation();

  Cancellation& cancellation() { return cancellation_; }

 private:
  void Run();

  const grpc::ServerContext& context_;
  Cancellation cancellation_;
  Mutex mutex_;
  CondVar changed_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: runs with everything above in place
};

}  // namespace migd
