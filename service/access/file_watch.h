// Files that others change while the server runs.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "service/base/mutex.h"

namespace migd {

// Looks at some files again and again, and tells when one of them is another: its contents, its
// mode, the file that a symbolic link leads to, or that it is gone. Thread-safe.
class FileWatch {
 public:
  // How long a change goes unnoticed, at most.
  static constexpr absl::Duration kInterval = absl::Seconds(1);

  // `on_change` is called on the watch's thread. Changes from now on count, of which several can be
  // told as one. Without paths nothing is watched.
  FileWatch(std::vector<std::string> paths, std::function<void()> on_change,
            absl::Duration interval = kInterval);
  // Waits for a call that is under way.
  ~FileWatch();

 private:
  void Run();

  const std::vector<std::string> paths_;
  const std::function<void()> on_change_;
  const absl::Duration interval_;
  Mutex mutex_;
  CondVar stopped_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::string seen_;  // for the thread alone, once it runs
  std::thread thread_;
};

}  // namespace migd
