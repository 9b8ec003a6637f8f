#include "service/rpc/ticker.h"

namespace migd {

Ticker::Ticker() : thread_([this] { Run(); }) {}

Ticker::~Ticker() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void Ticker::Run() {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (!ending_) changed_.WaitFor(mutex_, kInterval);
      if (ending_) return;
    }
    listeners_.Notify();
  }
}

}  // namespace migd
