// Databases that exist for a moment, to try things in.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "service/base/errors.h"
#include "service/database/database.h"

namespace migd {

// A scratch database. Destroying it removes it; what a crash leaves is removed by the next server
// that makes one.
class Scratch {
 public:
  virtual ~Scratch() = default;

  // What is in it, as the engine sees it: with the version table of the database that it stands
  // for.
  virtual Database& database() = 0;
  // Where it is, in words: "database migd_scratch_... on the same server", "a private cluster".
  virtual std::string description() const = 0;
};

// What is asked of a scratch database by what is to run in it.
struct ScratchNeeds {
  // Why it must have a server of its own, as a clause: "revision 7c20 says CREATE ROLE, which
  // changes the whole server". Empty if it need not.
  std::string own_server;
  // Roles that a server of its own is not to have beforehand: those that are made there.
  std::set<std::string> absent_roles;
};

// Makes scratch databases for one database: on the same server, or, where the role may not create
// databases or a server of its own is needed, in a private cluster of the same version. With the
// encoding and the collation of that database. Thread-safe.
//
// Errors of every function: ScratchUnavailable, and those of Database.
class ScratchSource {
 public:
  virtual ~ScratchSource() = default;

  // Ends what goes on in the background, soon: for many that end together. The default is for what
  // does nothing there.
  virtual void EndBackground() {}

  // An empty one.
  virtual absl::StatusOr<std::unique_ptr<Scratch>> MakeEmpty(const ScratchNeeds& needs) = 0;
  // One with the schema of the database and the rows of its version table, and no other data.
  virtual absl::StatusOr<std::unique_ptr<Scratch>> CopySchema(const ScratchNeeds& needs) = 0;

  // The schema of the database as `pg_dump --schema-only` writes it in plain text, without owners,
  // subscriptions, the version table and the service's own schema. BackupUnavailable without a
  // pg_dump that fits, or if it fails.
  virtual absl::StatusOr<std::string> DumpSchema() {
    return errors::BackupUnavailable("there is no pg_dump here", "");
  }
};

}  // namespace migd
