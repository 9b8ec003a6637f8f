// Finds what blocks or breaks a live system in migration files, by PostgreSQL's own grammar.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "migration/v1/finding.pb.h"
#include "service/script/migration_file.h"

namespace migd {

// The severities of rules that are not those that they have by themselves.
using LintSeverities = std::map<std::string, migration::v1::Severity>;

// Every rule, in the order of their names.
std::vector<migration::v1::LintRule> LintRules(const LintSeverities& severities);
// The severity of the rule of this name, of which there must be one.
migration::v1::Severity SeverityOfRule(const std::string& name, const LintSeverities& severities);
// Whether there is a rule of this name.
bool IsLintRule(const std::string& name);

// On what a finding's harm depends.
enum class LintHarm {
  kAlways,
  // It grows with `relation`.
  kGrowsWithTable,
  // There is none as long as `relation` has no rows.
  kNeedsRows,
};

// A finding with what only the service needs to know of it.
struct LintFinding {
  migration::v1::Finding finding;
  // Where in the statement, in bytes.
  size_t offset = 0;
  LintHarm harm = LintHarm::kAlways;
  // The relation as SQL, with its schema if the statement names one; empty if it is not known.
  std::string relation;
  // The column of `relation` whose type the statement changes: whether that hurts depends on the
  // type that it has. Empty if the finding is not about that.
  std::string retyped_column;
};

// What the rules find in a file.
struct LintReport {
  // In the order of the lines; what is waived is among it.
  std::vector<LintFinding> findings;
  // Statements that the grammar cannot read: nothing is said of them.
  int unknown_statement_count = 0;
};

// What of a file is looked at.
enum class LintExtent {
  kWholeFile,
  // What an upgrade runs into: the findings in the up section.
  kUpSection,
};

// Looks at files, in their order. Pure; costs some threads for the time. Statements of over 128 KB,
// and those that load or read data (INSERT, COPY, SELECT), are passed over.
std::vector<LintReport> LintFiles(const std::vector<const MigrationFile*>& files,
                                  const LintSeverities& severities,
                                  LintExtent extent = LintExtent::kWholeFile);

// The same for one file, without what only the service needs.
std::vector<migration::v1::Finding> LintFile(const MigrationFile& file,
                                             const LintSeverities& severities);

}  // namespace migd
