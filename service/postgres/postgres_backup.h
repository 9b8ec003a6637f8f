// Backups by pg_dump.
#pragma once

#include <string>

#include "service/database/backup.h"
#include "service/postgres/postgres_database.h"
#include "service/postgres/scratch_database.h"

namespace migd {

// Where backups go, and how many stay.
struct BackupOptions {
  // Made if it is missing, for this user alone; empty: there are no backups.
  std::string directory;
  // So many of the newest backups of the database are kept there.
  int keep = 10;
  // Where pg_dump and pg_restore are; empty: looked for.
  std::string program_directory;
  // Who makes them: the host's name and this process's id.
  std::string server;
};

// Writes <database>-<time>-<operation>.dump, in pg_dump's custom format, and its SHA-256 beside it
// in a file of that name with .sha256. While it is written and verified it is called .partial, and
// locked (flock): one that nobody has locked was left by a process that is gone, and is removed by
// the next backup. pg_dump ends with this process.
class PostgresBackupMaker : public BackupMaker {
 public:
  // `live` and `scratch` must outlive it.
  PostgresBackupMaker(PostgresDatabase& live, PostgresScratchSource& scratch,
                      BackupOptions options);

  absl::StatusOr<migration::v1::Backup> Make(const std::string& operation,
                                             migration::v1::BackupVerification verification,
                                             const Tick& tick, const Sink& sink) override;

 private:
  PostgresDatabase& live_;
  PostgresScratchSource& scratch_;
  const BackupOptions options_;
};

}  // namespace migd
