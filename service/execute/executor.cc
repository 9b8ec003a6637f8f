#include "service/execute/executor.h"

#include <algorithm>
#include <future>
#include <memory>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/execute/backup_step.h"
#include "service/execute/checksums.h"
#include "service/execute/guard.h"
#include "service/execute/interrupter.h"
#include "service/execute/lint_gate.h"
#include "service/execute/plan_action.h"
#include "service/execute/plan_report.h"
#include "service/execute/plan_rest.h"
#include "service/execute/schema_check.h"
#include "service/execute/statement_monitor.h"
#include "service/execute/step_journal.h"
#include "service/execute/step_runner.h"
#include "service/revision/lineage.h"

namespace migd {
namespace {

using migration::v1::OperationEvent;

// How often the mutex is tried: soon at first, for the migration that takes a moment, then rarely.
constexpr absl::Duration kFirstPoll = absl::Milliseconds(20);
constexpr absl::Duration kSlowestPoll = absl::Seconds(1);

OperationEvent WaitingEvent(const MutexHolder& holder) {
  OperationEvent event;
  migration::v1::WaitingForMutex& waiting = *event.mutable_waiting_for_mutex();
  waiting.set_holder_pid(holder.pid);
  waiting.set_holder_application(holder.application);
  waiting.set_holder_user(holder.user);
  waiting.set_holder_address(holder.address);
  return event;
}

std::string DescribeHolder(const MutexHolder& holder) {
  return absl::StrCat("pid ", holder.pid, " (", holder.application, ", user ", holder.user, ")");
}

// Polls for the mutex: a session that waited inside pg_advisory_lock would hold a snapshot, and
// every CREATE INDEX CONCURRENTLY of the holder would wait for it.
absl::Status AcquireMutex(Session& session, const ExecuteRequest& request,
                          Cancellation& cancellation, const EventSink& sink) {
  const absl::Time start = absl::Now();
  absl::BitGen random;
  absl::Duration pause = kFirstPoll;
  absl::optional<MutexHolder> reported;
  while (true) {
    const auto acquired = session.TryAcquireMutex();
    if (!acquired.ok()) return acquired.status();
    if (*acquired) return absl::OkStatus();

    const auto holder = session.ReadMutexHolder();
    if (!holder.ok()) return holder.status();
    if (holder->has_value() && *holder != reported) {
      reported = *holder;
      sink(WaitingEvent(**holder));
    }
    if (absl::Now() >= request.mutex_deadline) {
      return errors::MutexTimeout(absl::Now() - start, reported ? DescribeHolder(*reported) : "");
    }
    const absl::Duration jittered = pause * absl::Uniform(random, 0.5, 1.0);
    if (cancellation.WaitFor(std::min(jittered, request.mutex_deadline - absl::Now()))) {
      return errors::OperationCancelled(cancellation.why());
    }
    pause = std::min(pause * 2, kSlowestPoll);
  }
}

OperationEvent StepStartedEvent(const migration::v1::Plan& plan, int index) {
  OperationEvent event;
  event.mutable_step_started()->set_step_index(index + 1);
  event.mutable_step_started()->set_step_count(plan.steps_size());
  *event.mutable_step_started()->mutable_step() = plan.steps(index);
  return event;
}

OperationEvent StepFinishedEvent(const migration::v1::Plan& plan, int index,
                                 absl::Duration duration) {
  OperationEvent event;
  const migration::v1::Step& step = plan.steps(index);
  migration::v1::StepFinished& finished = *event.mutable_step_finished();
  finished.set_step_index(index + 1);
  finished.set_step_count(plan.steps_size());
  finished.set_revision(step.revision());
  finished.set_direction(step.direction());
  *finished.mutable_duration() = ToProtoDuration(duration);
  *finished.mutable_resulting_revisions() = step.resulting_revisions();
  *finished.mutable_inserted_revisions() = step.inserted_revisions();
  *finished.mutable_deleted_revisions() = step.deleted_revisions();
  return event;
}

// Removes from `journal` what is no news: of a section whose revision is where it leads to, because
// somebody has stamped it, or another tool has finished it.
absl::Status ForgetFinished(Session& session, const RevisionGraph& graph, const VersionRows& rows,
                            Journal& journal) {
  const RevisionSet applied = AppliedBy(graph, rows);
  for (auto section = journal.begin(); section != journal.end();) {
    const auto index = graph.Find(section->first.revision);
    const bool up = section->first.direction == Step::Direction::kUpgrade;
    if (!index || applied.contains(*index) != up) {
      ++section;
      continue;
    }
    const absl::Status status = session.EraseRecords(section->first, absl::nullopt);
    if (!status.ok()) return status;
    section = journal.erase(section);
  }
  return absl::OkStatus();
}

// RevisionHalfDone if a step of `plan` changes what a section that is half done builds upon, or is
// built upon it, and does not come behind it.
absl::Status CheckHalfDone(const RevisionGraph& graph, const Plan& plan, const Journal& journal) {
  for (const auto& [section, entries] : journal) {
    const auto index = graph.Find(section.revision);
    if (!index) continue;
    const RevisionSet below = Ancestors(graph, {*index}, Follow::kDependenciesToo);
    const RevisionSet above = Descendants(graph, {*index}, Follow::kDependenciesToo);
    for (const Step& step : plan.steps) {
      if (step.direction == Step::Direction::kStamp) break;
      if (JournalKey{step.revision, step.direction} == section) break;
      const auto other = graph.Find(step.revision);
      if (!other || !(below.contains(*other) || above.contains(*other))) continue;
      const int last = entries.rbegin()->first;
      return errors::RevisionHalfDone(
          section.revision, section.direction == Step::Direction::kDowngrade,
          last == 1 ? "statement 1" : absl::StrCat("statements 1 to ", last));
    }
  }
  return absl::OkStatus();
}

// InvalidRequest if the statement to skip is not in question in any step.
absl::Status CheckSkip(const ScriptSet& scripts, const Plan& plan, const Journal& journal,
                       int statement) {
  if (statement == 0) return absl::OkStatus();
  for (const Step& step : plan.steps) {
    const auto section = journal.find({step.revision, step.direction});
    if (section == journal.end()) continue;
    if (IsInQuestion(*SectionOf(scripts, step), section->second, statement)) {
      return absl::OkStatus();
    }
  }
  return errors::InvalidRequest("skip_statement",
                                absl::StrCat("nothing is in question about a statement ", statement,
                                             "; run the call without it, and it says what is"));
}

absl::StatusOr<Journal> ReadJournal(Session& session, const ScriptSet& scripts, const Plan& plan,
                                    const ExecuteRequest& request) {
  auto journal = session.ReadJournal();
  if (!journal.ok()) return journal;
  absl::Status status = ForgetFinished(session, scripts.graph(), plan.starting_rows, *journal);
  if (status.ok()) status = CheckHalfDone(scripts.graph(), plan, *journal);
  if (status.ok()) {
    status = CheckSkip(scripts, plan, *journal, request.decisions.skip_statement);
  }
  if (!status.ok()) return status;
  return journal;
}

absl::Status PassGuard(const Workspace& workspace, const ScriptSet& scripts, const Plan& plan,
                       const std::string& plan_hash, const ExecuteRequest& request) {
  return Guard({workspace.name, request.plan_hash, request.confirmation, plan_hash,
                request.requested_by, request.requester_role},
               *workspace.policy(), scripts, plan, *workspace.database);
}

// What may keep an operation from beginning, before its plan is stored. One that goes on with a
// stored plan has passed, and is not asked about what its own beginning has made.
absl::Status PassGates(const Workspace& workspace, const ScriptSet& scripts, const Plan& plan,
                       const std::string& plan_hash, const ExecuteRequest& request,
                       const EventSink& sink) {
  if (!request.earlier_plan.steps().empty()) return absl::OkStatus();
  if (plan.steps.empty()) return PassGuard(workspace, scripts, plan, plan_hash, request);
  // Each reads all that is to run; without a thread to spare, one after the other.
  auto guard = std::async(std::launch::async | std::launch::deferred,
                          [&] { return PassGuard(workspace, scripts, plan, plan_hash, request); });
  const absl::Status status = PassLintGate(scripts, plan, request, *workspace.database, sink);
  // What asks people something comes last: they are not asked for what cannot run anyhow.
  const absl::Status guarded = guard.get();
  return status.ok() ? guarded : status;
}

// Runs the steps of `plan` in order, until one fails.
absl::Status RunSteps(Workspace& workspace, Session& session, const ScriptSet& scripts,
                      const Plan& plan, const ExecuteRequest& request, Cancellation& cancellation,
                      Interrupter& interrupter, const EventSink& sink, ExecuteResult& result) {
  Database& database = *workspace.database;
  const migration::v1::Plan described = DescribePlan(scripts, plan);
  absl::Status status = PassGates(workspace, scripts, plan, described.plan_hash(), request, sink);
  if (!status.ok()) return status;
  {
    OperationEvent event;
    *event.mutable_plan() = described;
    sink(std::move(event));
  }
  const SchemaCheckContext check = {workspace, session, scripts, plan, request, cancellation, sink};
  status = SettleChecksums(database, session, scripts, plan, request, sink);
  if (status.ok()) status = CheckStampedSchema(check);
  if (!status.ok() || plan.steps.empty()) return status;
  // While the plan is being stored, as is what follows, up to the first COMMIT.
  status = session.PrepareForWriting();
  if (!status.ok()) return status;

  auto journal = ReadJournal(session, scripts, plan, request);
  if (!journal.ok()) return journal.status();

  const bool backs_up =
      DemandedBackup(*workspace.policy(), request) != migration::v1::BACKUP_MODE_NEVER;
  // It may take hours, which are lost if the operation cannot go on.
  if (backs_up && request.before_first_commit) {
    status = request.before_first_commit(absl::InfiniteDuration());
  }
  if (status.ok()) {
    status = BackUp(workspace, {request, scripts, plan}, session, cancellation, sink);
  }
  // A backup takes its time: what was confirmed must still be all that is lost.
  const bool is_confirmed = !request.confirmation.empty() && request.earlier_plan.steps().empty();
  if (status.ok() && is_confirmed && backs_up) {
    status = PassGuard(workspace, scripts, plan, described.plan_hash(), request);
  }
  if (!status.ok()) return status;

  StatementMonitor monitor(
      database, {session.pid(), request.timeouts.lock_timeout, request.terminate_blockers}, sink);
  SkippedObjects skipped;
  const EventSink noting = [&](OperationEvent event) {
    skipped.Note(event);
    sink(std::move(event));
  };
  StepListener listener;
  listener.before_commit = request.before_first_commit;
  listener.on_started = [&](size_t step) {
    sink(StepStartedEvent(described, static_cast<int>(step)));
  };
  listener.on_finished = [&](size_t step, absl::Duration duration) {
    ApplyWrites(plan.steps[step].writes, result.rows);
    result.finished_steps = static_cast<int>(step) + 1;
    sink(StepFinishedEvent(described, static_cast<int>(step), duration));
  };
  StepRunner runner(session, scripts, request, cancellation, interrupter, monitor, noting);
  status = runner.Run(plan, *std::move(journal), listener);
  if (!status.ok()) return status;
  CompareSkippedObjects(check, skipped);
  return absl::OkStatus();
}

// Does the operation on `session`. Sets `nothing_to_do` if there was none.
absl::Status ExecuteOn(Session& session, Workspace& workspace, const ExecuteRequest& request,
                       Cancellation& cancellation, const EventSink& sink, ExecuteResult& result,
                       bool& nothing_to_do) {
  // From here on everything that waits for PostgreSQL can be cancelled, and waits no longer than a
  // migration's statement may.
  Interrupter interrupter(session, cancellation);
  absl::Status status = session.SetTimeouts({request.timeouts.lock_timeout, absl::ZeroDuration()});
  if (status.ok()) status = AcquireMutex(session, request, cancellation, sink);
  if (!status.ok()) return status;

  // Under the mutex: nobody else migrates from here on.
  const auto scripts = workspace.scripts->Load();
  if (!scripts.ok()) return scripts.status();
  const auto rows = session.ReadRows();
  if (errors::ReasonOf(rows.status()) == migration::v1::ERROR_REASON_INSUFFICIENT_PRIVILEGE) {
    // Whoever may not read the table lacks more, most likely: this names all of it.
    status = session.PrepareForWriting();
    if (!status.ok()) return status;
  }
  if (!rows.ok()) return rows.status();
  result.rows = *rows;
  const auto plan =
      request.earlier_plan.steps().empty()
          ? PlanAction(**scripts, *rows, request.action, request.targets, request.purge)
          : RestOfPlan(**scripts, request.earlier_plan, *rows);
  if (!plan.ok()) return plan.status();
  status = RunSteps(workspace, session, **scripts, *plan, request, cancellation, interrupter, sink,
                    result);
  nothing_to_do = status.ok() && plan->steps.empty() && !cancellation.requested();
  return status;
}

absl::Status ExecuteInto(Workspace& workspace, const ExecuteRequest& request,
                         Cancellation& cancellation, const EventSink& sink, ExecuteResult& result) {
  if (workspace.database == nullptr) return errors::Offline();
  auto session = workspace.database->OpenSession(
      request.trace_id.empty() ? request.operation
                               : absl::StrCat(request.operation, " trace=", request.trace_id));
  if (!session.ok()) return session.status();
  bool nothing_to_do = false;
  const absl::Status status =
      ExecuteOn(**session, workspace, request, cancellation, sink, result, nothing_to_do);
  if (nothing_to_do) workspace.database->TakeBack(*std::move(session));
  return status;
}

}  // namespace

ExecuteResult Execute(Workspace& workspace, const ExecuteRequest& request,
                      Cancellation& cancellation, const EventSink& sink) {
  ExecuteResult result;
  result.status = ExecuteInto(workspace, request, cancellation, sink, result);
  // A query of the service's own, outside a step, that a request to cancel has ended.
  if (cancellation.requested() &&
      errors::ReasonOf(result.status) == migration::v1::ERROR_REASON_STATEMENT_TIMEOUT) {
    result.status = errors::OperationCancelled(cancellation.why());
  }
  return result;
}

}  // namespace migd
