#include "service/execute/rehearsal.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/execute/executor.h"
#include "service/execute/plan_action.h"
#include "service/execute/plan_report.h"
#include "service/execute/rehearsal_observer.h"
#include "service/execute/run_options.h"
#include "service/execute/scratch_workspace.h"
#include "service/schema/schema.h"
#include "service/script/literals.h"

namespace migd {
namespace {

using migration::v1::Irreversibility;
using migration::v1::RehearseResponse;
using migration::v1::SchemaDifference;

// What its sessions are called, behind "migd ".
constexpr char kOperation[] = "rehearsal";

// The options that mean something in a copy that nobody else uses.
absl::Status ReadOptions(const Workspace& live, const migration::v1::RehearseRequest& request,
                         ExecuteRequest& into) {
  migration::v1::RunOptions options;
  if (request.options().has_lock_timeout()) {
    *options.mutable_lock_timeout() = request.options().lock_timeout();
  }
  if (request.options().has_statement_timeout()) {
    *options.mutable_statement_timeout() = request.options().statement_timeout();
  }
  options.set_existing_objects(request.options().existing_objects());
  options.set_lint(migration::v1::LINT_GATE_OFF);
  into.operation = kOperation;
  into.action = request.action();
  into.targets = {request.target()};
  const absl::Status status = ReadRunOptions(options, live, into);
  into.lock_retries = 0;
  return status;
}

// The step that takes `step`, an upgrade's, back.
migration::v1::Step Opposite(const migration::v1::Step& step) {
  migration::v1::Step back = step;
  back.set_direction(migration::v1::DIRECTION_DOWNGRADE);
  *back.mutable_inserted_revisions() = step.deleted_revisions();
  *back.mutable_deleted_revisions() = step.inserted_revisions();
  return back;
}

// By kind and name, however it is different: what was told of an object once is not told again.
std::string KeyOf(const SchemaDifference& difference) {
  return absl::StrCat(difference.object_kind(), " ", difference.object_name());
}

// One rehearsal, from the moment its copy is there.
class Rehearsal {
 public:
  // All must outlive it.
  Rehearsal(Workspace& scratch, const ScriptSet& scripts, const ExecuteRequest& request,
            const RelationFiles& live, Cancellation& cancellation, const RehearsalSink& sink)
      : scratch_(scratch),
        scripts_(scripts),
        request_(request),
        cancellation_(cancellation),
        sink_(sink),
        observer_(*scratch.database, live) {}

  // Fills in `finished`, but for the duration.
  absl::Status Run(const migration::v1::Plan& plan, bool back_and_forth,
                   migration::v1::RehearsalFinished& finished) {
    steps_ = {plan.steps().begin(), plan.steps().end()};
    schemas_.resize(steps_.size() + 1);
    absl::Status status = GoFirst(back_and_forth, finished);
    if (!status.ok() || !finished.succeeded() || !back_and_forth || steps_.empty()) return status;
    finished.set_went_back(true);
    status = GoBackAndForth();
    for (const migration::v1::Step& step : steps_) {
      const auto found = irreversibilities_.find(step.revision());
      if (found != irreversibilities_.end()) {
        *finished.add_irreversibilities() = found->second;
      }
    }
    return status;
  }

 private:
  absl::Status GoFirst(bool keep_schemas, migration::v1::RehearsalFinished& finished) {
    observer_.BeginPass();
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (keep_schemas) {
        const absl::Status status = ReadSchema(schemas_[i]);
        if (!status.ok()) return status;
      }
      absl::Status failure;
      const absl::Status status =
          RunStep(migration::v1::REHEARSAL_PASS_FIRST, steps_[i], i, steps_.size(), failure);
      if (!status.ok()) return status;
      if (!failure.ok()) {
        *finished.mutable_error() = errors::ToProto(failure);
        return absl::OkStatus();
      }
    }
    finished.set_succeeded(true);
    return keep_schemas ? ReadSchema(schemas_.back()) : absl::OkStatus();
  }

  absl::Status GoBackAndForth() {
    observer_.BeginPass();
    size_t lowest = steps_.size();
    while (lowest > 0) {
      const size_t i = lowest - 1;
      const migration::v1::Step back = Opposite(steps_[i]);
      absl::Status failure;
      absl::Status status = RunStep(migration::v1::REHEARSAL_PASS_BACK, back,
                                    steps_.size() - lowest, steps_.size(), failure);
      if (!status.ok()) return status;
      if (!failure.ok()) {
        *EntryOf(steps_[i]).mutable_error() = errors::ToProto(failure);
        // What a section outside a transaction has done stays, and nothing goes on from there.
        if (!LeavesNothing(back)) return absl::OkStatus();
        break;
      }
      status = CompareWith(schemas_[i], steps_[i]);
      if (!status.ok()) return status;
      lowest = i;
    }
    observer_.BeginPass();
    for (size_t i = lowest; i < steps_.size(); ++i) {
      absl::Status failure;
      absl::Status status = RunStep(migration::v1::REHEARSAL_PASS_AGAIN, steps_[i], i - lowest,
                                    steps_.size() - lowest, failure);
      if (!status.ok()) return status;
      if (!failure.ok()) {
        *EntryOf(steps_[i]).mutable_error() = errors::ToProto(failure);
        return absl::OkStatus();
      }
      status = CompareWith(schemas_[i + 1], steps_[i]);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // `failure` is why the step failed, if it did; what is returned, why nothing can go on.
  absl::Status RunStep(migration::v1::RehearsalPass pass, const migration::v1::Step& step,
                       size_t index, size_t count, absl::Status& failure) {
    Announce(pass, step, index, count);
    const auto rows = scratch_.database->ReadRows();
    if (!rows.ok()) return rows.status();
    ExecuteRequest request = request_;
    request.observer = &observer_;
    for (const std::string& row : *rows) request.earlier_plan.add_starting_revisions(row);
    *request.earlier_plan.add_steps() = step;
    const auto sink = [&](const migration::v1::OperationEvent& event) {
      if (event.has_statement_finished()) Tell(pass, step, event.statement_finished());
    };
    const ExecuteResult result = Execute(scratch_, request, cancellation_, sink);
    if (cancellation_.requested()) return errors::OperationCancelled(cancellation_.why());
    if (errors::ReasonOf(result.status) == migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE) {
      return result.status;
    }
    failure = result.status;
    return absl::OkStatus();
  }

  void Announce(migration::v1::RehearsalPass pass, const migration::v1::Step& step, size_t index,
                size_t count) {
    RehearseResponse response;
    migration::v1::RehearsedStep& announced = *response.mutable_step();
    announced.set_pass(pass);
    announced.set_step_index(static_cast<int>(index) + 1);
    announced.set_step_count(static_cast<int>(count));
    announced.set_revision(step.revision());
    announced.set_direction(step.direction());
    announced.set_path(step.path());
    sink_(std::move(response));
  }

  void Tell(migration::v1::RehearsalPass pass, const migration::v1::Step& step,
            const migration::v1::StatementFinished& finished) {
    RehearseResponse response;
    migration::v1::RehearsedStatement& told = *response.mutable_statement();
    told.set_pass(pass);
    told.set_revision(step.revision());
    told.set_direction(step.direction());
    told.set_statement_index(finished.statement_index());
    told.set_statement_count(finished.statement_count());
    told.set_line(finished.line());
    const Section* section = SectionFor(step);
    const auto index = static_cast<size_t>(finished.statement_index()) - 1;
    if (section != nullptr && index < section->statements.size()) {
      told.set_summary(SummaryOfStatement(section->statements[index].text));
    }
    const StatementTrace& trace = observer_.trace();
    *told.mutable_duration() = ToProtoDuration(trace.duration);
    told.mutable_locks()->Assign(trace.locks.begin(), trace.locks.end());
    told.mutable_rewrites()->Assign(trace.rewrites.begin(), trace.rewrites.end());
    sink_(std::move(response));
  }

  const Section* SectionFor(const migration::v1::Step& step) const {
    return SectionOf(scripts_, {step.direction() == migration::v1::DIRECTION_DOWNGRADE
                                    ? Step::Direction::kDowngrade
                                    : Step::Direction::kUpgrade,
                                step.revision(),
                                {}});
  }

  bool LeavesNothing(const migration::v1::Step& step) const {
    const Section* section = SectionFor(step);
    return section == nullptr || section->transactional;
  }

  absl::Status ReadSchema(Schema& into) {
    auto schema = scratch_.database->ReadSchema();
    if (!schema.ok()) return schema.status();
    into = *std::move(schema);
    return absl::OkStatus();
  }

  // Tells in what the schema is not `expected`, as the fault of `step`, unless that was told
  // before.
  absl::Status CompareWith(const Schema& expected, const migration::v1::Step& step) {
    Schema actual;
    const absl::Status status = ReadSchema(actual);
    if (!status.ok()) return status;
    for (const SchemaDifference& difference : CompareSchemas(expected, actual)) {
      if (told_.insert(KeyOf(difference)).second) *EntryOf(step).add_differences() = difference;
    }
    return absl::OkStatus();
  }

  Irreversibility& EntryOf(const migration::v1::Step& step) {
    Irreversibility& entry = irreversibilities_[step.revision()];
    entry.set_revision(step.revision());
    return entry;
  }

  Workspace& scratch_;
  const ScriptSet& scripts_;
  const ExecuteRequest& request_;
  Cancellation& cancellation_;
  const RehearsalSink& sink_;
  RehearsalObserver observer_;
  std::vector<migration::v1::Step> steps_;
  // Before each step, and after the last.
  std::vector<Schema> schemas_;
  std::map<std::string, Irreversibility> irreversibilities_;
  std::set<std::string> told_;
};

absl::Status CheckRequest(const Workspace& live, const migration::v1::RehearseRequest& request) {
  if (request.action() != migration::v1::ACTION_UPGRADE &&
      request.action() != migration::v1::ACTION_DOWNGRADE) {
    return errors::InvalidRequest("action", "must be an upgrade or a downgrade");
  }
  const absl::Status status = CheckTargets(request.action(), {request.target()}, false);
  if (!status.ok()) return status;
  if (live.database == nullptr) return errors::Offline();
  if (live.scratch == nullptr) {
    return errors::ScratchUnavailable("this server makes none", "");
  }
  return absl::OkStatus();
}

absl::StatusOr<Plan> PlanFor(Database& database, const ScriptSet& scripts,
                             const migration::v1::RehearseRequest& request) {
  const auto rows = database.ReadRows();
  if (!rows.ok()) return rows.status();
  return PlanAction(scripts, *rows, request.action(), {request.target()}, false);
}

}  // namespace

absl::Status Rehearse(const Workspace& live, const migration::v1::RehearseRequest& request,
                      Cancellation& cancellation, const RehearsalSink& sink) {
  const absl::Time start = absl::Now();
  absl::Status status = CheckRequest(live, request);
  ExecuteRequest run;
  if (status.ok()) status = ReadOptions(live, request, run);
  if (!status.ok()) return status;
  const auto scripts = live.scripts->Load();
  if (!scripts.ok()) return scripts.status();
  // What cannot be planned is not worth a copy.
  const auto planned = PlanFor(*live.database, **scripts, request);
  if (!planned.ok()) return planned.status();
  const auto relations = live.database->ReadRelations();
  if (!relations.ok()) return relations.status();
  ScratchNeeds needs = NeedsOf(**scripts, *planned);
  // A role that is there already is to be found, as it would be.
  needs.absent_roles.clear();
  auto made = live.scratch->CopySchema(needs);
  if (!made.ok()) return made.status();
  std::shared_ptr<Scratch> scratch = *std::move(made);
  // From the rows of the copy: the database may have been migrated meanwhile.
  const auto plan = PlanFor(scratch->database(), **scripts, request);
  if (!plan.ok()) return plan.status();

  RehearseResponse started;
  *started.mutable_started()->mutable_plan() = DescribePlan(**scripts, *plan);
  started.mutable_started()->set_scratch(scratch->description());
  *started.mutable_started()->mutable_duration() = ToProtoDuration(absl::Now() - start);
  const migration::v1::Plan described = started.started().plan();
  sink(std::move(started));

  RehearseResponse finished;
  {
    const std::unique_ptr<Workspace> workspace = MakeScratchWorkspace(live, std::move(scratch));
    Rehearsal rehearsal(*workspace, **scripts, run, *relations, cancellation, sink);
    const bool back_and_forth =
        request.action() == migration::v1::ACTION_UPGRADE && !request.one_way();
    status = rehearsal.Run(described, back_and_forth, *finished.mutable_finished());
  }
  if (!status.ok()) return status;
  *finished.mutable_finished()->mutable_duration() = ToProtoDuration(absl::Now() - start);
  sink(std::move(finished));
  return absl::OkStatus();
}

}  // namespace migd
