// Whether the migration files are still those that were applied.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "service/database/database.h"
#include "service/execute/executor.h"
#include "service/plan/plan.h"
#include "service/script/script_directory.h"

namespace migd {

// A file that is not the one that was applied.
struct ChangedFile {
  std::string revision;
  // Relative to the migrations directory.
  std::string path;
  std::string applied_checksum;
  std::string file_checksum;
};

// Those of the revisions at or below `rows`, dependencies included, in the order of an upgrade;
// `checksums` is what Database::ReadChecksums returns. A revision of which no checksum is known has
// not changed. Pure.
std::vector<ChangedFile> FindChangedFiles(const ScriptSet& scripts, const VersionRows& rows,
                                          const std::map<std::string, std::string>& checksums);

// ChecksumMismatch if `changed` has files.
absl::Status CheckUnchanged(const std::vector<ChangedFile>& changed);

// Before the first step of an upgrade: accepts the files that the request names, for good, and
// emits an event for each. ChecksumMismatch if others have changed and the plan has steps;
// InvalidRequest for a name whose file has not changed; the errors of symbols. Nothing is accepted
// then.
absl::Status SettleChecksums(Database& database, Session& session, const ScriptSet& scripts,
                             const Plan& plan, const ExecuteRequest& request,
                             const EventSink& sink);

}  // namespace migd
