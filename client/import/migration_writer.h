// Writes the migration files that an import makes: all of them or none.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/import/translation.h"

namespace migctl {

// An error in words if files cannot be written to `directory`: if it has *.sql files already, whose
// revisions would stand beside the new ones, or is no directory. One that does not exist is fine.
absl::Status CheckTarget(const std::string& directory);

// Writes `migrations` into `directory`, which is made with its parents if it does not exist. They
// are written to a temporary directory beside it first, so that a full disk is noticed before
// anything is in its place. A file that is there is never replaced. On failure everything that was
// made is removed again, and the error says in words what failed.
absl::Status WriteMigrations(const std::string& directory,
                             const std::vector<NewMigration>& migrations);

}  // namespace migctl
