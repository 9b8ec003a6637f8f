#include "service/execute/lint_gate.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "service/base/errors.h"
#include "service/execute/plan_effects.h"
#include "service/execute/plan_report.h"
#include "service/lint/tree.h"
#include "service/script/statement_reader.h"

namespace migd {
namespace {

using migration::v1::Finding;

// Below it, reading, indexing or writing a table anew takes less time than a query that programs
// wait for anyway.
constexpr int64_t kSmallTable = int64_t{1} << 20;

bool DependsOnSize(const LintFinding& found) {
  return found.harm != LintHarm::kAlways && !found.relation.empty() &&
         found.finding.severity() == migration::v1::SEVERITY_ERROR;
}

// A finding that the size of its relation may mitigate, and under which names the catalogue may
// know that relation.
struct SizedFinding {
  LintFinding* found = nullptr;
  std::vector<std::string> names;
};

// Those of `findings`, which are in the order of `texts`.
std::vector<SizedFinding> SizedFindings(const std::vector<const Section*>& texts,
                                        std::vector<std::vector<LintFinding>>& findings) {
  std::vector<SizedFinding> sized;
  std::vector<SectionRelation> relations;
  for (size_t i = 0; i < findings.size(); ++i) {
    for (LintFinding& found : findings[i]) {
      if (!DependsOnSize(found)) continue;
      const auto name = StatementReader(found.relation).AcceptQualifiedName();
      if (!name) continue;
      relations.push_back({i, found.finding.statement_index(), {name->schema, name->name}});
      sized.push_back({&found, {}});
    }
  }
  // Reading the sections again takes a while.
  if (sized.empty()) return sized;
  const auto meanings = MeaningsIn(texts, relations);
  for (size_t i = 0; i < sized.size(); ++i) {
    for (const CatalogName& name : meanings[i]) {
      sized[i].names.push_back(ObjectName{name.schema, name.name}.Quoted());
    }
  }
  return sized;
}

// Why the harm is none on this database; empty if it is one.
std::string Mitigation(const SizedFinding& sized, const std::map<std::string, TableSize>& sizes) {
  const LintFinding& found = *sized.found;
  const auto known =
      absl::c_find_if(sized.names, [&](const std::string& name) { return sizes.count(name) > 0; });
  if (known == sized.names.end()) return absl::StrCat(found.relation, " does not exist here yet");
  const TableSize& size = sizes.at(*known);
  if (!size.bytes) return "";
  const int64_t bytes = *size.bytes;
  if (bytes == 0) return absl::StrCat(found.relation, " is empty here");
  if (found.harm == LintHarm::kNeedsRows || bytes >= kSmallTable) return "";
  return absl::StrCat(found.relation, " has ", (bytes + 1023) / 1024, " kB here");
}

absl::Status Mitigate(const std::vector<const Section*>& texts, Database& database,
                      std::vector<std::vector<LintFinding>>& findings) {
  const std::vector<SizedFinding> sized = SizedFindings(texts, findings);
  // A plan without such findings asks for nothing.
  if (sized.empty()) return absl::OkStatus();
  std::set<std::string> names;
  for (const SizedFinding& one : sized) names.insert(one.names.begin(), one.names.end());
  const auto sizes = database.ReadTableSizes({names.begin(), names.end()});
  // What cannot be found out is no reason to let anything pass.
  if (!sizes.ok()) return sizes.status();
  for (const SizedFinding& one : sized) {
    const std::string mitigation = Mitigation(one, *sizes);
    if (mitigation.empty()) continue;
    Finding& finding = one.found->finding;
    finding.set_severity(migration::v1::SEVERITY_WARNING);
    finding.set_message(absl::StrCat(finding.message(), " (a warning, as ", mitigation, ")"));
  }
  return absl::OkStatus();
}

// --- Changes of types ---

constexpr char kMayRewrite[] = "type-change-may-rewrite";
constexpr char kNarrows[] = "narrowing-type";

bool IsAboutType(const LintFinding& found) {
  return !found.retyped_column.empty() && !found.finding.is_waived();
}

std::string WorkOf(const TypeChange& change, absl::string_view table) {
  if (change.rewrites) return "writes the table and its indexes anew while nobody can use it";
  std::string work = "keeps the values as they are, but ";
  if (change.checks) absl::StrAppend(&work, "reads all of ", table, " to check its constraints");
  if (change.rebuilds_indexes) {
    absl::StrAppend(&work, change.checks ? ", and " : "", "builds the indexes of the column anew");
  }
  return absl::StrCat(work, " while nobody can use it");
}

// What `found` says about `change`; false if there is nothing to say. `says_narrows` if another
// finding says that values may not fit.
bool Refine(const TypeChange& change, const LintSeverities& severities, bool says_narrows,
            LintFinding& found) {
  const std::string problem = "fails at values that do not fit, or cuts them down";
  const std::string what = absl::StrCat("changing column ", change.column, " of ", found.relation,
                                        " from ", change.from, " to ", change.to, " ");
  Finding& finding = found.finding;
  if (finding.rule() == kNarrows) {
    if (change.narrows.value_or(true)) finding.set_message(what + problem);
    return change.narrows.value_or(true);
  }
  if (!change.rewrites && !change.checks && !change.rebuilds_indexes) return false;
  finding.set_message(
      absl::StrCat(what, WorkOf(change, found.relation),
                   change.narrows.value_or(false) && !says_narrows ? "; and it " + problem : ""));
  // It was a warning because it might not.
  const bool may_grow = finding.rule() == kMayRewrite && severities.count(kMayRewrite) == 0 &&
                        finding.direction() == migration::v1::DIRECTION_UPGRADE;
  if (may_grow) {
    finding.set_severity(std::max(finding.severity(), SeverityOfRule("type-change", severities)));
  }
  return true;
}

std::vector<const Section*> TextsOf(const std::vector<LintedSection>& sections) {
  std::vector<const Section*> texts;
  for (const LintedSection& section : sections) {
    const bool is_down = section.direction == Step::Direction::kDowngrade;
    texts.push_back(is_down ? &section.file->down() : &section.file->up());
  }
  return texts;
}

}  // namespace

absl::Status RefineTypeChanges(const std::vector<LintedSection>& sections,
                               const LintSeverities& severities, Database& database,
                               std::vector<std::vector<LintFinding>>& findings) {
  const bool has_any = absl::c_any_of(
      findings, [](const auto& of_section) { return absl::c_any_of(of_section, IsAboutType); });
  if (!has_any) return absl::OkStatus();
  const auto changes = TypeChangesIn(TextsOf(sections), database);
  if (!changes.ok()) return changes.status();
  for (const auto& [section, statement_index, change] : *changes) {
    const migration::v1::Direction direction = ToProto(sections[section].direction);
    std::vector<LintFinding>& all = findings[section];
    const auto is_it = [&, index = statement_index, &of = change](const LintFinding& found) {
      return IsAboutType(found) && found.finding.direction() == direction &&
             found.finding.statement_index() == index && found.retyped_column == of.column;
    };
    const bool says_narrows = absl::c_any_of(all, [&](const LintFinding& found) {
      return is_it(found) && found.finding.rule() == kNarrows;
    });
    const auto is_settled = [&, &of = change](LintFinding& found) {
      return is_it(found) && !Refine(of, severities, says_narrows, found);
    };
    all.erase(std::remove_if(all.begin(), all.end(), is_settled), all.end());
  }
  return absl::OkStatus();
}

LintOutcome LintSections(const std::vector<LintedSection>& sections,
                         const LintSeverities& severities, Database* database) {
  std::vector<const MigrationFile*> files;
  for (const LintedSection& section : sections) files.push_back(section.file);
  const bool only_up = absl::c_all_of(sections, [](const LintedSection& section) {
    return section.direction == Step::Direction::kUpgrade;
  });
  std::vector<LintReport> reports =
      LintFiles(files, severities, only_up ? LintExtent::kUpSection : LintExtent::kWholeFile);
  std::vector<std::vector<LintFinding>> of_sections(sections.size());
  for (size_t i = 0; i < sections.size(); ++i) {
    for (LintFinding& found : reports[i].findings) {
      const bool runs = found.finding.direction() == ToProto(sections[i].direction);
      if (runs && !found.finding.is_waived()) of_sections[i].push_back(std::move(found));
    }
  }
  LintOutcome outcome;
  if (database != nullptr) {
    outcome.database_error = RefineTypeChanges(sections, severities, *database, of_sections);
  }
  if (database != nullptr && outcome.database_error.ok()) {
    outcome.database_error = Mitigate(TextsOf(sections), *database, of_sections);
  }
  for (std::vector<LintFinding>& of_section : of_sections) {
    for (LintFinding& found : of_section) outcome.findings.push_back(std::move(found.finding));
  }
  return outcome;
}

LintOutcome LintPlan(const ScriptSet& scripts, const Plan& plan, const LintSeverities& severities,
                     Database* database) {
  std::vector<LintedSection> sections;
  for (const Step& step : plan.steps) {
    if (step.direction == Step::Direction::kStamp) continue;
    if (const auto index = scripts.graph().Find(step.revision)) {
      sections.push_back({&scripts.file(*index), step.direction});
    }
  }
  return LintSections(sections, severities, database);
}

absl::Status CheckLintGate(const std::vector<Finding>& findings, migration::v1::LintGate gate) {
  if (gate != migration::v1::LINT_GATE_ERROR) return absl::OkStatus();
  std::vector<Finding> stopped;
  for (const Finding& finding : findings) {
    if (finding.severity() == migration::v1::SEVERITY_ERROR) stopped.push_back(finding);
  }
  return stopped.empty() ? absl::OkStatus() : errors::LintFailed(stopped);
}

absl::Status PassLintGate(const ScriptSet& scripts, const Plan& plan, const ExecuteRequest& request,
                          Database& database, const EventSink& sink) {
  if (request.lint_gate == migration::v1::LINT_GATE_OFF) return absl::OkStatus();
  const LintOutcome outcome = LintPlan(scripts, plan, request.lint_severities, &database);
  const absl::Status status = CheckLintGate(outcome.findings, request.lint_gate);
  // With a database that is gone for a moment nobody knows whether they hurt.
  if (!status.ok() && !outcome.database_error.ok()) return outcome.database_error;
  for (const Finding& finding : outcome.findings) {
    migration::v1::OperationEvent event;
    *event.mutable_lint_finding() = finding;
    sink(std::move(event));
  }
  return status;
}

}  // namespace migd
