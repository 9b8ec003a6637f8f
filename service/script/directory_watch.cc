#include "service/script/directory_watch.h"

#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace migd {
namespace {

constexpr uint32_t kChanges = IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB |
                              IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF |
                              IN_ONLYDIR;

// <linux/magic.h> of Debian 12 leaves it out; fs/zfs has it.
constexpr long kZfsMagic = 0x2fc12fc1;

// Whether every change to a file of this file system goes through this kernel. Not so on those of a
// network, and unknown of those that a process serves.
bool IsLocal(const std::string& path) {
  struct statfs attributes;
  if (::statfs(path.c_str(), &attributes) != 0) return false;
  switch (static_cast<long>(attributes.f_type)) {
    case EXT4_SUPER_MAGIC:  // ext2 and ext3, too
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case kZfsMagic:
      return true;
    default:
      return false;
  }
}

}  // namespace

DirectoryWatch::DirectoryWatch(std::string path) : path_(std::move(path)) {}

DirectoryWatch::~DirectoryWatch() { Unwatch(); }

bool DirectoryWatch::MayHaveChanged() {
  if (fd_ < 0) {
    Watch();
    return true;
  }
  if (!TakeEvents() && IsThere()) return false;
  // Always anew: the directory may be gone, and another one in its place with the same inode, which
  // is nobody's watch.
  Unwatch();
  Watch();
  return true;
}

void DirectoryWatch::Watch() {
  struct stat attributes;
  if (!IsLocal(path_) || ::stat(path_.c_str(), &attributes) != 0) return;
  device_ = attributes.st_dev;
  inode_ = attributes.st_ino;
  fd_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd_ < 0) return;
  // Between the two looks at the path it may have come to lead elsewhere.
  if (::inotify_add_watch(fd_, path_.c_str(), kChanges) < 0 || !IsThere()) Unwatch();
}

void DirectoryWatch::Unwatch() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool DirectoryWatch::IsThere() const {
  struct stat attributes;
  return ::stat(path_.c_str(), &attributes) == 0 && attributes.st_dev == device_ &&
         attributes.st_ino == inode_;
}

bool DirectoryWatch::TakeEvents() {
  std::array<char, 16 * 1024> buffer;
  bool told = false;
  // Whatever they say, something happened; also that there were too many to tell. An error that is
  // not "nothing more" leaves it open, which is as much as a change.
  ssize_t count = 0;
  while ((count = ::read(fd_, buffer.data(), buffer.size())) > 0) told = true;
  return told || errno != EAGAIN;
}

}  // namespace migd
