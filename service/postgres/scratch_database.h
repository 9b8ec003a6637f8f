// Scratch databases on PostgreSQL.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "service/base/mutex.h"
#include "service/database/scratch.h"
#include "service/postgres/postgres_database.h"

namespace migd {

// A scratch database whose kind is known.
class PostgresScratch : public Scratch {
 public:
  PostgresDatabase& database() override = 0;
};

// How scratch databases are made.
struct ScratchOptions {
  // Where pg_dump, pg_restore, initdb and postgres are; empty: looked for.
  std::string program_directory;
  // Whom a private cluster runs as, if this process is root's.
  std::string user = "postgres";
};

// Makes scratch databases for a PostgresDatabase.
//
// On the same server, if the role may create databases: a database called
// migd_scratch_<seconds>_<key>. Whoever makes one has an advisory lock with that key for as long as
// it is to live, on a session with the database that it stands for: a scratch database whose lock
// nobody has is a leftover, whoever made it, and is dropped with all sessions in it.
//
// Otherwise, or if what is to run there changes more than a database, in a private cluster of the
// same major version, in a directory migd-scratch-... of the system's place for temporary files.
// Its lock file tells a leftover.
class PostgresScratchSource : public ScratchSource {
 public:
  // `live` must outlive this object and what it makes.
  PostgresScratchSource(PostgresDatabase& live, ScratchOptions options);
  // Ends KeepRemovingLeftovers.
  ~PostgresScratchSource() override;

  void EndBackground() override;

  absl::StatusOr<std::unique_ptr<Scratch>> MakeEmpty(const ScratchNeeds& needs) override;
  absl::StatusOr<std::unique_ptr<Scratch>> CopySchema(const ScratchNeeds& needs) override;
  absl::StatusOr<std::string> DumpSchema() override;

  // As MakeEmpty, without even the schema of the version table: for pg_restore.
  absl::StatusOr<std::unique_ptr<PostgresScratch>> MakeBare();

  // Drops what processes that are gone have left and the role may drop. How many; what cannot be
  // dropped is logged, and left for the next time.
  absl::StatusOr<int> RemoveLeftovers();
  // Does that from now on, on a thread of its own: soon, and then once a minute.
  void KeepRemovingLeftovers();

 private:
  PostgresDatabase& live_;
  const ScratchOptions options_;

  Mutex mutex_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread sweeper_;  // last: runs with everything above in place
};

}  // namespace migd
