// What streams of all operations tell beside the operations.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "migration/v1/operation.pb.h"
#include "service/base/listeners.h"
#include "service/base/mutex.h"
#include "service/operation/database_selection.h"

namespace migd {

// The newest announcement about each database. Thread-safe.
class Announcements {
 public:
  using MessagePointer = std::shared_ptr<const migration::v1::OperationEvent>;

  // Tells everybody who listens, from now on.
  void Publish(const std::string& database, migration::v1::OperationEvent event);

  // How many there have been.
  int64_t count() const;
  // The oldest of those kept behind the `seen` first that is about one of some databases; null if
  // there is none. `seen` is moved behind it.
  MessagePointer Next(const DatabaseSelection& about, int64_t& seen) const;

  Listeners& listeners() { return listeners_; }

 private:
  struct Announcement {
    int64_t number = 0;
    MessagePointer message;
  };

  mutable Mutex mutex_;
  int64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Announcement, std::less<>> newest_ ABSL_GUARDED_BY(mutex_);
  Listeners listeners_;
};

}  // namespace migd
