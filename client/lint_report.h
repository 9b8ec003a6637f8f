// What lint found, for people and for programs. Pure.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "client/output.h"
#include "migration/v1/migration_service.pb.h"

namespace migctl {

// What lint found in files that are here as well.
struct LintFiles {
  // Where the migration files are, as the user named it.
  std::string directory;
  // Their contents by name, as far as they can be read; only for the lines that are shown.
  std::map<std::string, std::string> contents;
};

// Each finding like a compiler's, and a summary:
//
//     error: building index i keeps every write to orders waiting [index-not-concurrent]
//      --> migrations/7c20_index.sql:7:1
//       |
//     7 | CREATE INDEX i ON orders (day);
//       | ^^^^^^
//     instead: CREATE INDEX CONCURRENTLY in a `transaction:false` section
//
// What is waived is only counted. Everything that comes from the server is escaped.
std::string LintText(const migration::v1::LintResponse& response, const LintFiles& files,
                     const TextSettings& settings);
// "2 errors, 1 warning, 1 waived in 3 revisions".
std::string LintSummary(const migration::v1::LintResponse& response);

// One annotation of GitHub Actions for each finding that is not waived.
std::string LintGitHub(const migration::v1::LintResponse& response, const LintFiles& files);

// SARIF 2.1.0. What is waived is a result that is suppressed in the source.
std::string LintSarif(const migration::v1::LintResponse& response, const LintFiles& files);

// The rules, with their severities.
std::string LintRulesText(const migration::v1::LintResponse& response,
                          const TextSettings& settings);

// The diffs of the proposals, as `git apply` takes them in the directory.
std::string ProposalsText(const migration::v1::LintResponse& response,
                          const TextSettings& settings);

}  // namespace migctl
