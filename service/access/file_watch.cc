#include "service/access/file_watch.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace migd {
namespace {

// What tells one state of the files from another.
std::string Look(const std::vector<std::string>& paths) {
  std::string seen;
  for (const std::string& path : paths) {
    struct stat about = {};
    if (stat(path.c_str(), &about) != 0) about = {};
    absl::StrAppend(&seen, about.st_dev, ":", about.st_ino, ":", about.st_size, ":");
    absl::StrAppend(&seen, about.st_mtim.tv_sec, ".", about.st_mtim.tv_nsec, ":",
                    about.st_ctim.tv_sec, ".", about.st_ctim.tv_nsec, "\n");
  }
  return seen;
}

}  // namespace

FileWatch::FileWatch(std::vector<std::string> paths, std::function<void()> on_change,
                     absl::Duration interval)
    : paths_(std::move(paths)),
      on_change_(std::move(on_change)),
      interval_(interval),
      seen_(Look(paths_)) {
  if (!paths_.empty()) thread_ = std::thread([this] { Run(); });
}

FileWatch::~FileWatch() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    stopped_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void FileWatch::Run() {
  while (true) {
    {
      MutexLock lock(mutex_);
      const absl::Time next = absl::Now() + interval_;
      while (!stopping_ && absl::Now() < next) stopped_.WaitFor(mutex_, next - absl::Now());
      if (stopping_) return;
    }
    std::string seen = Look(paths_);
    if (seen == seen_) continue;
    // What was looked at before it is read: a change meanwhile is seen the next time.
    seen_ = std::move(seen);
    on_change_();
  }
}

}  // namespace migd
