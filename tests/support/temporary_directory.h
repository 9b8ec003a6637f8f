// A directory for one test or one test binary.
#pragma once

#include <string>

namespace migd {

// Made on construction, in a place that every user can reach (PostgreSQL runs as another user when
// tests run as root), and removed with everything in it on destruction. Aborts if that fails.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  // Writes a file into it, making folders as needed; returns the file's path.
  std::string Write(const std::string& name, const std::string& contents) const;

 private:
  std::string path_;
};

}  // namespace migd
