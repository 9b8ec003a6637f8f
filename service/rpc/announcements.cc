#include "service/rpc/announcements.h"

#include <utility>

#include "absl/time/clock.h"
#include "service/base/proto_time.h"

namespace migd {

void Announcements::Publish(const std::string& database, migration::v1::OperationEvent event) {
  *event.mutable_time() = ToProtoTimestamp(absl::Now());
  {
    MutexLock lock(mutex_);
    newest_[database] = {++count_,
                         std::make_shared<const migration::v1::OperationEvent>(std::move(event))};
  }
  listeners_.Notify();
}

int64_t Announcements::count() const {
  MutexLock lock(mutex_);
  return count_;
}

Announcements::MessagePointer Announcements::Next(const DatabaseSelection& about,
                                                  int64_t& seen) const {
  MutexLock lock(mutex_);
  const Announcement* next = nullptr;
  for (const auto& [name, announcement] : newest_) {
    if (!about.Has(name)) continue;
    if (announcement.number <= seen) continue;
    if (next == nullptr || announcement.number < next->number) next = &announcement;
  }
  seen = next == nullptr ? count_ : next->number;
  return next == nullptr ? nullptr : next->message;
}

}  // namespace migd
