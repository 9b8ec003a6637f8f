#include "service/rpc/event_stream.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/rpc/event_cursor.h"
#include "service/rpc/status.h"

namespace migd {
namespace {

using migration::v1::OperationEvent;

MessageStream::MessagePointer HeartbeatOf(const std::string& operation, int64_t sequence) {
  auto message = std::make_shared<OperationEvent>();
  message->set_operation(operation);
  message->set_sequence(sequence);
  *message->mutable_time() = ToProtoTimestamp(absl::Now());
  message->mutable_heartbeat();
  return message;
}

class EventStream : public MessageStream {
 public:
  EventStream(StreamSources& sources, const EventStreamOptions& options)
      : MessageStream(sources.ticker, options.heartbeat_interval, options.terms),
        sources_(sources),
        options_(options),
        snapshot_due_(options.snapshot) {}

  void Start(const OperationSource& source) {
    Begin();
    source(Later<OperationManager::Found>(
        [this](const OperationManager::Found& found) { Open(found); }));
  }

 private:
  void Open(const OperationManager::Found& found) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (!found.ok()) {
      refusal_ = found.status();
      return;
    }
    cursor_.emplace(*found, options_.after_sequence);
    Follow((*found)->listeners(), *found);
  }

  void Advance() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!refusal_.ok()) return End(refusal_);
    if (!cursor_) return;
    const bool was_set_back = options_.snapshot && cursor_->IsAhead();
    if (std::exchange(snapshot_due_, false) || was_set_back) return Write(cursor_->TakeSnapshot());
    if (auto message = cursor_->TakeMessage(options_.batched)) {
      return cursor_->AtEnd() ? WriteLast(std::move(message), FinalStatus())
                              : Write(std::move(message));
    }
    if (cursor_->NeedsPage()) {
      cursor_->Load(
          sources_.operations,
          Later<EventCursor::Page>([this](const EventCursor::Page& page) { AddPage(page); }));
    } else if (cursor_->AtEnd()) {
      End(FinalStatus());
    } else if (sources_.closing) {
      End(errors::Draining());
    }
  }

  void AddPage(const EventCursor::Page& page) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    refusal_ = cursor_->Add(page);
  }

  absl::Status FinalStatus() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return options_.status_of_operation ? cursor_->operation().final_status() : absl::OkStatus();
  }

  MessagePointer Heartbeat() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return cursor_ ? HeartbeatOf(cursor_->operation().id(), cursor_->sequence())
                   : HeartbeatOf("", 0);
  }

  StreamSources& sources_;
  const EventStreamOptions options_;
  bool snapshot_due_ ABSL_GUARDED_BY(mutex_);
  // Why there is nothing more to tell.
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);
  absl::optional<EventCursor> cursor_ ABSL_GUARDED_BY(mutex_);
};

// One cursor for each operation that is not at its end.
class AllEventsStream : public MessageStream {
 public:
  AllEventsStream(StreamSources& sources, DatabaseSelection databases, absl::Time finished_since,
                  absl::Duration heartbeat_interval, bool batched, CallTerms terms)
      : MessageStream(sources.ticker, heartbeat_interval, std::move(terms)),
        sources_(sources),
        databases_(std::move(databases)),
        finished_since_(finished_since),
        batched_(batched),
        announced_(sources.announcements.count()) {}

  void Start() {
    {
      MutexLock lock(mutex_);
      Follow(sources_.operations.new_operations(), nullptr);
      Follow(sources_.announcements.listeners(), nullptr);
    }
    Begin();
    if (finished_since_ == absl::InfiniteFuture()) return;
    sources_.operations.ListLater(
        {"", {State::STATE_SUCCEEDED, State::STATE_FAILED, State::STATE_CANCELLED}, databases_},
        kMostFinished,
        Later<OperationManager::Listed>(
            [this](const OperationManager::Listed& page) { AddFinished(page); }));
  }

 private:
  using State = migration::v1::Operation;

  // So many that have finished are looked through.
  static constexpr int kMostFinished = 1000;

  struct Followed {
    EventCursor cursor;
    bool snapshot_due;
  };

  void Advance() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!finished_.empty()) {
      const MessagePointer message = finished_.front();
      finished_.pop_front();
      return Write(message);
    }
    FindNew();
    // Behind the one that was served last: a busy one does not keep the others from being heard.
    std::vector<std::string> ids;
    for (const auto& [id, followed] : followed_) ids.push_back(id);
    std::rotate(ids.begin(), std::upper_bound(ids.begin(), ids.end(), last_served_), ids.end());
    for (const std::string& id : ids) {
      Followed& followed = followed_.at(id);
      const bool snapshot =
          std::exchange(followed.snapshot_due, false) || followed.cursor.IsAhead();
      auto message =
          snapshot ? followed.cursor.TakeSnapshot() : followed.cursor.TakeMessage(batched_);
      if (message != nullptr) {
        last_served_ = id;
        return Write(std::move(message));
      }
      if (followed.cursor.NeedsPage()) Load(id, followed.cursor);
      if (!followed.cursor.AtEnd()) continue;
      Unfollow(followed.cursor.operation().listeners());
      followed_.erase(id);
    }
    if (auto message = sources_.announcements.Next(databases_, announced_)) {
      return Write(std::move(message));
    }
    if (sources_.closing) End(errors::Draining());
  }

  // Takes up what has come to be known since it was last looked. What is there at the first look is
  // told by a snapshot; what comes later, from its first event on.
  void FindNew() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const int64_t count = sources_.operations.known_count();
    if (count == known_count_) return;
    const bool is_first_look = known_count_ < 0;
    known_count_ = count;
    std::set<std::string> seen;
    for (const auto& operation : sources_.operations.Known(databases_)) {
      seen.insert(operation->id());
      if (seen_.count(operation->id()) > 0) continue;
      const int64_t last_sequence = operation->Snapshot().last_sequence();
      if (is_first_look && operation->finished()) continue;
      followed_.emplace(
          operation->id(),
          Followed{EventCursor(operation, is_first_look ? last_sequence : 0), is_first_look});
      Follow(operation->listeners(), operation);
    }
    seen_ = std::move(seen);
  }

  void Load(const std::string& id, EventCursor& cursor) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    cursor.Load(
        sources_.operations,
        Later<EventCursor::Page>([this, id](const EventCursor::Page& page) { AddPage(id, page); }));
  }

  void AddPage(const std::string& id,
               const EventCursor::Page& page) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const auto found = followed_.find(id);
    if (found == followed_.end() || found->second.cursor.Add(page).ok()) return;
    // What is lost of the way is made up for by where it has led to.
    const auto operation = found->second.cursor.shared_operation();
    found->second = {EventCursor(operation, operation->Snapshot().last_sequence()), true};
  }

  void AddFinished(const OperationManager::Listed& page) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (!page.ok()) return;
    for (auto operation = page->operations.rbegin(); operation != page->operations.rend();
         ++operation) {
      if (FromProtoTimestamp(operation->finish_time()) < finished_since_) continue;
      auto message = std::make_shared<OperationEvent>();
      message->set_operation(operation->operation());
      message->set_sequence(operation->last_sequence());
      *message->mutable_time() = ToProtoTimestamp(absl::Now());
      *message->mutable_operation_snapshot()->mutable_operation() = *operation;
      finished_.push_back(std::move(message));
    }
  }

  MessagePointer Heartbeat() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return HeartbeatOf("", 0);
  }

  StreamSources& sources_;
  const DatabaseSelection databases_;
  const absl::Time finished_since_;
  const bool batched_;
  // How many announcements were told, or made before the stream began.
  int64_t announced_ ABSL_GUARDED_BY(mutex_);
  // As it was at the last look.
  int64_t known_count_ ABSL_GUARDED_BY(mutex_) = -1;
  std::set<std::string> seen_ ABSL_GUARDED_BY(mutex_);
  // Snapshots of those that had finished before the stream began.
  std::deque<MessagePointer> finished_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Followed> followed_ ABSL_GUARDED_BY(mutex_);
  std::string last_served_ ABSL_GUARDED_BY(mutex_);
};

class RefusedStream : public EventReactor {
 public:
  explicit RefusedStream(const absl::Status& status) { Finish(ToGrpcStatus(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

EventReactor* StreamEvents(StreamSources& sources, const OperationSource& source,
                           EventStreamOptions options) {
  auto* stream = new EventStream(sources, options);
  stream->Start(source);
  return stream;
}

EventReactor* StreamAllEvents(StreamSources& sources, const DatabaseSelection& databases,
                              absl::Time finished_since, absl::Duration heartbeat_interval,
                              bool batched, CallTerms terms) {
  auto* stream = new AllEventsStream(sources, databases, finished_since, heartbeat_interval,
                                     batched, std::move(terms));
  stream->Start();
  return stream;
}

EventReactor* RefuseStream(const absl::Status& status) { return new RefusedStream(status); }

}  // namespace migd
