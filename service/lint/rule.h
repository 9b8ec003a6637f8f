// What a rule of lint is, and what it looks at.
#pragma once

#include <pg_query/pg_query.pb-c.h>

#include <string>
#include <vector>

#include "migration/v1/finding.pb.h"
#include "service/lint/section_state.h"
#include "service/lint/statement_view.h"

namespace migd {

// On what it depends whether a finding of a rule hurts.
enum class Harm {
  // Always.
  kAlways,
  // The harm grows with a table: nobody notices it on a small one.
  kGrowsWithTable,
  // Only a table that has rows.
  kNeedsRows,
};

// What becomes of a rule in a `-- migrate:down` section, which is run rarely, and undoes what the
// other section did.
enum class InDown {
  // It is not looked at.
  kIgnored,
  // It is a warning at most.
  kWarning,
  // It is as serious: the section fails.
  kSame,
};

// One place where a rule does not hold.
struct Hit {
  // Where in the statement, in bytes.
  size_t offset = 0;
  // What is wrong, naming the thing, and what it does to a live database.
  std::string message;
  // What to write instead, where that of the rule does not fit.
  std::string suggestion = "";
  // The relation on whose size the harm depends; empty if it is not known.
  ObjectName relation = {};
  // The column whose type the statement changes, if the finding is about that.
  std::string column = "";
};

using Hits = std::vector<Hit>;

// A rule. `check` is pure: it looks at one statement, and at what those before it have done, and
// adds what it finds.
struct Rule {
  const char* name;
  migration::v1::Severity severity;
  Harm harm;
  InDown in_down;
  // What it finds, and why that hurts: the fact of PostgreSQL that is behind it.
  const char* description;
  // What to write instead.
  const char* instead;
  void (*check)(const StatementView& statement, const SectionState& section, Hits& hits);
};

inline constexpr migration::v1::Severity kError = migration::v1::SEVERITY_ERROR;
inline constexpr migration::v1::Severity kWarning = migration::v1::SEVERITY_WARNING;
inline constexpr migration::v1::Severity kOff = migration::v1::SEVERITY_OFF;

// The families.
std::vector<Rule> IndexRules();
std::vector<Rule> ConstraintRules();
std::vector<Rule> ColumnRules();
std::vector<Rule> TypeRules();
std::vector<Rule> RenameRules();
std::vector<Rule> DropRules();
std::vector<Rule> TableRules();
std::vector<Rule> TransactionRules();
std::vector<Rule> DataRules();
// About a section or a file, not a statement; without `check`.
std::vector<Rule> FileRules();

// All of them, in the order of their names.
const std::vector<Rule>& AllRules();

}  // namespace migd
