#include "service/execute/lint_gate.h"

#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/errors.h"
#include "service/execute/plan_report.h"

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

// The sizes of the relations on which the findings depend; nothing if there are none, so that a
// plan without such findings asks for nothing.
absl::StatusOr<std::map<std::string, TableSize>> ReadSizes(const std::vector<LintFinding>& findings,
                                                           Database& database) {
  std::set<std::string> names;
  for (const LintFinding& found : findings) {
    if (DependsOnSize(found)) names.insert(found.relation);
  }
  if (names.empty()) return std::map<std::string, TableSize>();
  return database.ReadTableSizes({names.begin(), names.end()});
}

// Why the harm is none on this database; empty if it is one.
std::string Mitigation(const LintFinding& found, const std::map<std::string, TableSize>& sizes) {
  const auto size = sizes.find(found.relation);
  if (size == sizes.end()) return absl::StrCat(found.relation, " does not exist here yet");
  if (!size->second.bytes) return "";
  const int64_t bytes = *size->second.bytes;
  if (bytes == 0) return absl::StrCat(found.relation, " is empty here");
  if (found.harm == LintHarm::kNeedsRows || bytes >= kSmallTable) return "";
  return absl::StrCat(found.relation, " has ", (bytes + 1023) / 1024, " kB here");
}

void Mitigate(std::vector<LintFinding>& findings, Database& database) {
  const auto sizes = ReadSizes(findings, database);
  // What cannot be found out is no reason to let anything pass.
  if (!sizes.ok()) return;
  for (LintFinding& found : findings) {
    if (!DependsOnSize(found)) continue;
    const std::string mitigation = Mitigation(found, *sizes);
    if (mitigation.empty()) continue;
    found.finding.set_severity(migration::v1::SEVERITY_WARNING);
    found.finding.set_message(
        absl::StrCat(found.finding.message(), " (a warning, as ", mitigation, ")"));
  }
}

}  // namespace

std::vector<Finding> LintSections(const std::vector<LintedSection>& sections,
                                  const LintSeverities& severities, Database* database) {
  std::vector<const MigrationFile*> files;
  for (const LintedSection& section : sections) files.push_back(section.file);
  std::vector<LintReport> reports = LintFiles(files, severities);
  std::vector<LintFinding> findings;
  for (size_t i = 0; i < sections.size(); ++i) {
    for (LintFinding& found : reports[i].findings) {
      const bool runs = found.finding.direction() == ToProto(sections[i].direction);
      if (runs && !found.finding.is_waived()) findings.push_back(std::move(found));
    }
  }
  if (database != nullptr) Mitigate(findings, *database);
  std::vector<Finding> plain;
  for (LintFinding& found : findings) plain.push_back(std::move(found.finding));
  return plain;
}

std::vector<Finding> LintPlan(const ScriptSet& scripts, const Plan& plan,
                              const LintSeverities& severities, Database* database) {
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
  const std::vector<Finding> findings = LintPlan(scripts, plan, request.lint_severities, &database);
  for (const Finding& finding : findings) {
    migration::v1::OperationEvent event;
    *event.mutable_lint_finding() = finding;
    sink(std::move(event));
  }
  return CheckLintGate(findings, request.lint_gate);
}

}  // namespace migd
