#include "service/rpc/queries.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/optional.h"
#include "service/base/errors.h"
#include "service/execute/plan_action.h"
#include "service/execute/plan_report.h"
#include "service/revision/symbol.h"
#include "service/revision/symbol_resolution.h"
#include "service/rpc/paging.h"
#include "service/rpc/revision_view.h"

namespace migd {
namespace {

constexpr PageLimits kHistoryPages = {100, 10000};

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
  if (workspace.database == nullptr) return errors::Offline();
  return workspace.database->ReadRows();
}

// The rows that `from` stands for: revision symbols, or `base` for none.
absl::StatusOr<VersionRows> RowsFrom(const ScriptSet& scripts, const RepeatedString& from) {
  VersionRows rows;
  for (const std::string& symbol : from) {
    const auto resolved = ResolveSymbols(scripts.graph(), {}, symbol);
    if (!resolved.ok()) return resolved.status();
    for (const RevisionIndex index : *resolved) rows.insert(scripts.graph().revision(index).id);
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

bool NeedsRows(const absl::optional<RevisionSymbol>& symbol) {
  return symbol && (symbol->start == RevisionSymbol::Start::kCurrent || symbol->counts_from_rows());
}

// Whether a range cannot be read without the rows of the version table.
bool NeedsRows(absl::string_view range) {
  const auto parsed = RevisionRange::Parse(range);
  return parsed.ok() && (NeedsRows(parsed->lower) || NeedsRows(parsed->upper));
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
  const auto page = FindPage(selected->size(), request.page_size(), request.page_token(),
                             kHistoryPages, fingerprint);
  if (!page.ok()) return page.status();

  const RevisionView view(*opened->scripts, facts.rows, facts.apply_times);
  for (size_t i = page->begin; i < page->end; ++i) {
    *response.add_revisions() = view.Show((*selected)[i]);
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
  const auto rows = ReadRows(opened->workspace);
  if (!rows.ok()) return rows.status();
  const auto apply_times = opened->workspace.database->ReadApplyTimes();
  if (!apply_times.ok()) return apply_times.status();
  const RevisionView view(*opened->scripts, *rows, *apply_times);
  for (const std::string& row : *rows) *response.add_revisions() = view.ShowRow(row);
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
  return FillRevisions(
      catalog, request.database(),
      [](const RevisionGraph& graph, const DatabaseFacts&) {
        std::vector<RevisionIndex> branch_points;
        for (const RevisionIndex index : graph.newest_first()) {
          if (graph.children(index).size() > 1) branch_points.push_back(index);
        }
        return branch_points;
      },
      response);
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
        if (!facts.status.ok() && NeedsRows(*symbol)) return facts.status;
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
  response.mutable_steps()->Swap(described.mutable_steps());
  response.mutable_resulting_revisions()->Swap(described.mutable_resulting_revisions());
  response.mutable_starting_revisions()->Swap(described.mutable_starting_revisions());
  response.set_plan_hash(described.plan_hash());
  response.set_database(opened->workspace.name);
  return absl::OkStatus();
}

}  // namespace migd
