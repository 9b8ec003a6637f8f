#include "service/rpc/call_cancellation.h"

#include "absl/time/time.h"

namespace migd {
namespace {

constexpr absl::Duration kInterval = absl::Milliseconds(250);

}  // namespace

CallCancellation::CallCancellation(const grpc::ServerContext& context)
    : context_(context), thread_([this] { Run(); }) {}

CallCancellation::~CallCancellation() {
  {
    MutexLock lock(mutex_);
    finished_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void CallCancellation::Run() {
  MutexLock lock(mutex_);
  while (!finished_) {
    if (context_.IsCancelled()) return cancellation_.Request("the caller is gone");
    changed_.WaitFor(mutex_, kInterval);
  }
}

}  // namespace migd
