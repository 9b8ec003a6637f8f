#include "client/new_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace migctl {
namespace {

using migration::v1::Error;

Error Failure(const std::string& path, int error, const std::string& hint) {
  Error failure;
  failure.set_code("FAILED_PRECONDITION");
  failure.set_message(absl::StrCat("cannot save ", path, ": ", std::strerror(error)));
  failure.set_hint(hint);
  return failure;
}

bool WriteAll(int file, absl::string_view contents) {
  while (!contents.empty()) {
    const ssize_t written = write(file, contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    contents.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// Writes a temporary file; migd passes over names that begin with a dot. Returns 0 or errno.
int WriteTemporary(std::string& path, absl::string_view contents) {
  const int file = mkostemp(path.data(), O_CLOEXEC);
  if (file < 0) return errno;
  // As an editor would make it: mkostemp lets only the owner read.
  const mode_t mask = umask(0);
  umask(mask);
  int error = 0;
  if (!WriteAll(file, contents) || fchmod(file, 0666 & ~mask) != 0 || fsync(file) != 0) {
    error = errno;
  }
  if (close(file) != 0 && error == 0) error = errno;
  if (error != 0) unlink(path.c_str());
  return error;
}

}  // namespace

std::optional<Error> SaveNewFile(const std::string& directory, const std::string& name,
                                 absl::string_view contents) {
  const std::string path = absl::StrCat(directory, "/", name);
  std::string temporary = absl::StrCat(directory, "/.", name, ".XXXXXX");
  int error = WriteTemporary(temporary, contents);
  if (error == ENOENT) {
    return Failure(path, error, "say where the migrations are with --migrations DIR");
  }
  if (error != 0) return Failure(path, error, "");
  // Unlike rename, link never replaces a file.
  if (link(temporary.c_str(), path.c_str()) != 0) error = errno;
  unlink(temporary.c_str());
  if (error == 0) return std::nullopt;
  return Failure(path, error, error == EEXIST ? "choose another message or revision id" : "");
}

}  // namespace migctl
