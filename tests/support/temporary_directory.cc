#include "tests/support/temporary_directory.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace migd {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void Abort(const std::string& problem) {
  std::cerr << "tests: " << problem << std::endl;
  std::abort();
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  const char* base = std::getenv("TMPDIR");
  path_ = (fs::path(base == nullptr ? "/tmp" : base) / "migd-test-XXXXXX").string();
  if (mkdtemp(path_.data()) == nullptr) Abort("cannot make " + path_);
  chmod(path_.c_str(), 0755);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code error;
  fs::remove_all(path_, error);
  if (error) Abort("cannot remove " + path_ + ": " + error.message());
}

std::string TemporaryDirectory::Write(const std::string& name, const std::string& contents) const {
  const fs::path file = fs::path(path_) / name;
  fs::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  out << contents;
  if (!out.flush()) Abort("cannot write " + file.string());
  return file.string();
}

}  // namespace migd
