#include "migration_client/event_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace migration_client {
namespace {

using migration::v1::OperationEvent;

// Bounded, since it is added to the time of day.
std::chrono::milliseconds WaitingTime(absl::Duration duration) {
  return absl::ToChronoMilliseconds(std::min(duration, absl::Hours(1)));
}

template <typename Request>
OpenStream OpeningBy(EventStream (Connection::Migrations::*method)(grpc::ClientContext*,
                                                                   const Request&),
                     Request request) {
  request.set_batch_events(true);
  return [method, request = std::move(request)](Connection::Migrations& migrations,
                                                grpc::ClientContext* context) {
    return (migrations.*method)(context, request);
  };
}

}  // namespace

OpenStream Opening(migration::v1::UpgradeRequest request) {
  return OpeningBy(&Connection::Migrations::Upgrade, std::move(request));
}
OpenStream Opening(migration::v1::DowngradeRequest request) {
  return OpeningBy(&Connection::Migrations::Downgrade, std::move(request));
}
OpenStream Opening(migration::v1::StampRequest request) {
  return OpeningBy(&Connection::Migrations::Stamp, std::move(request));
}
OpenStream Opening(migration::v1::WatchOperationRequest request) {
  return OpeningBy(&Connection::Migrations::WatchOperation, std::move(request));
}

EventReader::EventReader(Connection& connection, absl::Duration longest_silence)
    : connection_(connection), longest_silence_(longest_silence), watch_([this] { Watch(); }) {}

EventReader::~EventReader() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    finished_ = true;
    changed_.notify_all();
  }
  watch_.join();
}

grpc::Status EventReader::Read(const OpenStream& open, const Receive& receive) {
  grpc::ClientContext context;
  if (connection_.deadline() != absl::InfiniteFuture()) {
    context.set_deadline(absl::ToChronoTime(connection_.deadline()));
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopped_) return grpc::Status::CANCELLED;
    silent_ = false;
    context_ = &context;
  }
  const EventStream stream = open(connection_.migrations(), &context);
  OperationEvent event;
  bool wanted = true;
  while (wanted && stream->Read(&event)) {
    NoteMessage(event.has_operation_snapshot() || event.has_heartbeat());
    const auto& batch = event.batch().events();
    wanted = event.has_batch() ? std::all_of(batch.begin(), batch.end(), receive) : receive(event);
  }
  if (!wanted) context.TryCancel();
  const grpc::Status status = stream->Finish();

  const std::lock_guard<std::mutex> lock(mutex_);
  context_ = nullptr;
  deadline_ = absl::InfiniteFuture();
  if (!wanted) return grpc::Status::OK;
  if (silent_ && !stopped_) {
    return {grpc::StatusCode::UNAVAILABLE,
            absl::StrCat("nothing has come for ", absl::FormatDuration(longest_silence_))};
  }
  return status;
}

void EventReader::Pause(absl::Duration pause) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, WaitingTime(pause), [this] { return stopped_; });
}

void EventReader::Stop() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopped_ = true;
  if (context_ != nullptr) context_->TryCancel();
  changed_.notify_all();
}

bool EventReader::stopped() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return stopped_;
}

void EventReader::NoteMessage(bool sign_of_life) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!sign_of_life && deadline_ == absl::InfiniteFuture()) return;
  deadline_ = absl::Now() + longest_silence_;
  // The watch looks again when the deadline that it knows has passed.
  if (sign_of_life) changed_.notify_all();
}

void EventReader::Watch() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!finished_) {
    if (context_ != nullptr && absl::Now() >= deadline_) {
      silent_ = true;
      deadline_ = absl::InfiniteFuture();
      context_->TryCancel();
    }
    changed_.wait_for(lock, WaitingTime(deadline_ - absl::Now()));
  }
}

}  // namespace migration_client
