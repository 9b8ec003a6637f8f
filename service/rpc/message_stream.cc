#include "service/rpc/message_stream.h"

#include <utility>

#include "absl/time/clock.h"
#include "service/rpc/status.h"

namespace migd {

namespace {

constexpr absl::Duration kBetweenChecks = absl::Seconds(1);

}  // namespace

MessageStream::MessageStream(Ticker& ticker, absl::Duration heartbeat_interval, CallTerms terms)
    : ticker_(ticker),
      heartbeat_interval_(heartbeat_interval),
      terms_(std::move(terms)),
      last_write_(absl::Now()),
      last_check_(last_write_) {}

void MessageStream::Begin() {
  {
    MutexLock lock(link_->mutex);
    link_->stream = this;
  }
  MutexLock lock(mutex_);
  Follow(ticker_.listeners(), nullptr);
  Pump();
  // The caller learns that it is followed, though there is nothing to tell yet.
  if (writing_ == nullptr && !ended_) StartSendInitialMetadata();
}

void MessageStream::Follow(Listeners& listeners, std::shared_ptr<void> owner) {
  const int listener = listeners.Add([link = link_] {
    MutexLock lock(link->mutex);
    if (link->stream == nullptr) return;
    MutexLock stream_lock(link->stream->mutex_);
    link->stream->Pump();
  });
  followed_[&listeners] = {listener, std::move(owner)};
}

void MessageStream::Unfollow(Listeners& listeners) {
  const auto found = followed_.find(&listeners);
  if (found == followed_.end()) return;
  listeners.Remove(found->second.first);
  followed_.erase(found);
}

void MessageStream::Pump() {
  if (writing_ != nullptr || ended_) return;
  if (gone_) {
    End(absl::CancelledError());
    return;
  }
  const absl::Status status = CheckTerms();
  if (!status.ok()) return End(status);
  Advance();
  if (writing_ != nullptr || ended_) return;
  if (absl::Now() - last_write_ >= heartbeat_interval_) Write(Heartbeat());
}

absl::Status MessageStream::CheckTerms() {
  const absl::Time now = absl::Now();
  if (terms_.still_admitted == nullptr || now - last_check_ < kBetweenChecks) {
    return absl::OkStatus();
  }
  last_check_ = now;
  return terms_.still_admitted();
}

void MessageStream::Write(MessagePointer message) {
  writing_ = std::move(message);
  StartWrite(writing_.get());
}

void MessageStream::End(const absl::Status& status) {
  ended_ = true;
  Finish(ToGrpcStatus(status));
}

void MessageStream::WriteLast(MessagePointer message, const absl::Status& status) {
  ended_ = true;
  writing_ = std::move(message);
  StartWriteAndFinish(writing_.get(), grpc::WriteOptions(), ToGrpcStatus(status));
}

void MessageStream::OnWriteDone(bool ok) {
  MutexLock lock(mutex_);
  writing_ = nullptr;
  last_write_ = absl::Now();
  if (!ok) gone_ = true;
  Pump();
}

void MessageStream::OnCancel() {
  MutexLock lock(mutex_);
  gone_ = true;
  Pump();
}

void MessageStream::OnDone() {
  {
    MutexLock lock(mutex_);
    for (const auto& [listeners, entry] : followed_) listeners->Remove(entry.first);
  }
  {
    // A listener that is under way holds this mutex; the next one finds no stream.
    MutexLock lock(link_->mutex);
    link_->stream = nullptr;
  }
  delete this;
}

}  // namespace migd
