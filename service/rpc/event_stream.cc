#include "service/rpc/event_stream.h"

#include <utility>

#include "service/base/mutex.h"
#include "service/rpc/status.h"

namespace migd {
namespace {

class EventStream;

// Links an operation's listener with a stream that may be gone.
struct Link {
  Mutex mutex;
  EventStream* stream ABSL_GUARDED_BY(mutex) = nullptr;
};

// Every reaction takes the mutex, so that one happens at a time. Lives until OnDone.
class EventStream : public EventReactor {
 public:
  EventStream(std::shared_ptr<Operation> operation, int64_t after_sequence, StreamEnd end)
      : operation_(std::move(operation)), end_(end), sequence_(after_sequence) {}

  void Start() {
    auto link = std::make_shared<Link>();
    {
      MutexLock lock(link->mutex);
      link->stream = this;
    }
    const int listener = operation_->AddListener([link] {
      MutexLock lock(link->mutex);
      if (link->stream != nullptr) link->stream->Pump();
    });
    MutexLock lock(mutex_);
    link_ = std::move(link);
    listener_ = listener;
    PumpLocked();
  }

  void Pump() {
    MutexLock lock(mutex_);
    PumpLocked();
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    writing_ = nullptr;
    if (!ok) gone_ = true;
    PumpLocked();
  }

  void OnCancel() override {
    MutexLock lock(mutex_);
    gone_ = true;
    PumpLocked();
  }

  void OnDone() override {
    std::shared_ptr<Link> link;
    {
      MutexLock lock(mutex_);
      operation_->RemoveListener(listener_);
      link = link_;
    }
    {
      // A listener that is under way holds this mutex; the next one finds no stream.
      MutexLock lock(link->mutex);
      link->stream = nullptr;
    }
    delete this;
  }

 private:
  // Writes the next event, or ends the stream, if it is time for either.
  void PumpLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ != nullptr || finished_) return;
    if (gone_) {
      End(grpc::Status::CANCELLED);
      return;
    }
    writing_ = operation_->EventAfter(sequence_);
    if (writing_ != nullptr) {
      sequence_ = writing_->sequence();
      StartWrite(writing_.get());
    } else if (operation_->EndsAt(sequence_)) {
      End(end_ == StreamEnd::kOk ? grpc::Status::OK : ToGrpcStatus(operation_->final_status()));
    }
  }

  void End(grpc::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    finished_ = true;
    Finish(std::move(status));
  }

  const std::shared_ptr<Operation> operation_;
  const StreamEnd end_;
  // Taken before an operation's own mutex, and after a link's.
  Mutex mutex_;
  std::shared_ptr<Link> link_ ABSL_GUARDED_BY(mutex_);
  int listener_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t sequence_ ABSL_GUARDED_BY(mutex_);
  // gRPC reads it until OnWriteDone.
  Operation::EventPointer writing_ ABSL_GUARDED_BY(mutex_);
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

class RefusedStream : public EventReactor {
 public:
  explicit RefusedStream(const absl::Status& status) { Finish(ToGrpcStatus(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

EventReactor* StreamEvents(std::shared_ptr<Operation> operation, int64_t after_sequence,
                           StreamEnd end) {
  auto* stream = new EventStream(std::move(operation), after_sequence, end);
  stream->Start();
  return stream;
}

EventReactor* RefuseStream(const absl::Status& status) { return new RefusedStream(status); }

}  // namespace migd
