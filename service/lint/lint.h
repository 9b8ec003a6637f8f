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

// What the rules find in both sections of a file, in the order of its lines; what is waived is
// among it. Pure; costs a thread for the time.
std::vector<migration::v1::Finding> LintFile(const MigrationFile& file,
                                             const LintSeverities& severities);

}  // namespace migd
