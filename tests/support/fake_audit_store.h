// An audit in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "service/base/mutex.h"
#include "service/database/audit_store.h"

namespace migd {

// Keeps what is added, and numbers it, unless it is made to fail or to wait. Chains nothing.
class FakeAuditStore : public AuditStore {
 public:
  absl::Status Append(const std::vector<migration::v1::AuditEntry>& entries) override {
    MutexLock lock(mutex_);
    ++attempts_;
    changed_.NotifyAll();
    while (held_) changed_.Wait(mutex_);
    if (!failure_.ok()) return failure_;
    for (const migration::v1::AuditEntry& entry : entries) {
      entries_.push_back(entry);
      entries_.back().set_number(static_cast<int64_t>(entries_.size()));
    }
    changed_.NotifyAll();
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<migration::v1::AuditEntry>> ListNewest(int64_t before_number,
                                                                    absl::string_view,
                                                                    int limit) override {
    std::vector<migration::v1::AuditEntry> newest;
    const std::vector<migration::v1::AuditEntry> all = entries();
    for (auto entry = all.rbegin(); entry != all.rend(); ++entry) {
      const bool fits = newest.size() < static_cast<size_t>(limit);
      if (fits && entry->number() < before_number) newest.push_back(*entry);
    }
    return newest;
  }
  absl::StatusOr<std::vector<migration::v1::AuditEntry>> ListOldest(int64_t after_number,
                                                                    int limit) override {
    std::vector<migration::v1::AuditEntry> oldest;
    for (const migration::v1::AuditEntry& entry : entries()) {
      const bool fits = oldest.size() < static_cast<size_t>(limit);
      if (fits && entry.number() > after_number) oldest.push_back(entry);
    }
    return oldest;
  }

  void FailWith(absl::Status failure) {
    MutexLock lock(mutex_);
    failure_ = std::move(failure);
  }
  // Lets Append wait, or go on.
  void Hold(bool held) {
    MutexLock lock(mutex_);
    held_ = held;
    changed_.NotifyAll();
  }
  void AwaitAttempts(int attempts) {
    MutexLock lock(mutex_);
    while (attempts_ < attempts) changed_.Wait(mutex_);
  }
  std::vector<migration::v1::AuditEntry> AwaitEntries(size_t count) {
    MutexLock lock(mutex_);
    while (entries_.size() < count) changed_.Wait(mutex_);
    return entries_;
  }
  std::vector<migration::v1::AuditEntry> entries() {
    MutexLock lock(mutex_);
    return entries_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  int attempts_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::vector<migration::v1::AuditEntry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace migd
