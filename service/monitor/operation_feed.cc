#include "service/monitor/operation_feed.h"

#include <set>
#include <utility>

#include "absl/time/time.h"

namespace migd {
namespace {

// What comes in a burst is looked at together.
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(20);

}  // namespace

void OperationFeed::Signal::Set() {
  MutexLock lock(mutex);
  is_set = true;
  changed.NotifyAll();
}

OperationFeed::OperationFeed(OperationManager& operations, Announcements& announcements,
                             std::vector<OperationObserver*> observers)
    : operations_(operations),
      announcements_(announcements),
      observers_(std::move(observers)),
      own_name_(NameOfServer()),
      new_operations_(operations.new_operations().Add([signal = signal_] { signal->Set(); })),
      new_announcements_(announcements.listeners().Add([signal = signal_] { signal->Set(); })),
      announced_(announcements.count()) {
  signal_->Set();
  thread_ = std::thread([this] { Run(); });
}

OperationFeed::~OperationFeed() {
  operations_.new_operations().Remove(new_operations_);
  announcements_.listeners().Remove(new_announcements_);
  {
    MutexLock lock(signal_->mutex);
    signal_->ending = true;
    signal_->changed.NotifyAll();
  }
  thread_.join();
  for (auto& [id, followed] : followed_) followed.operation->listeners().Remove(followed.listener);
}

void OperationFeed::Run() {
  while (AwaitSignal()) Look();
}

bool OperationFeed::AwaitSignal() {
  MutexLock lock(signal_->mutex);
  while (!signal_->is_set && !signal_->ending) signal_->changed.Wait(signal_->mutex);
  if (!signal_->ending) signal_->changed.WaitFor(signal_->mutex, kBetweenLooks);
  signal_->is_set = false;
  return !signal_->ending;
}

void OperationFeed::Look() {
  std::set<std::string> known;
  for (const auto& operation : operations_.Known()) {
    known.insert(operation->id());
    const auto found = followed_.find(operation->id());
    LookAt(found == followed_.end() ? Follow(operation) : found->second);
  }
  for (auto entry = followed_.begin(); entry != followed_.end();) {
    if (known.count(entry->first) > 0) {
      ++entry;
      continue;
    }
    LookAt(entry->second);
    entry->second.operation->listeners().Remove(entry->second.listener);
    entry = followed_.erase(entry);
  }
  while (auto announcement = announcements_.Next({}, announced_)) {
    for (OperationObserver* observer : observers_) observer->Announced(*announcement);
  }
}

OperationFeed::Followed& OperationFeed::Follow(const std::shared_ptr<Operation>& operation) {
  Followed& followed = followed_[operation->id()];
  followed.operation = operation;
  followed.listener = operation->listeners().Add([signal = signal_] { signal->Set(); });
  const migration::v1::Operation now = operation->Snapshot();
  followed.server = now.server();
  // One that begins here is told from its beginning.
  if (now.attempt() <= 1 && now.server() == own_name_) return followed;
  followed.sequence = now.last_sequence();
  for (OperationObserver* observer : observers_) observer->OperationFound(now);
  return followed;
}

void OperationFeed::LookAt(Followed& followed) {
  Operation& operation = *followed.operation;
  while (true) {
    const Operation::Reading reading = operation.ReadAfter(followed.sequence);
    const migration::v1::Operation now = operation.Snapshot();
    if (reading.event == nullptr && !reading.stored) break;
    if (reading.event == nullptr) {
      followed.sequence = now.last_sequence();
      followed.server = now.server();
      for (OperationObserver* observer : observers_) observer->OperationFound(now);
      continue;
    }
    followed.sequence = reading.event->sequence();
    if (reading.event->has_operation_resumed()) {
      followed.server = reading.event->operation_resumed().server();
    }
    Tell(now, *reading.event, followed.server == own_name_);
  }
  const auto progress = operation.progress();
  if (progress == followed.progress) return;
  followed.progress = progress;
  if (progress != nullptr) Tell(operation.Snapshot(), *progress, followed.server == own_name_);
}

void OperationFeed::Tell(const migration::v1::Operation& now,
                         const migration::v1::OperationEvent& event, bool is_own) {
  for (OperationObserver* observer : observers_) observer->OperationHappened(now, event, is_own);
}

}  // namespace migd
