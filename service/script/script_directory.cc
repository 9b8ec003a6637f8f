#include "service/script/script_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/parallel.h"
#include "service/base/utf8.h"

namespace migd {
namespace {

// PostgreSQL takes no statement larger than this, and a file is held in memory whole.
constexpr off_t kMaxFileBytes = off_t{1} << 30;

// The times of a file advance in steps: of the kernel's clock (milliseconds), or of what the file
// system stores (up to two seconds). Two changes within a step look like one.
constexpr absl::Duration kTimestampStep = absl::Seconds(2);

// How long the kernel's word is taken for it that nothing changed.
constexpr absl::Duration kBetweenLooks = absl::Minutes(1);

// Reading fewer files than this takes less time than to begin threads for it.
constexpr size_t kFilesOfThread = 256;

std::string SystemError(int error) { return std::generic_category().message(error); }

MigrationFile::ParseResult ProblemOf(const std::string& name, absl::string_view problem) {
  return {nullptr, {absl::StrCat(name, ":1: ", problem)}};
}

MigrationFile::ParseResult Unreadable(const std::string& name, int error) {
  return ProblemOf(name, absl::StrCat("cannot be read: ", SystemError(error),
                                      "; correct its permissions or remove it"));
}

// Closes a file descriptor at the end of a scope.
class ScopedFd {
 public:
  explicit ScopedFd(int fd) : fd_(fd) {}
  ~ScopedFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  ScopedFd(const ScopedFd&) = delete;
  ScopedFd& operator=(const ScopedFd&) = delete;

  int get() const { return fd_; }

 private:
  const int fd_;
};

// Reads a file up to its end; returns an errno, or 0. EFBIG if it is too large.
int ReadAll(int fd, std::string& contents) {
  struct stat attributes;
  if (::fstat(fd, &attributes) != 0) return errno;
  if (attributes.st_size > kMaxFileBytes) return EFBIG;
  contents.reserve(static_cast<size_t>(attributes.st_size));
  char chunk[size_t{1} << 16];
  while (contents.size() <= static_cast<size_t>(kMaxFileBytes)) {
    const ssize_t count = ::read(fd, chunk, sizeof(chunk));
    if (count == 0) return 0;
    if (count > 0) contents.append(chunk, static_cast<size_t>(count));
    if (count < 0 && errno != EINTR) return errno;
  }
  return EFBIG;
}

bool IsMigrationName(absl::string_view name) {
  return absl::EndsWith(name, ".sql") && !absl::StartsWith(name, ".");
}

// The names of the migration files of a directory.
absl::StatusOr<std::vector<std::string>> ListNames(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(path, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (IsMigrationName(name)) names.push_back(std::move(name));
  }
  if (error) {
    return errors::MigrationsUnreadable(path, error.message());
  }
  return names;
}

// Reads and parses a file; `known` instead, which may be null, if it has the same contents.
MigrationFile::ParseResult ParseFile(const std::string& path, const std::string& name,
                                     std::shared_ptr<const MigrationFile> known) {
  if (FindInvalidUtf8(name).has_value()) {
    return ProblemOf(absl::CEscape(name), "the name is not UTF-8; rename the file");
  }
  // O_NONBLOCK: should a pipe have taken the file's place, opening it must not wait for a writer.
  const ScopedFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return Unreadable(name, errno);
  std::string contents;
  const int error = ReadAll(fd.get(), contents);
  if (error == EFBIG) {
    return ProblemOf(name, "larger than 1 GiB; split it into several revisions");
  }
  if (error != 0) return Unreadable(name, error);
  if (known != nullptr && known->contents() == contents) return {std::move(known), {}};
  return MigrationFile::Parse(name, std::move(contents));
}

}  // namespace

ScriptSet::ScriptSet(RevisionGraph graph, std::vector<std::shared_ptr<const MigrationFile>> files)
    : graph_(std::move(graph)), files_(files.size()) {
  for (std::shared_ptr<const MigrationFile>& file : files) {
    const absl::optional<RevisionIndex> index = graph_.Find(file->revision().id);
    files_[static_cast<size_t>(*index)] = std::move(file);
  }
}

const MigrationFile& ScriptSet::file(RevisionIndex index) const {
  return *files_[static_cast<size_t>(index)];
}

std::shared_ptr<const MigrationFile> ScriptSet::shared_file(RevisionIndex index) const {
  return files_[static_cast<size_t>(index)];
}

ScriptDirectory::ScriptDirectory(std::string path) : path_(std::move(path)), watch_(path_) {}

bool ScriptDirectory::IsUnchanged() {
  // It is asked first, whatever the rest: what happens from now on is told by the next call.
  const bool told = watch_.MayHaveChanged();
  return !told && loaded_ != nullptr && !has_other_paths_ &&
         absl::Now() < looked_at_ + kBetweenLooks;
}

absl::StatusOr<std::shared_ptr<const ScriptSet>> ScriptDirectory::Load() {
  MutexLock lock(mutex_);
  if (IsUnchanged()) return loaded_;
  looked_at_ = absl::Now();
  absl::StatusOr<Cache> read = ReadFiles(cache_);
  if (!read.ok()) return read.status();

  const bool unchanged = loaded_ != nullptr && HaveSameContents(*read, cache_);
  cache_ = *std::move(read);
  has_other_paths_ = std::any_of(cache_.begin(), cache_.end(),
                                 [](const auto& file) { return file.second.has_other_paths; });
  if (unchanged) return loaded_;

  loaded_ = nullptr;
  const std::vector<std::string> problems = ProblemsOf(cache_);
  if (!problems.empty()) return errors::InvalidMigrations(path_, problems);
  std::vector<Revision> revisions;
  std::vector<std::shared_ptr<const MigrationFile>> files;
  for (const auto& [name, file] : cache_) {
    revisions.push_back(file.result.file->revision());
    files.push_back(file.result.file);
  }
  absl::StatusOr<RevisionGraph> graph = RevisionGraph::Create(std::move(revisions), path_);
  if (!graph.ok()) return graph.status();
  loaded_ = std::make_shared<const ScriptSet>(*std::move(graph), std::move(files));
  return loaded_;
}

absl::StatusOr<size_t> ScriptDirectory::CountFiles() const {
  const absl::StatusOr<std::vector<std::string>> names = ListNames(path_);
  if (!names.ok()) return names.status();
  return names->size();
}

std::vector<std::string> ScriptDirectory::FileProblems() {
  MutexLock lock(mutex_);
  return ProblemsOf(cache_);
}

std::vector<std::string> ScriptDirectory::ProblemsOf(const Cache& cache) {
  std::vector<std::string> problems;
  for (const auto& [name, file] : cache) {
    problems.insert(problems.end(), file.result.problems.begin(), file.result.problems.end());
  }
  return problems;
}

bool ScriptDirectory::HaveSameContents(const Cache& a, const Cache& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.result.file == y.second.result.file;
  });
}

absl::StatusOr<ScriptDirectory::Cache> ScriptDirectory::ReadFiles(const Cache& cache) const {
  const absl::StatusOr<std::vector<std::string>> names = ListNames(path_);
  if (!names.ok()) return names.status();
  std::vector<absl::optional<CachedFile>> read(names->size());
  InParallel(names->size(), kFilesOfThread, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const auto cached = cache.find((*names)[i]);
      CachedFile file;
      if (ReadFile((*names)[i], cached == cache.end() ? nullptr : &cached->second, file)) {
        read[i] = std::move(file);
      }
    }
  });
  Cache files;
  for (size_t i = 0; i < names->size(); ++i) {
    if (read[i]) files.emplace((*names)[i], *std::move(read[i]));
  }
  return files;
}

bool ScriptDirectory::ReadFile(const std::string& name, const CachedFile* cached,
                               CachedFile& file) const {
  const absl::Time start = absl::Now();
  const std::string path = absl::StrCat(path_, "/", name);
  struct stat attributes;
  bool found = ::lstat(path.c_str(), &attributes) == 0;
  const bool is_link = found && S_ISLNK(attributes.st_mode);
  if (is_link) found = ::stat(path.c_str(), &attributes) == 0;
  if (!found) {
    const int error = errno;
    const bool gone_since_listed = error == ENOENT && !is_link;
    if (!gone_since_listed) file.result = Unreadable(name, error);
    return !gone_since_listed;
  }
  if (!S_ISREG(attributes.st_mode)) return false;

  file.fingerprint = {attributes.st_dev, attributes.st_ino, attributes.st_size,
                      absl::TimeFromTimespec(attributes.st_mtim),
                      absl::TimeFromTimespec(attributes.st_ctim)};
  if (cached != nullptr && !cached->too_fresh && cached->fingerprint == file.fingerprint) {
    file = *cached;
  } else {
    file.too_fresh = file.fingerprint.changed > start - kTimestampStep;
    file.result = ParseFile(path, name, cached == nullptr ? nullptr : cached->result.file);
  }
  file.has_other_paths = is_link || attributes.st_nlink > 1;
  return true;
}

}  // namespace migd
