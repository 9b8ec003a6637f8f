// Directories for what is needed for a moment.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace migd {

// A directory that nobody else can enter, in the system's place for such (TMPDIR). Removed with
// this object, with all that is in it.
class TemporaryFolder {
 public:
  // `prefix` begins its name. INTERNAL if it cannot be made.
  static absl::StatusOr<std::unique_ptr<TemporaryFolder>> Make(absl::string_view prefix);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

  // Where they are made.
  static std::string Parent();

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}

  const std::string path_;
};

}  // namespace migd
