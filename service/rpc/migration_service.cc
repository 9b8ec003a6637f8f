#include "service/rpc/migration_service.h"

#include <map>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/execute/plan_action.h"
#include "service/execute/plan_report.h"
#include "service/revision/symbol.h"
#include "service/revision/symbol_resolution.h"
#include "service/rpc/paging.h"
#include "service/rpc/revision_view.h"
#include "service/rpc/status.h"

namespace migd {
namespace {

constexpr PageLimits kHistoryPages = {100, 10000};
constexpr PageLimits kOperationPages = {50, 1000};

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

absl::Status FillHistory(const Catalog& catalog, const migration::v1::HistoryRequest& request,
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

absl::Status FillCurrent(const Catalog& catalog, const migration::v1::CurrentRequest& request,
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

absl::Status FillShow(const Catalog& catalog, const migration::v1::ShowRequest& request,
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

absl::Status FillPlan(const Catalog& catalog, const migration::v1::PlanRequest& request,
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

absl::Status FillOperations(const OperationManager& operations,
                            const migration::v1::ListOperationsRequest& request,
                            migration::v1::ListOperationsResponse& response) {
  OperationFilter filter{request.database(), {}};
  for (const int state : request.states()) {
    filter.states.push_back(static_cast<migration::v1::Operation::State>(state));
  }
  const auto matching = operations.List(filter);
  std::vector<std::string> ids;
  for (const auto& operation : matching) ids.push_back(operation->id());
  const auto page =
      FindPageAfterId(ids, request.page_size(), request.page_token(), kOperationPages,
                      absl::StrCat(request.database(), "\n", absl::StrJoin(request.states(), ",")));
  if (!page.ok()) return page.status();
  for (size_t i = page->begin; i < page->end; ++i) {
    *response.add_operations() = matching[i]->Snapshot();
  }
  response.set_next_page_token(page->next_token);
  return absl::OkStatus();
}

// 8-4-4-4-12 hex digits.
bool IsUuid(absl::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !absl::ascii_isxdigit(static_cast<unsigned char>(text[i]))) {
      return false;
    }
  }
  return true;
}

// Reads a duration of a request into `into`, which keeps its value if the field is unset.
absl::Status ReadDuration(bool is_set, const google::protobuf::Duration& field,
                          absl::string_view name, absl::Duration& into) {
  if (!is_set) return absl::OkStatus();
  into = FromProtoDuration(field);
  // PostgreSQL counts its timeouts in milliseconds, in 32 bits.
  constexpr absl::Duration kLongest = absl::Milliseconds(2147483647);
  if (into < absl::ZeroDuration() || into > kLongest) {
    return errors::InvalidRequest(
        name, absl::StrCat("must be between 0 and ", absl::FormatDuration(kLongest)));
  }
  // Anything that is not zero must not become zero, which means no limit.
  if (into > absl::ZeroDuration() && into < absl::Milliseconds(1)) into = absl::Milliseconds(1);
  return absl::OkStatus();
}

}  // namespace

MigrationServiceImpl::MigrationServiceImpl(const Catalog& catalog, OperationManager& operations)
    : catalog_(catalog), operations_(operations) {}

grpc::Status MigrationServiceImpl::Current(grpc::ServerContext*,
                                           const migration::v1::CurrentRequest* request,
                                           migration::v1::CurrentResponse* response) {
  return ToGrpcStatus(FillCurrent(catalog_, *request, *response));
}

grpc::Status MigrationServiceImpl::History(grpc::ServerContext*,
                                           const migration::v1::HistoryRequest* request,
                                           migration::v1::HistoryResponse* response) {
  return ToGrpcStatus(FillHistory(catalog_, *request, *response));
}

grpc::Status MigrationServiceImpl::Heads(grpc::ServerContext*,
                                         const migration::v1::HeadsRequest* request,
                                         migration::v1::HeadsResponse* response) {
  return ToGrpcStatus(FillRevisions(
      catalog_, request->database(),
      [](const RevisionGraph& graph, const DatabaseFacts&) { return graph.heads(); }, *response));
}

grpc::Status MigrationServiceImpl::Branches(grpc::ServerContext*,
                                            const migration::v1::BranchesRequest* request,
                                            migration::v1::BranchesResponse* response) {
  return ToGrpcStatus(FillRevisions(
      catalog_, request->database(),
      [](const RevisionGraph& graph, const DatabaseFacts&) {
        std::vector<RevisionIndex> branch_points;
        for (const RevisionIndex index : graph.newest_first()) {
          if (graph.children(index).size() > 1) branch_points.push_back(index);
        }
        return branch_points;
      },
      *response));
}

grpc::Status MigrationServiceImpl::Show(grpc::ServerContext*,
                                        const migration::v1::ShowRequest* request,
                                        migration::v1::ShowResponse* response) {
  return ToGrpcStatus(FillShow(catalog_, *request, *response));
}

grpc::Status MigrationServiceImpl::Plan(grpc::ServerContext*,
                                        const migration::v1::PlanRequest* request,
                                        migration::v1::PlanResponse* response) {
  return ToGrpcStatus(FillPlan(catalog_, *request, *response));
}

absl::StatusOr<std::shared_ptr<Operation>> MigrationServiceImpl::StartOperation(
    OperationRequest request, const migration::v1::RunOptions& options) {
  absl::Status status = CheckTargets(request.action, request.targets, request.purge);
  if (!status.ok()) return status;
  if (!request.request_id.empty() && !IsUuid(request.request_id)) {
    return errors::InvalidRequest("request_id", "is no UUID; write 8-4-4-4-12 hex digits");
  }
  const auto workspace = catalog_.Find(request.database);
  if (!workspace.ok()) return workspace.status();
  request.database = (*workspace)->name;
  request.timeouts = (*workspace)->default_timeouts;
  status = ReadDuration(options.has_lock_timeout(), options.lock_timeout(), "lock_timeout",
                        request.timeouts.lock_timeout);
  if (status.ok()) {
    status = ReadDuration(options.has_statement_timeout(), options.statement_timeout(),
                          "statement_timeout", request.timeouts.statement_timeout);
  }
  if (status.ok()) {
    status = ReadDuration(options.has_mutex_timeout(), options.mutex_timeout(), "mutex_timeout",
                          request.mutex_timeout);
  }
  if (!status.ok()) return status;
  return operations_.Start(**workspace, std::move(request));
}

EventReactor* MigrationServiceImpl::StreamOperation(
    absl::StatusOr<std::shared_ptr<Operation>> operation) {
  if (!operation.ok()) return RefuseStream(operation.status());
  return StreamEvents(*std::move(operation), 0, StreamEnd::kStatusOfOperation);
}

EventReactor* MigrationServiceImpl::Upgrade(grpc::CallbackServerContext*,
                                            const migration::v1::UpgradeRequest* request) {
  OperationRequest wanted;
  wanted.database = request->database();
  wanted.action = migration::v1::ACTION_UPGRADE;
  wanted.targets = {request->target()};
  wanted.request_id = request->request_id();
  return StreamOperation(StartOperation(std::move(wanted), request->options()));
}

EventReactor* MigrationServiceImpl::Downgrade(grpc::CallbackServerContext*,
                                              const migration::v1::DowngradeRequest* request) {
  OperationRequest wanted;
  wanted.database = request->database();
  wanted.action = migration::v1::ACTION_DOWNGRADE;
  wanted.targets = {request->target()};
  wanted.request_id = request->request_id();
  return StreamOperation(StartOperation(std::move(wanted), request->options()));
}

EventReactor* MigrationServiceImpl::Stamp(grpc::CallbackServerContext*,
                                          const migration::v1::StampRequest* request) {
  OperationRequest wanted;
  wanted.database = request->database();
  wanted.action = migration::v1::ACTION_STAMP;
  wanted.targets = ToVector(request->targets());
  wanted.purge = request->purge();
  wanted.request_id = request->request_id();
  return StreamOperation(StartOperation(std::move(wanted), request->options()));
}

grpc::Status MigrationServiceImpl::GetOperation(grpc::ServerContext*,
                                                const migration::v1::GetOperationRequest* request,
                                                migration::v1::GetOperationResponse* response) {
  const auto operation = operations_.Find(request->operation());
  if (!operation.ok()) return ToGrpcStatus(operation.status());
  *response->mutable_operation() = (*operation)->Snapshot();
  return grpc::Status::OK;
}

grpc::Status MigrationServiceImpl::ListOperations(
    grpc::ServerContext*, const migration::v1::ListOperationsRequest* request,
    migration::v1::ListOperationsResponse* response) {
  return ToGrpcStatus(FillOperations(operations_, *request, *response));
}

EventReactor* MigrationServiceImpl::WatchOperation(
    grpc::CallbackServerContext*, const migration::v1::WatchOperationRequest* request) {
  auto operation = operations_.Find(request->operation());
  if (!operation.ok()) return RefuseStream(operation.status());
  return StreamEvents(*std::move(operation), request->after_sequence(), StreamEnd::kOk);
}

grpc::Status MigrationServiceImpl::CancelOperation(
    grpc::ServerContext*, const migration::v1::CancelOperationRequest* request,
    migration::v1::CancelOperationResponse* response) {
  const auto operation = operations_.Find(request->operation());
  if (!operation.ok()) return ToGrpcStatus(operation.status());
  (*operation)->cancellation().Request("somebody asked for it");
  *response->mutable_operation() = (*operation)->Snapshot();
  return grpc::Status::OK;
}

}  // namespace migd
