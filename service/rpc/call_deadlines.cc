#include "service/rpc/call_deadlines.h"

#include <grpc/grpc.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace migd {

CallDeadlines::Watch::Watch(CallDeadlines& deadlines, grpc::ServerContextBase& context)
    : deadlines_(deadlines), context_(context) {
  if (context.deadline() != std::chrono::system_clock::time_point::max()) return;
  MutexLock lock(deadlines_.mutex_);
  deadline_ = absl::Now() + deadlines_.limit_;
  place_ = deadlines_.watches_.insert(deadlines_.watches_.end(), this);
  // The thread knows when to look after those before it.
  if (deadlines_.watches_.size() == 1) deadlines_.changed_.NotifyAll();
}

CallDeadlines::Watch::~Watch() {
  if (deadline_ == absl::InfiniteFuture()) return;
  MutexLock lock(deadlines_.mutex_);
  if (!is_ended_) deadlines_.watches_.erase(place_);
}

grpc::Status CallDeadlines::Watch::status() const {
  MutexLock lock(deadlines_.mutex_);
  return is_ended_ ? deadlines_.Exceeded() : grpc::Status::OK;
}

CallDeadlines::CallDeadlines(absl::Duration limit) : limit_(limit), thread_([this] { Run(); }) {}

CallDeadlines::~CallDeadlines() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void CallDeadlines::Run() {
  const grpc::Status status = Exceeded();
  MutexLock lock(mutex_);
  while (!ending_) {
    if (watches_.empty()) {
      changed_.Wait(mutex_);
      continue;
    }
    Watch& first = *watches_.front();
    if (const absl::Time now = absl::Now(); now < first.deadline_) {
      changed_.WaitFor(mutex_, first.deadline_ - now);
      continue;
    }
    watches_.pop_front();
    first.is_ended_ = true;
    // The call is there as long as its watch, which cannot end without the mutex.
    grpc_call_cancel_with_status(first.context_.c_call(), GRPC_STATUS_DEADLINE_EXCEEDED,
                                 status.error_message().c_str(), nullptr);
  }
}

grpc::Status CallDeadlines::Exceeded() const {
  return {grpc::StatusCode::DEADLINE_EXCEEDED,
          absl::StrCat("no answer within ", absl::FormatDuration(limit_),
                       ", the server's limit for calls without a deadline")};
}

}  // namespace migd
