// The directory of migration files, as it is at each call.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/mutex.h"
#include "service/revision/revision_graph.h"
#include "service/script/directory_watch.h"
#include "service/script/migration_file.h"

namespace migd {

// A consistent reading of a directory: the files and their graph. Immutable, hence thread-safe.
class ScriptSet {
 public:
  // `files` are those of the revisions of `graph`, in any order.
  ScriptSet(RevisionGraph graph, std::vector<std::shared_ptr<const MigrationFile>> files);

  const RevisionGraph& graph() const { return graph_; }
  // The file of a revision of graph().
  const MigrationFile& file(RevisionIndex index) const;
  std::shared_ptr<const MigrationFile> shared_file(RevisionIndex index) const;

 private:
  RevisionGraph graph_;
  std::vector<std::shared_ptr<const MigrationFile>> files_;  // by RevisionIndex
};

// A directory of `*.sql` files (its own, not those of folders below it; files whose names begin
// with a dot are left out). Thread-safe.
class ScriptDirectory {
 public:
  explicit ScriptDirectory(std::string path);

  const std::string& path() const { return path_; }

  // Returns the files as they are now: the same set as the last time if no contents changed. The
  // files are looked at only if the kernel has told of a change in the directory, or cannot tell,
  // and once a minute: somebody may write through a mapping of a file, which is told to nobody. A
  // file is read again only if its size, its times or its inode changed, or if it was changed so
  // shortly before it was last read that its times cannot tell. errors::InvalidMigrations with
  // every problem of every file, and if the files are well-formed with every problem of their
  // graph. errors::MigrationsUnreadable if the directory cannot be read.
  absl::StatusOr<std::shared_ptr<const ScriptSet>> Load();

  // How many there are now; none is opened. errors::MigrationsUnreadable.
  absl::StatusOr<size_t> CountFiles() const;

  // The problems of the files, each by itself, as the last Load() has read them. None also if what
  // it has failed for is how they fit together.
  std::vector<std::string> FileProblems();

 private:
  // What tells that a file is not the one that was read before. The time of the inode's last change
  // is among it since tools that copy a file can set back its modification time.
  struct Fingerprint {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    absl::Time modified;
    absl::Time changed;

    bool operator==(const Fingerprint& other) const = default;
  };

  // A file as it was read.
  struct CachedFile {
    Fingerprint fingerprint;
    // The file may have changed after it was read without a change of its fingerprint.
    bool too_fresh = false;
    // It can be changed by way of another directory: it is a link, or has other names.
    bool has_other_paths = false;
    MigrationFile::ParseResult result;
  };
  using Cache = std::map<std::string, CachedFile>;  // by name, in the order of code points

  // Whether both have the same files, as they were parsed once.
  static bool HaveSameContents(const Cache& a, const Cache& b);

  static std::vector<std::string> ProblemsOf(const Cache& cache);

  // Whether what was read last is still all there is, as far as can be known without a look at each
  // file.
  bool IsUnchanged() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The files as they are now, taken over from `cache` where they did not change.
  absl::StatusOr<Cache> ReadFiles(const Cache& cache) const;
  // False if there is no file of this name, or if it is none that can hold a migration.
  bool ReadFile(const std::string& name, const CachedFile* cached, CachedFile& file) const;

  const std::string path_;
  Mutex mutex_;
  DirectoryWatch watch_ ABSL_GUARDED_BY(mutex_);
  bool has_other_paths_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time looked_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  Cache cache_ ABSL_GUARDED_BY(mutex_);
  // What `cache_` amounts to; null before it is known to be free of problems.
  std::shared_ptr<const ScriptSet> loaded_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace migd
