// What a plan does to a database: its statements with their locks, their work, and their losses.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "migration/v1/revision.pb.h"
#include "migration/v1/statement.pb.h"
#include "service/database/catalog_facts.h"
#include "service/database/database.h"
#include "service/execute/type_change.h"
#include "service/plan/plan.h"
#include "service/script/script_directory.h"

namespace migd {

// So many statements of a plan that may matter to others are described, and so many that do not:
// with every INSERT of a large file nobody could read the answer, or receive it.
inline constexpr int kMostNotableStatements = 2000;
inline constexpr int kMostQuietStatements = 500;

// What a plan destroys, in the order of the steps.
struct Destruction {
  std::vector<migration::v1::Loss> losses;
  // The statements of which that is not known.
  std::vector<migration::v1::UnknownStatement> unknown;
  // One of those says DROP, TRUNCATE or DELETE.
  bool unknown_says_so = false;

  // Whether somebody has to agree to it.
  bool IsAny() const { return !losses.empty() || unknown_says_so; }
};

struct PlanEffects {
  Destruction destruction;
  // Why the catalogue could not be asked.
  absl::Status database_error;
};

// Fills in `statements` and `omitted_statement_count` of each step of `described`, which is
// DescribePlan's. Asks the catalogue of `database`, once, without waiting for locks on tables; with
// null, or if it does not answer, what a statement names is taken to be there, its size unknown.
// Reads each statement by PostgreSQL's grammar; costs some threads for the time.
PlanEffects DescribeEffects(const ScriptSet& scripts, const Plan& plan, Database* database,
                            migration::v1::Plan& described);

// Where what is not known is told: beside what somebody has to agree to, or also where there is
// nothing else, which takes a look at the catalogue more often.
enum class TellUnknown { kBesideLosses, kAlways };

// What `plan` destroys of what is in `database`. The errors of Database.
absl::StatusOr<Destruction> DestructionBy(const ScriptSet& scripts, const Plan& plan,
                                          TellUnknown tell, Database& database);

// A change of a column's type by a statement of a list of sections.
struct SectionTypeChange {
  // Which section, from 0, and which statement of it, from 1.
  size_t section = 0;
  int statement_index = 0;
  TypeChange change;
};

// What the statements of `sections`, which run one after the other, do to change the types of
// columns that are in `database`. Asks it once. The errors of Database.
absl::StatusOr<std::vector<SectionTypeChange>> TypeChangesIn(
    const std::vector<const Section*>& sections, Database& database);

// A relation that a statement of a list of sections names.
struct SectionRelation {
  // Which section, from 0, and which statement of it, from 1.
  size_t section = 0;
  int statement_index = 0;
  // As it is written there: without a schema, the search_path finds it.
  CatalogName name;
};

// The names under which the catalogue may know each of `relations` before `sections` run, one after
// the other: what they rename and the search_path that they set are followed. Pure.
std::vector<std::vector<CatalogName>> MeaningsIn(const std::vector<const Section*>& sections,
                                                 const std::vector<SectionRelation>& relations);

}  // namespace migd
