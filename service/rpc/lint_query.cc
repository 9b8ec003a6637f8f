#include "service/rpc/lint_query.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/execute/lint_gate.h"
#include "service/lint/fix.h"
#include "service/lint/lint.h"
#include "service/revision/lineage.h"
#include "service/revision/symbol_resolution.h"

namespace migd {
namespace {

using migration::v1::LintRequest;
using migration::v1::LintResponse;

// Whether a symbol or a range cannot be read without the rows of the version table.
bool NeedsRows(const std::string& text) {
  if (!absl::StrContains(text, ':')) {
    const auto symbol = RevisionSymbol::Parse(text);
    return symbol.ok() && symbol->needs_rows();
  }
  const auto range = RevisionRange::Parse(text);
  const auto needs_rows = [](const absl::optional<RevisionSymbol>& end) {
    return end && end->needs_rows();
  };
  return range.ok() && (needs_rows(range->lower) || needs_rows(range->upper));
}

// Which revisions to look at, and which of them the database has.
class Selection {
 public:
  Selection(const ScriptSet& scripts, Workspace& workspace)
      : graph_(scripts.graph()), selected_(graph_), applied_(graph_) {
    auto rows = workspace.database == nullptr ? absl::StatusOr<VersionRows>(errors::Offline())
                                              : workspace.database->ReadRows();
    rows_status_ = rows.status();
    if (!rows.ok()) return;
    rows_ = *std::move(rows);
    applied_ = AppliedBy(graph_, rows_);
  }

  // The errors of the symbols.
  absl::Status Select(const LintRequest& request) {
    if (request.all() && !request.revisions().empty()) {
      return errors::InvalidRequest("all", "goes without revisions");
    }
    for (const std::string& text : request.revisions()) {
      if (!rows_status_.ok() && NeedsRows(text)) return rows_status_;
      const auto found = absl::StrContains(text, ':') ? SelectHistory(graph_, rows_, text)
                                                      : ResolveSymbols(graph_, rows_, text);
      if (!found.ok()) return found.status();
      for (const RevisionIndex index : *found) selected_.insert(index);
    }
    if (!request.revisions().empty()) return absl::OkStatus();
    for (const RevisionIndex index : graph_.newest_first()) {
      if (request.all() || !applied_.contains(index)) selected_.insert(index);
    }
    return absl::OkStatus();
  }

  // In the order of an upgrade.
  std::vector<RevisionIndex> revisions() const {
    std::vector<RevisionIndex> ordered = Intersection(graph_.newest_first(), selected_);
    std::reverse(ordered.begin(), ordered.end());
    return ordered;
  }
  // All that the database does not have, in the same order.
  std::vector<RevisionIndex> pending() const {
    std::vector<RevisionIndex> pending;
    for (const RevisionIndex index : graph_.newest_first()) {
      if (!applied_.contains(index)) pending.push_back(index);
    }
    std::reverse(pending.begin(), pending.end());
    return pending;
  }
  // None, if the database could not be asked.
  bool is_applied(RevisionIndex index) const { return applied_.contains(index); }
  const absl::Status& rows_status() const { return rows_status_; }

 private:
  const RevisionGraph& graph_;
  VersionRows rows_;
  absl::Status rows_status_;
  RevisionSet selected_;
  RevisionSet applied_;
};

// Tells the changes of types in `reports`, those of the selected revisions, by the types in the
// database. What is applied has made its change already; what is not, and is not selected, comes
// before what is.
absl::Status RefineByTypes(const ScriptSet& scripts, const Selection& selection,
                           const LintSeverities& severities, const Workspace& workspace,
                           std::vector<LintReport>& reports) {
  std::map<RevisionIndex, std::vector<LintFinding>*> of_revision;
  size_t next = 0;
  for (const RevisionIndex index : selection.revisions()) {
    of_revision[index] = &reports[next++].findings;
  }
  const std::vector<RevisionIndex> pending = selection.pending();
  std::vector<LintedSection> sections;
  std::vector<std::vector<LintFinding>> findings;
  for (const RevisionIndex index : pending) {
    sections.push_back({&scripts.file(index)});
    const auto selected = of_revision.find(index);
    findings.push_back(selected == of_revision.end() ? std::vector<LintFinding>()
                                                     : *selected->second);
  }
  const absl::Status status =
      RefineTypeChanges(sections, severities, *workspace.database, findings);
  size_t section = 0;
  for (const RevisionIndex index : pending) {
    const auto selected = of_revision.find(index);
    if (selected != of_revision.end()) *selected->second = std::move(findings[section]);
    ++section;
  }
  return status;
}

void Count(const migration::v1::Finding& finding, LintResponse& response) {
  if (finding.is_waived()) {
    response.set_waived_count(response.waived_count() + 1);
  } else if (finding.severity() == migration::v1::SEVERITY_ERROR) {
    response.set_error_count(response.error_count() + 1);
  } else {
    response.set_warning_count(response.warning_count() + 1);
  }
}

}  // namespace

absl::Status AnswerLint(const Catalog& catalog, const LintRequest& request,
                        LintResponse& response) {
  const auto workspace = catalog.Find(request.database());
  if (!workspace.ok()) return workspace.status();
  const auto scripts = (*workspace)->scripts->Load();
  if (!scripts.ok()) return scripts.status();
  Selection selection(**scripts, **workspace);
  const absl::Status status = selection.Select(request);
  if (!status.ok()) return status;

  const LintSeverities severities = (*workspace)->policy()->lint_severities;
  std::vector<const MigrationFile*> files;
  for (const RevisionIndex index : selection.revisions()) files.push_back(&(*scripts)->file(index));
  std::vector<LintReport> reports = LintFiles(files, severities);
  absl::Status database_error = selection.rows_status();
  if (database_error.ok()) {
    database_error = RefineByTypes(**scripts, selection, severities, **workspace, reports);
  }
  for (LintReport& report : reports) {
    response.set_unknown_statement_count(response.unknown_statement_count() +
                                         report.unknown_statement_count);
    for (LintFinding& found : report.findings) {
      Count(found.finding, response);
      *response.add_findings() = std::move(found.finding);
    }
  }
  response.set_revision_count(static_cast<int>(files.size()));
  for (migration::v1::LintRule& rule : LintRules(severities)) {
    *response.add_rules() = std::move(rule);
  }
  if (request.fix()) {
    std::vector<RevisionIndex> pending = selection.revisions();
    pending.erase(std::remove_if(pending.begin(), pending.end(),
                                 [&](RevisionIndex index) { return selection.is_applied(index); }),
                  pending.end());
    absl::BitGen random;
    for (migration::v1::ProposedFile& proposal :
         ProposeFixes(**scripts, pending, severities, absl::Now(), random)) {
      *response.add_proposals() = std::move(proposal);
    }
  }
  if (!database_error.ok()) *response.mutable_database_error() = errors::ToProto(database_error);
  return absl::OkStatus();
}

}  // namespace migd
