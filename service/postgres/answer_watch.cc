#include "service/postgres/answer_watch.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "absl/time/clock.h"

namespace migd {

AnswerWatch::Use::Use(AnswerWatch& watch, int socket, absl::Duration limit)
    : watch_(watch), socket_(fcntl(socket, F_DUPFD_CLOEXEC, 0)), deadline_(absl::Now() + limit) {
  MutexLock lock(watch_.mutex_);
  place_ = watch_.uses_.insert(watch_.uses_.end(), this);
}

AnswerWatch::Use::~Use() {
  MutexLock lock(watch_.mutex_);
  watch_.uses_.erase(place_);
}

AnswerWatch::AnswerWatch(absl::Duration interval)
    : interval_(interval), thread_([this] { Run(); }) {}

AnswerWatch::~AnswerWatch() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void AnswerWatch::Run() {
  MutexLock lock(mutex_);
  // Nobody wakes it for a new use, which would cost each read more than the read may take: it looks
  // soon enough.
  while (!ending_) {
    const absl::Time now = absl::Now();
    for (const Use* use : uses_) {
      if (use->deadline_ <= now) shutdown(use->socket_.get(), SHUT_RDWR);
    }
    changed_.WaitFor(mutex_, interval_);
  }
}

}  // namespace migd
