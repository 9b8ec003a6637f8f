#include "service/rpc/queries.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "service/base/errors.h"
#include "service/execute/checksums.h"
#include "service/execute/guard.h"
#include "service/execute/lint_gate.h"
#include "service/execute/plan_action.h"
#include "service/execute/plan_effects.h"
#include "service/execute/plan_report.h"
#include "service/execute/run_options.h"
#include "service/revision/symbol.h"
#include "service/revision/symbol_resolution.h"
#include "service/rpc/paging.h"
#include "service/rpc/revision_view.h"
#include "service/script/new_revision.h"

namespace migd {
namespace {

constexpr PageLimits kHistoryPages = {100, 10000};
// A page ends with the revision that makes it as large as this: gRPC takes messages of up to 4 MiB.
constexpr size_t kBytesOfPage = 3 << 20;

using Scripts = std::shared_ptr<const ScriptSet>;
using RepeatedString = google::protobuf::RepeatedPtrField<std::string>;

std::vector<std::string> ToVector(const RepeatedString& strings) {
  return {strings.begin(), strings.end()};
}

// The workspace that a request names, with its files as they are now.
struct Opened {
  Workspace& workspace;
  Scripts scripts;
};

absl::StatusOr<Opened> Open(const Catalog& catalog, const std::string& database) {
  const auto workspace = catalog.Find(database);
  if (!workspace.ok()) return workspace.status();
  auto scripts = (*workspace)->scripts->Load();
  if (!scripts.ok()) return scripts.status();
  return Opened{**workspace, *std::move(scripts)};
}

absl::StatusOr<VersionRows> ReadRows(Workspace& workspace) {
  if (workspace.database == nullptr) return errors::OfflineWithoutRows();
  return workspace.database->ReadRows();
}

void Add(const RevisionGraph& graph, const std::vector<RevisionIndex>& revisions,
         VersionRows& rows) {
  for (const RevisionIndex index : revisions) rows.insert(graph.revision(index).id);
}

// The rows that `from` stands for: revision symbols, or `base` for none.
absl::StatusOr<VersionRows> RowsFrom(const ScriptSet& scripts, const RepeatedString& from) {
  VersionRows rows;
  for (const std::string& symbol : from) {
    const auto parsed = RevisionSymbol::Parse(symbol);
    if (!parsed.ok()) return parsed.status();
    if (parsed->needs_rows()) {
      return errors::InvalidSymbol(symbol, "stands for the rows that it is to replace");
    }
    const auto resolved = ResolveSymbols(scripts.graph(), {}, *parsed);
    if (!resolved.ok()) return resolved.status();
    Add(scripts.graph(), *resolved, rows);
  }
  return rows;
}

// The rows to start from: those that the request gives, else those of the database.
absl::StatusOr<VersionRows> StartingRows(const Opened& opened, const RepeatedString& from) {
  return from.empty() ? ReadRows(opened.workspace) : RowsFrom(*opened.scripts, from);
}

// What is known of the database for a listing that can do without.
struct DatabaseFacts {
  VersionRows rows;
  std::map<std::string, absl::Time> apply_times;
  absl::Status status;
};

DatabaseFacts ReadFacts(Workspace& workspace) {
  DatabaseFacts facts;
  auto rows = ReadRows(workspace);
  facts.status = rows.status();
  if (!rows.ok()) return facts;
  facts.rows = *std::move(rows);
  auto times = workspace.database->ReadApplyTimes();
  facts.status = times.status();
  if (times.ok()) facts.apply_times = *std::move(times);
  return facts;
}

// Whether a range cannot be read without the rows of the version table.
bool NeedsRows(absl::string_view range) {
  const auto parsed = RevisionRange::Parse(range);
  const auto needs_rows = [](const absl::optional<RevisionSymbol>& end) {
    return end && end->needs_rows();
  };
  return parsed.ok() && (needs_rows(parsed->lower) || needs_rows(parsed->upper));
}

// Fills in the revisions that `select` chooses, with what is known of the database.
template <typename Response, typename Select>
absl::Status FillRevisions(const Catalog& catalog, const std::string& database, Select select,
                           Response& response) {
  const auto opened = Open(catalog, database);
  if (!opened.ok()) return opened.status();
  // These lists are about the files; a database that does not answer leaves only marks out.
  const DatabaseFacts facts = ReadFacts(opened->workspace);
  const absl::StatusOr<std::vector<RevisionIndex>> selected =
      select(opened->scripts->graph(), facts);
  if (!selected.ok()) return selected.status();
  const RevisionView view(*opened->scripts, facts.rows, facts.apply_times);
  for (const RevisionIndex index : *selected) *response.add_revisions() = view.Show(index);
  return absl::OkStatus();
}

// Fills in what the statements of a plan do, and what becomes of a call that would run it now.
void AddEffects(const Opened& opened, const Plan& plan, bool is_live,
                migration::v1::Plan& described, migration::v1::PlanResponse& response) {
  const Workspace& workspace = opened.workspace;
  const PlanEffects effects = DescribeEffects(
      *opened.scripts, plan, is_live ? workspace.database.get() : nullptr, described);
  const std::vector<migration::v1::Loss>& losses = effects.destruction.losses;
  response.mutable_losses()->Add(losses.begin(), losses.end());
  if (!effects.database_error.ok()) {
    *response.mutable_database_error() = errors::ToProto(effects.database_error);
  }
  const std::string confirmation = ConfirmationOf(workspace.name, described.plan_hash(), losses);
  const absl::Status refusal = CheckLosses(workspace.name, *workspace.policy(), effects.destruction,
                                           described.plan_hash(), confirmation);
  if (!refusal.ok()) {
    *response.mutable_refusal() = errors::ToProto(refusal);
  } else if (effects.destruction.IsAny()) {
    response.set_confirmation(confirmation);
  }
}

// What lint finds in the plan, and whether it would stop it.
void FillFindings(const Opened& opened, const Plan& plan, bool is_live,
                  migration::v1::PlanResponse& response) {
  const std::shared_ptr<const Policy> policy = opened.workspace.policy();
  if (policy->lint_gate == migration::v1::LINT_GATE_OFF) return;
  const LintOutcome outcome = LintPlan(*opened.scripts, plan, policy->lint_severities,
                                       is_live ? opened.workspace.database.get() : nullptr);
  response.mutable_findings()->Add(outcome.findings.begin(), outcome.findings.end());
  absl::Status status = CheckLintGate(outcome.findings, policy->lint_gate);
  if (!status.ok() && !outcome.database_error.ok()) status = outcome.database_error;
  if (!status.ok() && !response.has_refusal())
    *response.mutable_refusal() = errors::ToProto(status);
}

// Whether the files that were applied are still those that are there, which an upgrade depends on.
absl::Status CheckApplied(const Opened& opened, const Plan& plan) {
  const auto checksums = opened.workspace.database->ReadChecksums();
  if (!checksums.ok()) return checksums.status();
  return CheckUnchanged(FindChangedFiles(*opened.scripts, plan.starting_rows, *checksums));
}

// What a script leads from, and to.
struct ScriptEnds {
  VersionRows rows;
  std::vector<std::string> targets;
};

// The rows of the one revision that a range of a script starts from; `current` may be several.
absl::StatusOr<VersionRows> RowsAt(const Opened& opened, const RevisionSymbol& start) {
  const RevisionGraph& graph = opened.scripts->graph();
  VersionRows rows;
  if (start.needs_rows()) {
    auto read = ReadRows(opened.workspace);
    if (!read.ok()) return read.status();
    rows = *std::move(read);
  }
  const auto resolved = ResolveSymbols(graph, rows, start);
  if (!resolved.ok()) return resolved.status();
  if (resolved->size() > 1 && !start.needs_rows()) {
    return errors::MultipleHeads(start.text, Ids(graph, *resolved));
  }
  rows.clear();
  Add(graph, *resolved, rows);
  return rows;
}

// Takes the ranges among the targets apart.
absl::StatusOr<ScriptEnds> EndsOf(const Opened& opened,
                                  const migration::v1::RenderScriptRequest& request) {
  ScriptEnds ends;
  absl::optional<RevisionSymbol> start;
  for (const std::string& target : request.targets()) {
    if (!absl::StrContains(target, ':')) {
      ends.targets.push_back(target);
      continue;
    }
    const auto range = RevisionRange::Parse(target);
    if (!range.ok()) return range.status();
    if (!range->upper) {
      return errors::InvalidSymbol(target, "says where the script begins, but not where it ends");
    }
    ends.targets.push_back(range->upper->text);
    const auto lower = range->lower ? *range->lower : *RevisionSymbol::Parse("base");
    if (start && start->text != lower.text) {
      return errors::InvalidRequest("targets", absl::StrCat("a script begins at one place, not at ",
                                                            start->text, " and ", lower.text));
    }
    start = lower;
  }
  if (start && !request.from().empty()) {
    return errors::InvalidRequest("from", "the range says already where the script begins");
  }
  auto rows = start ? RowsAt(opened, *start) : StartingRows(opened, request.from());
  if (!rows.ok()) return rows.status();
  ends.rows = *std::move(rows);
  return ends;
}

}  // namespace

absl::Status AnswerHistory(const Catalog& catalog, const migration::v1::HistoryRequest& request,
                           migration::v1::HistoryResponse& response) {
  const auto opened = Open(catalog, request.database());
  if (!opened.ok()) return opened.status();
  DatabaseFacts facts;
  if (request.from().empty()) {
    facts = ReadFacts(opened->workspace);
    if (!facts.status.ok() && NeedsRows(request.range())) return facts.status;
  } else {
    auto rows = RowsFrom(*opened->scripts, request.from());
    if (!rows.ok()) return rows.status();
    facts.rows = *std::move(rows);
  }
  const RevisionGraph& graph = opened->scripts->graph();
  const auto selected = SelectHistory(graph, facts.rows, request.range());
  if (!selected.ok()) return selected.status();

  const std::string fingerprint =
      absl::StrCat(opened->workspace.name, "\n", request.range(), "\n",
                   absl::StrJoin(request.from(), ","), "\n", graph.size());
  auto page = FindPage(selected->size(), request.page_size(), request.page_token(), kHistoryPages,
                       fingerprint);
  if (!page.ok()) return page.status();

  const RevisionView view(*opened->scripts, facts.rows, facts.apply_times);
  size_t bytes = 0;
  for (size_t i = page->begin; i < page->end; ++i) {
    *response.add_revisions() = view.Show((*selected)[i]);
    bytes += response.revisions(response.revisions_size() - 1).ByteSizeLong();
    if (bytes < kBytesOfPage) continue;
    page->CutAt(i + 1, selected->size(), fingerprint);
  }
  response.set_next_page_token(page->next_token);
  if (!facts.status.ok()) *response.mutable_database_error() = errors::ToProto(facts.status);
  response.set_total_count(graph.size());
  response.set_applied_count(view.applied_count());
  response.set_head_count(static_cast<int>(graph.heads().size()));
  response.set_database(opened->workspace.name);
  return absl::OkStatus();
}

absl::Status AnswerCurrent(const Catalog& catalog, const migration::v1::CurrentRequest& request,
                           migration::v1::CurrentResponse& response) {
  const auto opened = Open(catalog, request.database());
  if (!opened.ok()) return opened.status();
  if (opened->workspace.database == nullptr) return errors::Offline();
  const auto dated = opened->workspace.database->ReadDatedRows();
  if (!dated.ok()) return dated.status();
  const RevisionView view(*opened->scripts, dated->rows, dated->apply_times);
  for (const std::string& row : dated->rows) *response.add_revisions() = view.ShowRow(row);
  const std::vector<RevisionIndex> tips = view.implied_tips();
  if (!tips.empty()) {
    const auto apply_times = opened->workspace.database->ReadApplyTimes();
    if (!apply_times.ok()) return apply_times.status();
    const RevisionView with_all(*opened->scripts, dated->rows, *apply_times);
    for (const RevisionIndex tip : tips) *response.add_implied_revisions() = with_all.Show(tip);
  }
  response.set_is_at_heads(view.is_at_heads());
  response.set_database(opened->workspace.name);
  return absl::OkStatus();
}

absl::Status AnswerHeads(const Catalog& catalog, const migration::v1::HeadsRequest& request,
                         migration::v1::HeadsResponse& response) {
  return FillRevisions(
      catalog, request.database(),
      [&request](const RevisionGraph& graph, const DatabaseFacts&) {
        return request.resolve_dependencies() ? graph.effective_heads() : graph.heads();
      },
      response);
}

absl::Status AnswerBranches(const Catalog& catalog, const migration::v1::BranchesRequest& request,
                            migration::v1::BranchesResponse& response) {
  const auto opened = Open(catalog, request.database());
  if (!opened.ok()) return opened.status();
  const DatabaseFacts facts = ReadFacts(opened->workspace);
  const RevisionView view(*opened->scripts, facts.rows, facts.apply_times);
  const RevisionGraph& graph = opened->scripts->graph();
  std::set<RevisionIndex> next;
  for (const RevisionIndex index : graph.newest_first()) {
    const std::vector<RevisionIndex>& children = graph.children(index);
    if (children.size() < 2) continue;
    *response.add_revisions() = view.Show(index);
    next.insert(children.begin(), children.end());
  }
  for (const RevisionIndex index : next) *response.add_next_revisions() = view.Show(index);
  return absl::OkStatus();
}

absl::Status AnswerShow(const Catalog& catalog, const migration::v1::ShowRequest& request,
                        migration::v1::ShowResponse& response) {
  if (request.revision().empty()) {
    return errors::InvalidRequest("revision", "name a revision, such as head or an id");
  }
  return FillRevisions(
      catalog, request.database(),
      [&](const RevisionGraph& graph,
          const DatabaseFacts& facts) -> absl::StatusOr<std::vector<RevisionIndex>> {
        const auto symbol = RevisionSymbol::Parse(request.revision());
        if (!symbol.ok()) return symbol.status();
        if (!facts.status.ok() && symbol->needs_rows()) return facts.status;
        return ResolveSymbols(graph, facts.rows, *symbol);
      },
      response);
}

absl::Status AnswerPlan(const Catalog& catalog, const migration::v1::PlanRequest& request,
                        migration::v1::PlanResponse& response) {
  const std::vector<std::string> targets = ToVector(request.targets());
  const absl::Status valid = CheckTargets(request.action(), targets, request.purge());
  if (!valid.ok()) return valid;
  const auto opened = Open(catalog, request.database());
  if (!opened.ok()) return opened.status();
  const auto rows = StartingRows(*opened, request.from());
  if (!rows.ok()) return rows.status();
  const auto plan = PlanAction(*opened->scripts, *rows, request.action(), targets, request.purge());
  if (!plan.ok()) return plan.status();
  migration::v1::Plan described = DescribePlan(*opened->scripts, *plan);
  // With rows of its own a plan is not about the live database.
  const bool is_live = request.from().empty();
  const bool is_full = request.view() != migration::v1::PLAN_VIEW_STEPS;
  if (is_full) {
    AddEffects(*opened, *plan, is_live, described, response);
    FillFindings(*opened, *plan, is_live, response);
  } else if (opened->workspace.policy()->destructive != DestructivePolicy::kRefuse) {
    response.set_confirmation(PlanConfirmationOf(opened->workspace.name, described.plan_hash()));
  }
  response.mutable_steps()->Swap(described.mutable_steps());
  response.mutable_resulting_revisions()->Swap(described.mutable_resulting_revisions());
  response.mutable_starting_revisions()->Swap(described.mutable_starting_revisions());
  response.set_rows_omitted(described.rows_omitted());
  response.set_plan_hash(described.plan_hash());
  if (is_full && is_live && request.action() == migration::v1::ACTION_UPGRADE &&
      !plan->steps.empty() && !response.has_refusal()) {
    const absl::Status status = CheckApplied(*opened, *plan);
    if (!status.ok()) *response.mutable_refusal() = errors::ToProto(status);
  }
  response.set_database(opened->workspace.name);
  return absl::OkStatus();
}

absl::Status AnswerRenderScript(const Catalog& catalog,
                                const migration::v1::RenderScriptRequest& request,
                                ScriptSink sink) {
  absl::Status status = CheckTargets(request.action(), ToVector(request.targets()), false);
  if (!status.ok()) return status;
  if (request.purge()) {
    return errors::InvalidRequest(
        "purge", "does not go with a script, which must know the rows that it deletes");
  }
  const auto opened = Open(catalog, request.database());
  if (!opened.ok()) return opened.status();
  // Without an action: what is decided is decided of a run that was cut off; a script makes none.
  ExecuteRequest wanted;
  status = ReadRunOptions(request.options(), opened->workspace, wanted);
  if (!status.ok()) return status;
  const auto ends = EndsOf(*opened, request);
  if (!ends.ok()) return ends.status();
  const auto plan =
      PlanAction(*opened->scripts, ends->rows, request.action(), ends->targets, false);
  if (!plan.ok()) return plan.status();
  RenderScript(*opened->scripts, *plan,
               {opened->workspace.name, opened->workspace.version_table, wanted.timeouts}, sink);
  return absl::OkStatus();
}

absl::Status AnswerComposeRevision(const Catalog& catalog,
                                   const migration::v1::ComposeRevisionRequest& request,
                                   migration::v1::ComposeRevisionResponse& response) {
  const auto opened = Open(catalog, request.database());
  if (!opened.ok()) return opened.status();
  NewRevision wanted;
  wanted.message = request.message();
  wanted.heads = ToVector(request.heads());
  wanted.splice = request.splice();
  wanted.merge = request.merge();
  wanted.branch_labels = ToVector(request.branch_labels());
  wanted.depends_on = ToVector(request.depends_on());
  wanted.id = request.revision();
  absl::BitGen random;
  const auto composed = ComposeRevision(*opened->scripts, std::move(wanted), absl::Now(), random);
  if (!composed.ok()) return composed.status();
  *response.mutable_revision() = RevisionView(composed->scripts, {}).Show(composed->index);
  response.set_content(composed->scripts.file(composed->index).contents());
  return absl::OkStatus();
}

}  // namespace migd
