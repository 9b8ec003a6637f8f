// Composes the file of a revision that does not exist yet.
#pragma once

#include <string>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/script/script_directory.h"

namespace migd {

// What somebody wants to write.
struct NewRevision {
  // In one line. A merge without one says what it merges.
  std::string message = "";
  // Symbols of what it revises; empty for `head`.
  std::vector<std::string> heads = {};
  // It may revise a revision that is no head.
  bool splice = false;
  // It must revise two or more.
  bool merge = false;
  std::vector<std::string> branch_labels = {};
  // Symbols; labels are kept as they are.
  std::vector<std::string> depends_on = {};
  // Empty for 12 random hex digits, as Alembic makes them.
  std::string id = "";
  // What `-- migrate:up` is to run; empty for nothing.
  std::string up_sql = "";
  // It cannot be downgraded.
  bool irreversible = false;
};

// A composed revision, in the set of files that there is once its file is saved.
struct ComposedRevision {
  ScriptSet scripts;
  RevisionIndex index;
};

// Composes a revision, with sections that run nothing if nothing is wanted of them. The rules are
// those of `alembic revision` and `alembic merge`: `head` must be one, what is no head takes
// `splice`, labels and the id must be free. Fails with InvalidRequest, RevisionExists, LabelExists,
// NotAHead, OverlappingRevisions if it would merge a revision with one below it, InvalidMigrations
// for an `up_sql` that a file cannot hold, and the errors of symbols, which cannot count from the
// rows of a database. Pure but for the random id.
absl::StatusOr<ComposedRevision> ComposeRevision(const ScriptSet& scripts, NewRevision wanted,
                                                 absl::Time now, absl::BitGenRef random);

}  // namespace migd
