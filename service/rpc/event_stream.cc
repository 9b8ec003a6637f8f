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

// Every reaction takes the link's mutex, so that one happens at a time. Lives until OnDone.
class EventStream : public EventReactor {
 public:
  EventStream(std::shared_ptr<Operation> operation, int64_t after_sequence, StreamEnd end)
      : operation_(std::move(operation)), end_(end), sequence_(after_sequence) {}

  void Start() {
    {
      MutexLock lock(link_->mutex);
      link_->stream = this;
    }
    listener_ = operation_->AddListener([link = link_] {
      MutexLock lock(link->mutex);
      if (link->stream != nullptr) link->stream->Pump();
    });
    MutexLock lock(link_->mutex);
    Pump();
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(link_->mutex);
    writing_ = nullptr;
    if (!ok) gone_ = true;
    Pump();
  }

  void OnCancel() override {
    MutexLock lock(link_->mutex);
    gone_ = true;
    Pump();
  }

  void OnDone() override {
    operation_->RemoveListener(listener_);
    {
      MutexLock lock(link_->mutex);
      link_->stream = nullptr;
    }
    delete this;
  }

 private:
  // Writes the next event, or ends the stream, if it is time for either. The link's mutex is held.
  void Pump() {
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

  void End(grpc::Status status) {
    finished_ = true;
    Finish(std::move(status));
  }

  const std::shared_ptr<Operation> operation_;
  const StreamEnd end_;
  const std::shared_ptr<Link> link_ = std::make_shared<Link>();
  int listener_ = 0;
  int64_t sequence_;
  Operation::EventPointer writing_;  // gRPC reads it until OnWriteDone
  bool gone_ = false;
  bool finished_ = false;
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
