// What all streams of messages to a caller have in common.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "migration/v1/operation.pb.h"
#include "service/base/listeners.h"
#include "service/base/mutex.h"
#include "service/rpc/call_terms.h"
#include "service/rpc/ticker.h"

namespace migd {

using EventReactor = grpc::ServerWriteReactor<migration::v1::OperationEvent>;

// Writes one message at a time, the next when the caller has taken the one before; a caller that
// takes none holds nothing up and costs no more than that one. A heartbeat when there was nothing
// else for a while. Costs no thread. gRPC owns it: it lives until OnDone.
class MessageStream : public EventReactor {
 public:
  using MessagePointer = std::shared_ptr<const migration::v1::OperationEvent>;

  void OnWriteDone(bool ok) final;
  void OnCancel() final;
  void OnDone() final;

 protected:
  // `heartbeat_interval`: after so long without a message. The ticker must outlive the stream.
  MessageStream(Ticker& ticker, absl::Duration heartbeat_interval, CallTerms terms);
  ~MessageStream() override = default;

  // Says what comes next: calls Write, WriteLast or End, or none of them if there is nothing yet;
  // it is asked again at the next occasion. Not called while a message is being written, nor after
  // the end.
  virtual void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // A message for those who wait.
  virtual MessagePointer Heartbeat() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;

  void Write(MessagePointer message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Both in one, which saves the caller a wait.
  void WriteLast(MessagePointer message, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Begins: must be called once, by what makes the stream.
  void Begin();
  // Asks Advance whenever `listeners` are told something, until Unfollow. `owner` keeps them alive;
  // if it is null, they outlive the stream.
  void Follow(Listeners& listeners, std::shared_ptr<void> owner)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Unfollow(Listeners& listeners) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // A function that does `task` under the mutex and asks Advance, for another thread; it does
  // nothing once the stream is gone.
  template <typename Argument>
  std::function<void(Argument)> Later(std::function<void(Argument)> task) {
    return [link = link_, task = std::move(task)](Argument argument) {
      MutexLock lock(link->mutex);
      if (link->stream == nullptr) return;
      MutexLock stream_lock(link->stream->mutex_);
      task(std::move(argument));
      link->stream->Pump();
    };
  }

  // Every reaction takes it, so that one happens at a time. Taken after that of a link, and before
  // an operation's own.
  Mutex mutex_;

 private:
  // Links a listener with a stream that may be gone.
  struct Link {
    Mutex mutex;
    MessageStream* stream ABSL_GUARDED_BY(mutex) = nullptr;
  };

  // Asks Advance if it is time.
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether the caller may still read, as of a moment ago.
  absl::Status CheckTerms() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Ticker& ticker_;
  const absl::Duration heartbeat_interval_;
  const CallTerms terms_;
  const std::shared_ptr<Link> link_ = std::make_shared<Link>();
  // With the id of this listener, and the owner.
  std::map<Listeners*, std::pair<int, std::shared_ptr<void>>> followed_ ABSL_GUARDED_BY(mutex_);
  // gRPC reads it until OnWriteDone.
  MessagePointer writing_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_write_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_check_ ABSL_GUARDED_BY(mutex_);
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace migd
