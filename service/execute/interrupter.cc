#include "service/execute/interrupter.h"

namespace migd {
namespace {

// How often a running statement is told to end.
constexpr absl::Duration kRepeat = absl::Milliseconds(100);

}  // namespace

Interrupter::Interrupter(Session& session, Cancellation& cancellation)
    : session_(session), cancellation_(cancellation), thread_([this] { Run(); }) {
  cancellation_.SetListener([this] {
    MutexLock lock(mutex_);
    requested_ = true;
    changed_.NotifyAll();
  });
}

Interrupter::~Interrupter() {
  cancellation_.SetListener(nullptr);
  {
    MutexLock lock(mutex_);
    finished_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void Interrupter::Run() {
  MutexLock lock(mutex_);
  while (!finished_) {
    if (!requested_ || holds_ > 0) {
      changed_.Wait(mutex_);
      continue;
    }
    // Under the mutex: a Hold that has begun must not be met by a request still on its way, unless
    // the server takes longer to accept it than a session waits.
    session_.Cancel();
    changed_.WaitFor(mutex_, kRepeat);
  }
}

void Interrupter::ChangeHolds(int change) {
  MutexLock lock(mutex_);
  holds_ += change;
  // Nobody waits for it otherwise, and steps are many.
  if (requested_) changed_.NotifyAll();
}

}  // namespace migd
