// Whether a directory may have changed, as the kernel tells it.
#pragma once

#include <string>

namespace migd {

// Asks Linux to tell of each change in a directory (inotify), so that files that did not change
// need not be looked at. Not thread-safe.
class DirectoryWatch {
 public:
  explicit DirectoryWatch(std::string path);
  ~DirectoryWatch();
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

  // False if it is certain that since the last call no file of the directory was made, removed,
  // renamed, or written by write(2), and that the path leads to the same directory. True the first
  // time, and whenever that is not known: without inotify, and on file systems that others change
  // without this kernel. What is written by way of another directory, through a symbolic or hard
  // link, is not noticed.
  bool MayHaveChanged();

 private:
  // Begins to watch what the path leads to now.
  void Watch();
  void Unwatch();
  // Whether the path leads to the directory that is watched.
  bool IsThere() const;
  // Takes what the kernel has told. False if it told nothing.
  bool TakeEvents();

  const std::string path_;
  int fd_ = -1;  // of inotify; -1 if nothing is watched
  unsigned long long device_ = 0;
  unsigned long long inode_ = 0;
};

}  // namespace migd
