#include "client/import/migration_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace migctl {
namespace {

namespace fs = std::filesystem;

absl::Status Failed(absl::string_view path, absl::string_view what, int error) {
  return absl::FailedPreconditionError(
      absl::StrCat(path, " ", what, ": ", std::generic_category().message(error)));
}

// Remembers what was made, and removes it unless it is to be kept.
class Undo {
 public:
  Undo() = default;
  ~Undo() {
    // Newest first: a directory is empty again when its turn comes.
    for (auto path = made_.rbegin(); path != made_.rend(); ++path) {
      std::error_code ignored;
      fs::remove(*path, ignored);
    }
  }
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;

  void Made(fs::path path) { made_.push_back(std::move(path)); }
  void Keep() { made_.clear(); }

 private:
  std::vector<fs::path> made_;
};

// Makes `directory` and the parents that it lacks.
absl::Status MakeDirectory(const fs::path& directory, Undo& undo) {
  std::error_code error;
  if (directory.empty() || fs::is_directory(directory, error)) return absl::OkStatus();
  const absl::Status parent = MakeDirectory(directory.parent_path(), undo);
  if (!parent.ok()) return parent;
  if (::mkdir(directory.c_str(), 0777) != 0) {
    return Failed(directory.string(), "cannot be made", errno);
  }
  undo.Made(directory);
  return absl::OkStatus();
}

// Writes a new file and makes sure that it is on the disk; returns an errno or 0.
int WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno != EINTR) return errno;
    if (count > 0) text.remove_prefix(static_cast<size_t>(count));
  }
  return ::fsync(fd) == 0 ? 0 : errno;
}

absl::Status WriteFile(const fs::path& path, absl::string_view text, Undo& undo) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return Failed(path.string(), "cannot be made", errno);
  undo.Made(path);
  const int error = WriteAll(fd, text);
  const int close_error = ::close(fd) == 0 ? 0 : errno;
  if (error == 0 && close_error == 0) return absl::OkStatus();
  return Failed(path.string(), "cannot be written", error != 0 ? error : close_error);
}

// Gives the file `from` the name `to`, unless there is such a file.
absl::Status Publish(const fs::path& from, const fs::path& to, Undo& undo) {
  int result = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  // A file system that cannot do that may know links, which do not replace a file either.
  if (result != 0 && errno == EINVAL) result = ::link(from.c_str(), to.c_str());
  if (result != 0) return Failed(to.string(), "cannot be made", errno);
  undo.Made(to);
  return absl::OkStatus();
}

absl::Status SyncDirectory(const fs::path& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Failed(directory.string(), "cannot be opened", errno);
  // Some file systems cannot sync a directory, and say so.
  const int error = ::fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
  ::close(fd);
  return error == 0 ? absl::OkStatus() : Failed(directory.string(), "cannot be written", error);
}

fs::path Normal(const std::string& directory) {
  fs::path path = fs::path(directory).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

}  // namespace

absl::Status CheckTarget(const std::string& directory) {
  std::error_code error;
  const fs::path path = Normal(directory);
  if (!fs::exists(path, error) && !error) return absl::OkStatus();
  fs::directory_iterator entry(path, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!absl::EndsWith(name, ".sql")) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(directory, " has migration files already, such as ", name));
  }
  if (error) return Failed(directory, "cannot be read", error.value());
  return absl::OkStatus();
}

absl::Status WriteMigrations(const std::string& directory,
                             const std::vector<NewMigration>& migrations) {
  const fs::path target = Normal(directory);
  Undo made;
  absl::Status status = MakeDirectory(target, made);
  if (!status.ok()) return status;

  // Within the target, on the same file system; hidden, so nothing takes it for migrations.
  std::string temporary = (target / ".import-XXXXXX").string();
  if (::mkdtemp(temporary.data()) == nullptr) return Failed(directory, "cannot be written", errno);
  Undo scratch;
  scratch.Made(temporary);
  for (const NewMigration& migration : migrations) {
    status = WriteFile(fs::path(temporary) / migration.name, migration.text, scratch);
    if (!status.ok()) return status;
  }
  for (const NewMigration& migration : migrations) {
    status = Publish(fs::path(temporary) / migration.name, target / migration.name, made);
    if (!status.ok()) return status;
  }
  status = SyncDirectory(target);
  if (!status.ok()) return status;
  made.Keep();
  return absl::OkStatus();
}

}  // namespace migctl
