#include "client/import/peer_directory.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/utf8.h"

namespace migctl {
namespace {

namespace fs = std::filesystem;

absl::Status Unreadable(const std::string& path, const std::error_code& error) {
  return absl::FailedPreconditionError(absl::StrCat(path, " cannot be read: ", error.message()));
}

bool IsRead(const std::string& path) {
  return absl::EndsWith(path, ".sql") || absl::EndsWith(path, ".conf");
}

bool IsHidden(const fs::path& path) { return absl::StartsWith(path.filename().string(), "."); }

// Walks a directory.
class Walker {
 public:
  Walker(const std::string& root, bool recursive) : root_(root), recursive_(recursive) {}

  absl::Status Walk(const fs::path& directory) {
    std::error_code error;
    fs::directory_iterator entry(directory, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      const absl::Status status = Visit(*entry);
      if (!status.ok()) return status;
    }
    return error ? Unreadable(directory.string(), error) : absl::OkStatus();
  }

  std::vector<PeerFile> Files() {
    std::sort(files_.begin(), files_.end(),
              [](const PeerFile& a, const PeerFile& b) { return a.path < b.path; });
    return std::move(files_);
  }

 private:
  absl::Status Visit(const fs::directory_entry& entry) {
    std::error_code error;
    if (IsHidden(entry.path())) return absl::OkStatus();
    if (entry.is_directory(error)) {
      const bool enter = recursive_ && !entry.is_symlink(error);
      return enter ? Walk(entry.path()) : absl::OkStatus();
    }
    if (!entry.is_regular_file(error)) {
      // Without what a symlink that leads nowhere stands for, a migration would be missing.
      const bool is_missing = entry.is_symlink() && IsRead(entry.path().filename().string());
      return is_missing ? Unreadable(entry.path().string(), error) : absl::OkStatus();
    }
    PeerFile file;
    file.path = entry.path().lexically_relative(root_).generic_string();
    if (migd::FindInvalidUtf8(file.path).has_value()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the name of ", absl::CHexEscape(file.path), " is not UTF-8; rename it"));
    }
    if (IsRead(file.path)) {
      absl::StatusOr<std::string> contents = ReadPeerFile(entry.path().string());
      if (!contents.ok()) return contents.status();
      file.contents = *std::move(contents);
    }
    files_.push_back(std::move(file));
    return absl::OkStatus();
  }

  const fs::path root_;
  const bool recursive_;
  std::vector<PeerFile> files_;
};

}  // namespace

absl::StatusOr<std::vector<PeerFile>> ReadPeerDirectory(const std::string& directory,
                                                        bool recursive) {
  Walker walker(directory, recursive);
  const absl::Status status = walker.Walk(directory);
  if (!status.ok()) return status;
  return walker.Files();
}

absl::StatusOr<std::string> ReadPeerFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream contents;
  // An empty file leaves nothing to insert, which is a failure of `contents` alone.
  if (file) contents << file.rdbuf();
  if (file && !file.bad()) return contents.str();
  return Unreadable(path, std::error_code(errno, std::generic_category()));
}

std::vector<size_t> FindSkipped(const std::string& directory, const std::vector<std::string>& skip,
                                const std::vector<std::string>& paths,
                                std::vector<ImportProblem>& problems) {
  std::set<size_t> skipped;
  for (const std::string& name : skip) {
    const fs::path given = fs::path(name).lexically_normal();
    const fs::path below = given.lexically_relative(fs::path(directory).lexically_normal());
    std::vector<size_t> found;
    for (size_t i = 0; i < paths.size(); ++i) {
      const fs::path path = paths[i];
      if (path == given || path == below || path.filename() == given) found.push_back(i);
    }
    if (found.size() == 1) {
      skipped.insert(found[0]);
    } else {
      problems.push_back({"", 0,
                          absl::StrCat("--skip ", name, ": there is ",
                                       found.empty() ? "no such file" : "more than one such file",
                                       " in ", directory)});
    }
  }
  return {skipped.begin(), skipped.end()};
}

}  // namespace migctl
