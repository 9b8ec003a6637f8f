#include "service/postgres/temporary_files.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "service/base/errors.h"

namespace migd {

std::string TemporaryFolder::Parent() {
  std::error_code error;
  const std::string parent = std::filesystem::temp_directory_path(error).string();
  return error ? "/tmp" : parent;
}

absl::StatusOr<std::unique_ptr<TemporaryFolder>> TemporaryFolder::Make(absl::string_view prefix) {
  std::string path = absl::StrCat(Parent(), "/", prefix, "XXXXXX");
  if (mkdtemp(path.data()) == nullptr) {
    return errors::Internal(
        absl::StrCat("cannot make a directory in ", Parent(), ": ", std::strerror(errno)));
  }
  return absl::WrapUnique(new TemporaryFolder(std::move(path)));
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;  // what is left there harms nobody
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace migd
