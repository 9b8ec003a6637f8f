#include "tests/support/fake_operation_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"

namespace migd {

class FakeOperationStore::FakeLedger : public Ledger {
 public:
  FakeLedger(FakeOperationStore& store, int server) : store_(store), server_(server) {
    MutexLock lock(store_.mutex_);
    store_.servers_.insert(server_);
    crashes_ = store_.crashes_;
  }
  ~FakeLedger() override {
    MutexLock lock(store_.mutex_);
    store_.servers_.erase(store_.servers_.find(server_));
  }

  void RehearseEnd() override {}

  absl::StatusOr<bool> Write(const OperationRecord& record, int expected_attempt,
                             const StoredEvents& events, Durability) override {
    MutexLock lock(store_.mutex_);
    if (const absl::Status fault = Fault(); !fault.ok()) return fault;
    if (!events.empty()) ++store_.writes_;
    const bool is_new = store_.entries_.count(record.operation.operation()) == 0;
    Entry& entry = store_.entries_[record.operation.operation()];
    if (is_new) entry.record.number = ++store_.last_number_;
    if (!is_new && (entry.record.operation.attempt() != expected_attempt ||
                    entry.record.operation.has_finish_time())) {
      return false;
    }
    entry.record.operation = record.operation;
    entry.record.server = record.server;
    entry.change_time = absl::Now();
    entry.events.insert(entry.events.end(), events.begin(), events.end());
    for (const auto& event : events) {
      if (event->plan().steps_size() > 0) entry.plan = event->plan();
    }
    return true;
  }

  absl::StatusOr<std::vector<OperationRecord>> Read(int64_t after_number,
                                                    const std::vector<std::string>& ids) override {
    MutexLock lock(store_.mutex_);
    if (const absl::Status fault = Fault(); !fault.ok()) return fault;
    std::vector<OperationRecord> records;
    for (const auto& [id, entry] : store_.entries_) {
      if (!entry.record.operation.has_finish_time() || entry.record.number > after_number ||
          std::count(ids.begin(), ids.end(), id) > 0) {
        records.push_back(store_.ToRecord(entry));
      }
    }
    std::sort(records.begin(), records.end(),
              [](const auto& a, const auto& b) { return a.number < b.number; });
    return records;
  }

  absl::StatusOr<migration::v1::Plan> ReadPlan(absl::string_view operation) override {
    MutexLock lock(store_.mutex_);
    if (const absl::Status fault = Fault(); !fault.ok()) return fault;
    return store_.entries_[std::string(operation)].plan;
  }

  absl::Status Touch(int server) override {
    MutexLock lock(store_.mutex_);
    if (const absl::Status fault = Fault(); !fault.ok()) return fault;
    for (auto& [id, entry] : store_.entries_) {
      if (entry.record.server == server) entry.change_time = absl::Now();
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<int>> ReadLiveServers() override {
    MutexLock lock(store_.mutex_);
    if (const absl::Status fault = Fault(); !fault.ok()) return fault;
    return std::vector<int>(store_.servers_.begin(), store_.servers_.end());
  }

  absl::StatusOr<int64_t> ForgetEvents(absl::string_view operation, int64_t sequence) override {
    MutexLock lock(store_.mutex_);
    if (const absl::Status fault = Fault(); !fault.ok()) return fault;
    StoredEvents& events = store_.entries_[std::string(operation)].events;
    events.erase(
        std::remove_if(events.begin(), events.end(),
                       [sequence](const auto& event) { return event->sequence() <= sequence; }),
        events.end());
    return events.empty() ? sequence + 1 : events.front()->sequence();
  }

  absl::Status ForgetFinished(absl::Duration age) override {
    MutexLock lock(store_.mutex_);
    if (const absl::Status fault = Fault(); !fault.ok()) return fault;
    const absl::Time oldest = absl::Now() - age;
    for (auto entry = store_.entries_.begin(); entry != store_.entries_.end();) {
      const migration::v1::Operation& operation = entry->second.record.operation;
      const bool old =
          operation.has_finish_time() && FromProtoTimestamp(operation.finish_time()) < oldest;
      entry = old ? store_.entries_.erase(entry) : std::next(entry);
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Fault() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(store_.mutex_) {
    if (crashes_ != store_.crashes_) return errors::DatabaseUnavailable("app", "it has crashed");
    return store_.fault_;
  }

  FakeOperationStore& store_;
  const int server_;
  int crashes_ = 0;
};

OperationRecord FakeOperationStore::ToRecord(const Entry& entry) const {
  OperationRecord record = entry.record;
  record.age = absl::Now() - entry.change_time;
  return record;
}

absl::StatusOr<OperationRecord> FakeOperationStore::Insert(const OperationRecord& record,
                                                           const StoredEvents& accepted,
                                                           Durability) {
  MutexLock lock(mutex_);
  if (!fault_.ok()) return fault_;
  const std::string& request_id = record.operation.request_id();
  for (const auto& [id, entry] : entries_) {
    if (!request_id.empty() && entry.record.operation.request_id() == request_id) {
      return ToRecord(entry);
    }
  }
  Entry& entry = entries_[record.operation.operation()];
  entry.record = record;
  entry.record.number = ++last_number_;
  entry.change_time = absl::Now();
  entry.events = accepted;
  return ToRecord(entry);
}

absl::StatusOr<absl::optional<OperationRecord>> FakeOperationStore::FindRequest(
    absl::string_view request_id) {
  MutexLock lock(mutex_);
  if (!fault_.ok()) return fault_;
  for (const auto& [id, entry] : entries_) {
    const bool is_it = !request_id.empty() && entry.record.operation.request_id() == request_id;
    if (is_it) return absl::make_optional(ToRecord(entry));
  }
  return absl::optional<OperationRecord>();
}

absl::StatusOr<std::vector<OperationRecord>> FakeOperationStore::Find(absl::string_view id) {
  MutexLock lock(mutex_);
  if (!fault_.ok()) return fault_;
  std::vector<OperationRecord> found;
  for (const auto& [candidate, entry] : entries_) {
    if (absl::StartsWith(candidate, id)) found.push_back(ToRecord(entry));
    if (candidate == id) return std::vector<OperationRecord>{ToRecord(entry)};
  }
  if (found.size() > 10) found.resize(10);
  return found;
}

absl::StatusOr<std::vector<OperationRecord>> FakeOperationStore::List(
    const std::vector<migration::v1::Operation::State>& states, int64_t before_number, int limit) {
  MutexLock lock(mutex_);
  if (!fault_.ok()) return fault_;
  std::vector<OperationRecord> found;
  for (const auto& [id, entry] : entries_) {
    const auto state = entry.record.operation.state();
    if (entry.record.number < before_number &&
        (states.empty() || std::count(states.begin(), states.end(), state) > 0)) {
      found.push_back(ToRecord(entry));
    }
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.number > b.number; });
  if (found.size() > static_cast<size_t>(limit)) found.resize(static_cast<size_t>(limit));
  return found;
}

absl::StatusOr<StoredEvents> FakeOperationStore::ReadEvents(absl::string_view operation,
                                                            int64_t after_sequence) {
  constexpr size_t kPage = 100;
  MutexLock lock(mutex_);
  if (!fault_.ok()) return fault_;
  StoredEvents events;
  const auto entry = entries_.find(std::string(operation));
  if (entry == entries_.end()) return events;
  for (const auto& event : entry->second.events) {
    if (event->sequence() > after_sequence && events.size() < kPage) events.push_back(event);
  }
  return events;
}

absl::Status FakeOperationStore::RequestCancel(absl::string_view operation, absl::string_view why) {
  MutexLock lock(mutex_);
  if (!fault_.ok()) return fault_;
  const auto entry = entries_.find(std::string(operation));
  if (entry == entries_.end() || entry->second.record.operation.has_finish_time()) {
    return absl::OkStatus();
  }
  std::string& reason = entry->second.record.cancel_reason;
  if (reason.empty()) reason = std::string(why);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Ledger>> FakeOperationStore::OpenLedger(int server) {
  {
    MutexLock lock(mutex_);
    if (!fault_.ok()) return fault_;
  }
  return std::make_unique<FakeLedger>(*this, server);
}

void FakeOperationStore::Fail(absl::Status status) {
  MutexLock lock(mutex_);
  fault_ = std::move(status);
}

void FakeOperationStore::Lose(const std::string& operation, int64_t sequence) {
  MutexLock lock(mutex_);
  ++crashes_;
  Entry& entry = entries_[operation];
  StoredEvents& events = entry.events;
  while (!events.empty() && events.back()->sequence() > sequence) events.pop_back();
  entry.record.operation.set_last_sequence(sequence);
}

int FakeOperationStore::writes() const {
  MutexLock lock(mutex_);
  return writes_;
}

}  // namespace migd
