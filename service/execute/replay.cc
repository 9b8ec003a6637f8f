#include "service/execute/replay.h"

#include <utility>
#include <vector>

#include "service/base/errors.h"
#include "service/execute/executor.h"
#include "service/execute/interrupter.h"
#include "service/execute/scratch_workspace.h"
#include "service/execute/statement_monitor.h"
#include "service/execute/step_runner.h"
#include "service/plan/planner.h"

namespace migd {
namespace {

void IgnoreEvent(const migration::v1::OperationEvent&) {}

// What is wrong with the scratch database itself is told as it is; what is wrong with the files
// with the revision at which it showed.
absl::Status ReplayError(const std::string& revision, const absl::Status& status) {
  const auto reason = errors::ReasonOf(status);
  if (reason == migration::v1::ERROR_REASON_OPERATION_CANCELLED ||
      reason == migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE) {
    return status;
  }
  return errors::ReplayFailed(revision, status);
}

absl::StatusOr<ReplayedSchema> ReplayIn(Scratch& scratch, const ScriptSet& scripts,
                                        const Plan& plan, Cancellation& cancellation,
                                        const BeforeReplayStep& before_step) {
  const absl::Status status = Replay(scratch.database(), scripts, plan, cancellation, before_step);
  if (!status.ok()) return status;
  auto schema = scratch.database().ReadSchema();
  if (!schema.ok()) return schema.status();
  return ReplayedSchema{*std::move(schema), scratch.description()};
}

}  // namespace

absl::StatusOr<Plan> PlanReplay(const RevisionGraph& graph, const VersionRows& rows) {
  std::vector<std::string> unknown;
  for (const std::string& row : rows) {
    if (!graph.Find(row)) unknown.push_back(row);
  }
  if (!unknown.empty()) return errors::DatabaseAhead(unknown);
  Plan plan;
  std::set<std::string> reached;
  for (const std::string& row : rows) {
    // A row that another one depends on was reached on the way to it.
    if (reached.count(row) > 0) continue;
    const auto next = PlanUpgrade(graph, plan.resulting_rows, row);
    if (!next.ok()) return next.status();
    for (const Step& step : next->steps) {
      reached.insert(step.revision);
      plan.steps.push_back(step);
    }
    plan.resulting_rows = next->resulting_rows;
  }
  return plan;
}

absl::Status Replay(Database& database, const ScriptSet& scripts, const Plan& plan,
                    Cancellation& cancellation, const BeforeReplayStep& before_step) {
  ExecuteRequest request;
  request.action = migration::v1::ACTION_UPGRADE;
  request.operation = "replay";
  auto session = database.OpenSession(request.operation);
  if (!session.ok()) return session.status();
  Interrupter interrupter(**session, cancellation);
  absl::Status status = (*session)->PrepareForWriting();
  if (!status.ok()) return status;
  // A step checks before its end that its session has it.
  const auto mutex = (*session)->TryAcquireMutex();
  if (!mutex.ok()) return mutex.status();

  const EventSink sink = IgnoreEvent;
  StatementMonitor monitor(database, {(*session)->pid(), absl::ZeroDuration(), false}, sink);
  StepRunner runner(**session, scripts, request, cancellation, interrupter, monitor, sink);
  absl::Status stopped;
  StepListener listener;
  if (before_step) listener.before = [&](size_t) { return stopped = before_step(); };
  status = runner.Run(plan, {}, listener);
  if (status.ok() || !stopped.ok() || cancellation.requested()) return status;
  return ReplayError(plan.steps[runner.finished().size()].revision, status);
}

absl::StatusOr<ReplayedSchema> ReplaySchema(ScratchSource* source, const ScriptSet& scripts,
                                            const VersionRows& rows, Cancellation& cancellation,
                                            const BeforeReplayStep& before_step) {
  const auto plan = PlanReplay(scripts.graph(), rows);
  if (!plan.ok()) return plan.status();
  if (source == nullptr) {
    return errors::ScratchUnavailable("there is nothing to make scratch databases with", "");
  }
  if (cancellation.requested()) return errors::OperationCancelled(cancellation.why());
  const auto scratch = source->MakeEmpty(NeedsOf(scripts, *plan));
  if (!scratch.ok()) return scratch.status();
  return ReplayIn(**scratch, scripts, *plan, cancellation, before_step);
}

}  // namespace migd
