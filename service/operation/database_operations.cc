#include "service/operation/database_operations.h"

#include <algorithm>
#include <limits>
#include <system_error>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/log.h"
#include "service/base/proto_time.h"
#include "service/base/trace_context.h"
#include "service/execute/executor.h"
#include "service/execute/run_options.h"
#include "service/operation/operation_log.h"
#include "service/operation/operation_state.h"

namespace migd {
namespace {

using migration::v1::OperationEvent;
using State = migration::v1::Operation;

constexpr int64_t kNewest = std::numeric_limits<int64_t>::max();

// Finished operations that are kept in memory.
constexpr size_t kMostKnown = 200;

// What happens to an operation is written at most so often, but for what cannot wait.
constexpr absl::Duration kBetweenWrites = absl::Milliseconds(20);
// And not before what follows at once can go with it.
constexpr absl::Duration kGathering = absl::Milliseconds(2);

// How often the store is looked at while nothing goes on, and while operations run: a request to
// cancel that came to another server must take effect within a second.
constexpr absl::Duration kIdlePoll = absl::Seconds(1);
constexpr absl::Duration kBusyPoll = absl::Milliseconds(250);

// After an operation could not be taken over.
constexpr absl::Duration kBeforeNextTakeover = absl::Seconds(30);

// After the store failed.
constexpr absl::Duration kBeforeRetry = absl::Milliseconds(500);

// How long a run waits for its plan to be stored, and a server that stops for its last words.
constexpr absl::Duration kLongestWrite = absl::Seconds(30);
constexpr absl::Duration kLastWords = absl::Seconds(5);

// A migration that is faster than the store waits for it, rather than fill the memory.
constexpr size_t kMostUnwritten = 20'000;

// What was cut off longer ago than this is not taken up again: nobody expects it any more.
constexpr absl::Duration kLongestInterruption = absl::Hours(1);

constexpr absl::Duration kBetweenForgetting = absl::Hours(1);
// Far more often than that.
constexpr absl::Duration kBetweenTouches = absl::Minutes(1);

// An operation of another server that has more events is seen without its past.
constexpr int64_t kLongestPast = 1000;

// Sixty random bits in Crockford's base 32: no letters that are mistaken for one another.
std::string NewOperationId() {
  constexpr absl::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
  absl::BitGen random;
  std::string id;
  for (int i = 0; i < 12; ++i) id += kAlphabet[absl::Uniform<size_t>(random, 0, kAlphabet.size())];
  return id;
}

StoredEvents AcceptedEvent(const migration::v1::Operation& operation) {
  auto event = std::make_shared<OperationEvent>();
  event->set_operation(operation.operation());
  event->set_sequence(1);
  *event->mutable_time() = operation.create_time();
  migration::v1::OperationAccepted& accepted = *event->mutable_operation_accepted();
  accepted.set_database(operation.database());
  accepted.set_action(operation.action());
  *accepted.mutable_targets() = operation.targets();
  accepted.set_request_id(operation.request_id());
  accepted.set_trace_id(TraceIdOf(operation.traceparent()));
  return {std::move(event)};
}

// Whether a run ended because its connection did.
bool IsConnectionLoss(const absl::Status& status) {
  const migration::v1::ErrorReason reason = errors::ReasonOf(status);
  return reason == migration::v1::ERROR_REASON_DATABASE_UNAVAILABLE ||
         reason == migration::v1::ERROR_REASON_OUTCOME_UNKNOWN;
}

// Whether PostgreSQL ended the session because somebody told it to (57P01, admin_shutdown): the
// session, or the whole server.
bool IsTermination(const absl::Status& status) {
  const migration::v1::Error error = errors::ToProto(status);
  const auto sqlstate = error.metadata().find("sqlstate");
  return sqlstate != error.metadata().end() && sqlstate->second == "57P01";
}

bool IsStopped(const absl::Status& status) {
  return errors::ReasonOf(status) == migration::v1::ERROR_REASON_OPERATION_CANCELLED;
}

absl::Status TakenOver() {
  return errors::OperationCancelled("another server has taken the operation over");
}

}  // namespace

DatabaseOperations::DatabaseOperations(Workspace& workspace, ServerIdentity server,
                                       OperationSettings settings, std::function<void()> on_new)
    : workspace_(workspace),
      store_(*workspace.operations),
      server_(std::move(server)),
      settings_(settings),
      on_new_(std::move(on_new)),
      follower_([this] { Follow(); }) {}

DatabaseOperations::~DatabaseOperations() {
  Drain(absl::ZeroDuration());
  follower_.join();
}

// --- Starting, finding, cancelling ---

void DatabaseOperations::Start(migration::v1::Operation wanted, OnAccepted on_accepted,
                               MayMake may_make) {
  JoinEnded();
  // A repetition is told of the operation that it made, also where there may be no more of them.
  const auto known = FindRequest(wanted.request_id());
  if (known != nullptr && IsSameRequest(known->Snapshot(), wanted)) return on_accepted(known);
  auto run = std::make_shared<Run>();
  const absl::Status started = StartThread(run, [this, run, wanted = std::move(wanted), on_accepted,
                                                 may_make = std::move(may_make)]() mutable {
    auto accepted = Accept(std::move(wanted), may_make);
    if (!accepted.ok()) return on_accepted(accepted.status());
    if (!accepted->is_new) return on_accepted(accepted->operation);
    turnstile_.Join(accepted->operation->id());
    {
      MutexLock lock(mutex_);
      run->operation = accepted->operation;
      accepting_.erase(run->operation->id());
      if (draining_) {
        run->hand_over = true;
        run->cancellation.Request("the server shuts down");
      }
    }
    on_new_();
    on_accepted(accepted->operation);
    RunToEnd(*run);
  });
  if (!started.ok()) on_accepted(started);
}

absl::StatusOr<DatabaseOperations::Accepted> DatabaseOperations::Accept(
    migration::v1::Operation wanted, const MayMake& may_make) {
  const MutexLock accepting(accept_mutex_);
  {
    MutexLock lock(mutex_);
    if (draining_) return errors::Draining();
  }
  if (const auto known = FindRequest(wanted.request_id()); known != nullptr) {
    if (IsSameRequest(known->Snapshot(), wanted)) return Accepted{known, false};
    return errors::RequestIdReused(wanted.request_id(), known->id());
  }
  const absl::Status may = may_make == nullptr ? absl::OkStatus() : may_make();
  if (!may.ok()) {
    // The one that it repeats may be so old, or of another server, that only the store knows it.
    const auto stored = store_.FindRequest(wanted.request_id());
    return stored.ok() && *stored ? Repeated(**stored, wanted) : may;
  }
  OperationRecord record;
  record.server = server_.number;
  record.operation = std::move(wanted);
  State& operation = record.operation;
  operation.set_operation(NewOperationId());
  operation.set_state(State::STATE_PENDING);
  operation.set_attempt(1);
  operation.set_server(server_.name);
  operation.set_first_sequence(1);
  operation.set_last_sequence(1);
  *operation.mutable_create_time() = ToProtoTimestamp(absl::Now());
  {
    MutexLock lock(mutex_);
    accepting_.insert(operation.operation());
  }
  const StoredEvents events = AcceptedEvent(operation);
  // An upgrade finds nothing to do, as a rule, and need not wait for the disk twice for that: its
  // plan is written before the first COMMIT, and this with it. A server that lives writes it again.
  auto stored = store_.Insert(record, events,
                              operation.action() == migration::v1::ACTION_UPGRADE
                                  ? Durability::kMayBeLost
                                  : Durability::kSurvivesCrash);
  const bool is_new = stored.ok() && stored->operation.operation() == operation.operation();
  if (!is_new) {
    MutexLock lock(mutex_);
    accepting_.erase(operation.operation());
  }
  if (!stored.ok()) return stored.status();
  if (!is_new) return Repeated(*stored, operation);
  LogEvent(operation, *events.front());
  return Accepted{Know(*stored, events, true), true};
}

absl::StatusOr<DatabaseOperations::Accepted> DatabaseOperations::Repeated(
    const OperationRecord& stored, const migration::v1::Operation& wanted) {
  if (IsSameRequest(stored.operation, wanted)) return Accepted{Recall(stored), false};
  return errors::RequestIdReused(wanted.request_id(), stored.operation.operation());
}

std::shared_ptr<Operation> DatabaseOperations::FindHere(absl::string_view id) const {
  auto known = FindKnown(std::string(id));
  return known != nullptr && (known->owned() || known->finished()) ? known : nullptr;
}

absl::StatusOr<std::vector<std::shared_ptr<Operation>>> DatabaseOperations::Find(
    absl::string_view id) {
  const auto known = FindKnown(std::string(id));
  const auto records = store_.Find(id);
  if (!records.ok()) return records.status();
  std::vector<std::shared_ptr<Operation>> found;
  for (const OperationRecord& record : *records) {
    // Whoever comes from another server must not be told less than it was there.
    if (known != nullptr && known->id() == record.operation.operation()) known->CatchUp(record);
    found.push_back(Recall(record));
  }
  if (!found.empty() && found.front()->id() == id) found.resize(1);
  return found;
}

absl::StatusOr<std::vector<OperationRecord>> DatabaseOperations::List(
    const std::vector<State::State>& states, int64_t before_number, int limit) {
  return store_.List(states, before_number, limit);
}

std::vector<std::shared_ptr<Operation>> DatabaseOperations::Known() const {
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<Operation>> known;
  for (const auto& [number, id] : known_by_number_) known.push_back(known_.at(id));
  return known;
}

absl::Status DatabaseOperations::Cancel(const Operation& operation, const std::string& why) {
  if (operation.finished()) return absl::OkStatus();
  RunPointer run;
  {
    MutexLock lock(mutex_);
    run = FindRun(operation.id());
  }
  if (run != nullptr) run->cancellation.Request(why);
  // Also for one that runs here: if this server dies, nobody is to take the operation over.
  const absl::Status requested = store_.RequestCancel(operation.id(), why);
  return run != nullptr ? absl::OkStatus() : requested;
}

// --- On the thread of an operation ---

void DatabaseOperations::RunToEnd(Run& run) {
  Operation& operation = *run.operation;
  while (operation.owned()) {
    ExecuteResult result = RunOnce(run);
    const bool cut_off = IsCutOff(result.status);
    if (!cut_off && IsConnectionLoss(result.status)) {
      result.status = errors::SessionEnded(result.status);
    } else if (cut_off && !IsHandedOver(run) && operation.is_last_attempt()) {
      result.status = errors::OperationInterrupted(operation.attempt(), result.status);
    } else if (cut_off && !IsHandedOver(run)) {
      LogFields fields =
          FieldsOf(operation.Snapshot(), {{"attempt", absl::StrCat(operation.attempt())}});
      for (auto& field : FieldsOf(result.status)) fields.push_back(std::move(field));
      LogWarning("operation interrupted", fields);
      operation.Interrupt(result.status, false);
      Wake(true);
      result.status = AwaitRecovery(run);
      if (result.status.ok()) continue;
    }
    if (IsHandedOver(run) && (cut_off || IsStopped(result.status))) {
      turnstile_.Leave(operation.id());
      operation.Interrupt(errors::ServerStops(server_.name), true);
      LogInfo("operation handed over: another server, or this one when it is back, goes on with it",
              FieldsOf(operation.Snapshot()));
      Wake(true);
      AwaitWritten(operation, nullptr, absl::Now() + kLastWords).IgnoreError();
      break;
    }
    if (!operation.owned()) break;
    // Before anybody hears of the end, and comes with the next.
    turnstile_.Leave(operation.id());
    operation.Finish(result);
    Wake(true);
    break;
  }
  turnstile_.Leave(operation.id());
}

bool DatabaseOperations::IsHandedOver(const Run& run) const {
  MutexLock lock(mutex_);
  return run.hand_over;
}

bool DatabaseOperations::IsCutOff(const absl::Status& status) {
  if (!IsConnectionLoss(status)) return false;
  if (!IsTermination(status)) return true;
  // An administrator who ends the session of a migration wants it to end, unless all of PostgreSQL
  // was stopped, to come back soon.
  return !store_.List({}, 0, 1).ok();
}

absl::Status DatabaseOperations::AwaitRecovery(Run& run) {
  const absl::Status written =
      AwaitWritten(*run.operation, &run.cancellation, absl::InfiniteFuture());
  if (!written.ok()) return written;
  // Those that were cut off together do not come back together.
  absl::BitGen random;
  if (run.cancellation.WaitFor(absl::Milliseconds(absl::Uniform(random, 50, 500)))) {
    return errors::OperationCancelled(run.cancellation.why());
  }
  run.operation->Resume(server_.name);
  Wake(true);
  return absl::OkStatus();
}

ExecuteResult DatabaseOperations::RunOnce(Run& run) {
  Operation& operation = *run.operation;
  const migration::v1::Operation wanted = operation.Snapshot();
  ExecuteResult result;
  ExecuteRequest request;
  request.operation = operation.id();
  request.trace_id = TraceIdOf(wanted.traceparent());
  request.action = wanted.action();
  request.targets = {wanted.targets().begin(), wanted.targets().end()};
  request.purge = wanted.purge();
  request.requested_by = wanted.requested_by();
  request.requester_role = wanted.requester_role();
  result.status = ReadRunOptions(wanted.options(), workspace_, request);
  if (!result.status.ok()) return result;
  request.earlier_plan = run.plan;
  request.has_backup = wanted.has_backup();
  // They were about what was in question when the call was made.
  if (run.plan.steps_size() > 0) request.decisions = RunDecisions();
  request.before_first_commit = [this, &run](absl::Duration patience) {
    Wake(true);
    return AwaitWritten(*run.operation, &run.cancellation,
                        absl::Now() + std::min(patience, kLongestWrite));
  };
  result.status = turnstile_.WaitForTurn(
      operation.id(), request.mutex_deadline, run.cancellation, [&](const std::string& holder) {
        OperationEvent event;
        event.mutable_waiting_for_mutex()->set_holder_operation(holder);
        Emit(run, std::move(event));
      });
  if (!result.status.ok()) return result;
  try {
    result = Execute(workspace_, request, run.cancellation,
                     [&](OperationEvent event) { Emit(run, std::move(event)); });
  } catch (const std::exception& fault) {
    // Out of memory or of threads: this operation ends, and says so; the others go on.
    result.status = errors::Internal(fault.what());
  }
  return result;
}

void DatabaseOperations::Emit(Run& run, OperationEvent event) {
  Operation& operation = *run.operation;
  if (event.plan().steps_size() > 0) run.plan = event.plan();
  const bool may_wait = event.has_statement_finished();
  if (IsLogged(event)) LogEvent(operation.Snapshot(), event);
  operation.Append(std::move(event));
  Wake(!operation.IsUrgentWritten());
  if (!may_wait || operation.unwritten() < kMostUnwritten) return;
  const absl::Time deadline = absl::Now() + kLongestWrite;
  MutexLock lock(mutex_);
  while (operation.unwritten() >= kMostUnwritten / 2 && !run.cancellation.requested() &&
         absl::Now() < deadline) {
    written_.WaitFor(mutex_, absl::Milliseconds(100));
  }
}

absl::Status DatabaseOperations::AwaitWritten(const Operation& operation,
                                              const Cancellation* cancellation,
                                              absl::Time deadline) {
  MutexLock lock(mutex_);
  while (operation.owned() && !operation.IsUrgentWritten()) {
    if (cancellation != nullptr && cancellation->requested()) {
      return errors::OperationCancelled(cancellation->why());
    }
    if (absl::Now() >= deadline) {
      return errors::DatabaseUnavailable(workspace_.name,
                                         "what happens to the operation cannot be stored");
    }
    // A request to cancel does not wake it up.
    written_.WaitFor(mutex_, absl::Milliseconds(50));
  }
  return operation.owned() ? absl::OkStatus() : TakenOver();
}

// --- On the thread that follows the store ---

void DatabaseOperations::Follow() {
  absl::Time next_poll = absl::InfinitePast();
  absl::Time not_before = absl::InfinitePast();
  while (AwaitWork(next_poll, not_before)) {
    const absl::Status status = WriteAndPoll(next_poll);
    ReportTrouble(status);
    if (status.ok()) continue;
    ledger_.reset();
    // Who could not look cannot say that others were gone all the time.
    orphaned_since_.clear();
    for (const auto& operation : Owned()) operation->ShowUnwritten();
    not_before = absl::Now() + kBeforeRetry;
    next_poll = not_before;
  }
}

bool DatabaseOperations::AwaitWork(absl::Time next_poll, absl::Time not_before) {
  const absl::Time next_write = std::max(absl::Now() + kBetweenWrites, not_before);
  MutexLock lock(mutex_);
  while (true) {
    const absl::Time now = absl::Now();
    if (stopping_at_ && (!HasUnwritten() || now >= *stopping_at_)) return false;
    absl::Time next = next_poll;
    if (woken_at_once_ || stopping_at_) {
      next = std::min(next, not_before);
    } else if (woken_) {
      next = std::min(next, std::max(next_write, woken_time_ + kGathering));
    }
    if (now >= next) break;
    work_.WaitFor(mutex_, next - now);
  }
  woken_ = false;
  woken_at_once_ = false;
  return true;
}

absl::Status DatabaseOperations::WriteAndPoll(absl::Time& next_poll) {
  absl::Status status = ledger_ == nullptr ? OpenLedger() : absl::OkStatus();
  if (status.ok()) status = WriteAll();
  if (!status.ok() || absl::Now() < next_poll) return status;
  status = Poll();
  bool busy = false;
  for (const auto& operation : Known()) busy = busy || !operation->finished();
  next_poll = absl::Now() + (busy ? kBusyPoll : kIdlePoll);
  return status;
}

absl::Status DatabaseOperations::OpenLedger() {
  auto ledger = store_.OpenLedger(server_.number);
  if (!ledger.ok()) return ledger.status();
  ledger_ = *std::move(ledger);
  // What was written last may have been lost with PostgreSQL, or written though no answer came.
  std::map<std::string, OperationRecord> stored;
  std::vector<std::string> ids;
  const auto owned = Owned();
  for (const auto& operation : owned) ids.push_back(operation->id());
  if (ids.empty()) return absl::OkStatus();
  auto records = ledger_->Read(kNewest, ids);
  if (!records.ok()) return records.status();
  for (OperationRecord& record : *records) stored[record.operation.operation()] = record;
  for (const auto& operation : owned) {
    const auto found = stored.find(operation->id());
    if (found == stored.end()) {
      operation->MarkStored(OperationRecord());
    } else if (found->second.operation.attempt() > operation->attempt() ||
               found->second.operation.last_sequence() > operation->last_sequence() ||
               IsFinal(found->second.operation.state())) {
      GiveUp(*operation);
      operation->Mirror(found->second, {});
    } else {
      operation->MarkStored(found->second);
    }
  }
  return absl::OkStatus();
}

absl::Status DatabaseOperations::WriteAll() {
  for (const auto& operation : Owned()) {
    const auto batch = operation->NextBatch(server_.number);
    if (!batch) continue;
    const absl::Status status = Write(*operation, *batch);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status DatabaseOperations::Write(Operation& operation, const Operation::Batch& batch) {
  const auto written =
      ledger_->Write(batch.record, batch.expected_attempt, batch.events, batch.durability);
  if (!written.ok()) return written.status();
  if (*written) {
    operation.MarkWritten(batch);
    MutexLock lock(mutex_);
    written_.NotifyAll();
  } else {
    GiveUp(operation);
  }
  const migration::v1::Operation& state = batch.record.operation;
  if (*written && !IsFinal(state.state()) && operation.owned()) ledger_->RehearseEnd();
  const int64_t kept = state.last_sequence() - state.first_sequence() + 1;
  if (!*written || kept < settings_.most_events + settings_.most_events / 10 + 1) {
    return absl::OkStatus();
  }
  const auto first =
      ledger_->ForgetEvents(operation.id(), state.last_sequence() - settings_.most_events);
  if (!first.ok()) return first.status();
  operation.SetFirstSequence(*first);
  return absl::OkStatus();
}

void DatabaseOperations::GiveUp(Operation& operation) {
  operation.Disown();
  MutexLock lock(mutex_);
  if (const RunPointer run = FindRun(operation.id())) {
    LogWarning("operation taken over by another server", FieldsOf(operation.Snapshot()));
    run->cancellation.Request("another server has taken the operation over");
  }
  written_.NotifyAll();
}

absl::Status DatabaseOperations::Poll() {
  if (!numbers_) {
    const auto newest = store_.List({}, kNewest, 1);
    if (!newest.ok()) return newest.status();
    numbers_ = NumberTracker(newest->empty() ? 0 : newest->front().number);
  }
  live_servers_.reset();
  std::vector<std::string> ids;
  for (const auto& operation : Known()) {
    if (!operation->finished()) ids.push_back(operation->id());
  }
  auto records = ledger_->Read(numbers_->SeenUpTo(absl::Now()), ids);
  if (!records.ok()) return records.status();
  absl::Status trouble;
  for (const OperationRecord& record : *records) {
    const absl::Status status = See(record);
    if (IsConnectionLoss(status)) return status;
    // What cannot be done about one is no reason not to look at the next.
    if (!status.ok()) trouble = status;
  }
  if (!trouble.ok()) return trouble;
  const absl::Status touched = TouchOwn();
  return touched.ok() ? ForgetOld() : touched;
}

absl::Status DatabaseOperations::See(const OperationRecord& record) {
  numbers_->See(record.number, absl::Now());
  const std::string& id = record.operation.operation();
  {
    MutexLock lock(mutex_);
    if (accepting_.count(id) > 0) return absl::OkStatus();
    const auto known = known_.find(id);
    if (known != known_.end() && known->second->owned()) {
      const RunPointer run = FindRun(id);
      if (run != nullptr && !record.cancel_reason.empty()) {
        run->cancellation.Request(record.cancel_reason);
      }
      return absl::OkStatus();
    }
  }
  return SeeForeign(record);
}

absl::Status DatabaseOperations::SeeForeign(const OperationRecord& record) {
  const migration::v1::Operation& seen = record.operation;
  auto operation = FindKnown(seen.operation());
  const bool is_new = operation == nullptr;
  const migration::v1::Operation known =
      is_new ? migration::v1::Operation() : operation->Snapshot();
  if (is_new || known.SerializeAsString() != seen.SerializeAsString()) {
    StoredEvents events;
    if (seen.last_sequence() - known.last_sequence() <= kLongestPast) {
      auto read = ReadEvents(seen.operation(), known.last_sequence());
      if (!read.ok()) return read.status();
      events = *std::move(read);
    }
    if (is_new) {
      operation = Know(record, events, false);
    } else {
      operation->Mirror(record, events);
    }
  }
  return IsFinal(seen.state()) ? absl::OkStatus() : TakeOverIfOrphan(operation, record);
}

absl::Status DatabaseOperations::TakeOverIfOrphan(const std::shared_ptr<Operation>& operation,
                                                  const OperationRecord& record) {
  const absl::Time now = absl::Now();
  // Let go by its server; or stored for a call of this server that was told that it was not.
  bool is_orphan = record.server == 0 || record.server == server_.number;
  if (!is_orphan) {
    if (!live_servers_) {
      const auto alive = ledger_->ReadLiveServers();
      if (!alive.ok()) return alive.status();
      live_servers_.emplace(alive->begin(), alive->end());
    }
    if (live_servers_->count(record.server) > 0) {
      orphaned_since_.erase(operation->id());
    } else {
      const absl::Time since = orphaned_since_.emplace(operation->id(), now).first->second;
      is_orphan = now - since >= settings_.takeover_after;
    }
  }
  if (!is_orphan) return absl::OkStatus();
  {
    MutexLock lock(mutex_);
    // It may still be on its way out of this server's hands.
    const bool may = !draining_ && FindRun(operation->id()) == nullptr &&
                     now >= no_takeover_before_ && CountRunning() < kMostRunning;
    if (!may) return absl::OkStatus();
  }
  orphaned_since_.erase(operation->id());
  return TakeOver(operation, record);
}

absl::Status DatabaseOperations::TakeOver(const std::shared_ptr<Operation>& operation,
                                          const OperationRecord& record) {
  auto plan = ledger_->ReadPlan(operation->id());
  if (!plan.ok()) return plan.status();
  const migration::v1::Operation& state = record.operation;
  const absl::Status gone = errors::ServerGone(state.server());
  operation->Own();
  if (state.state() != State::STATE_INTERRUPTED) operation->Interrupt(gone, false);
  ExecuteResult end;
  end.rows = {state.resulting_revisions().begin(), state.resulting_revisions().end()};
  if (!record.cancel_reason.empty()) {
    end.status = errors::OperationCancelled(record.cancel_reason);
  } else if (state.attempt() >= LastAttempt(state) || record.age > kLongestInterruption) {
    end.status = errors::OperationInterrupted(state.attempt(), gone);
  }
  if (end.status.ok()) {
    operation->Resume(server_.name);
  } else {
    operation->Finish(end);
  }
  const auto batch = operation->NextBatch(server_.number);
  absl::Status status = batch ? Write(*operation, *batch) : absl::OkStatus();
  if (!status.ok()) {
    // Not again at once: it may be a standby, which refuses for as long as it is one.
    no_takeover_before_ = absl::Now() + kBeforeNextTakeover;
    operation->Disown();
    operation->Mirror(record, {});
  }
  if (!status.ok() || !operation->owned()) return status;
  if (!end.status.ok()) {
    return absl::OkStatus();
  }
  LogWarning(
      "operation taken over",
      FieldsOf(state, {{"from", state.server()}, {"attempt", absl::StrCat(operation->attempt())}}));
  auto run = std::make_shared<Run>();
  run->operation = operation;
  run->plan = *std::move(plan);
  turnstile_.Join(operation->id());
  status = StartThread(run, [this, run] { RunToEnd(*run); });
  if (status.ok()) return absl::OkStatus();
  turnstile_.Leave(operation->id());
  operation->Interrupt(status, true);
  Wake(true);
  return absl::OkStatus();
}

absl::Status DatabaseOperations::TouchOwn() {
  const absl::Time now = absl::Now();
  if (now < next_touch_) return absl::OkStatus();
  next_touch_ = now + kBetweenTouches;
  const auto owned = Owned();
  const bool has_unfinished = std::any_of(
      owned.begin(), owned.end(), [](const auto& operation) { return !operation->finished(); });
  return has_unfinished ? ledger_->Touch(server_.number) : absl::OkStatus();
}

absl::Status DatabaseOperations::ForgetOld() {
  const absl::Time now = absl::Now();
  if (now < next_forgetting_) return absl::OkStatus();
  next_forgetting_ = now + kBetweenForgetting;
  return ledger_->ForgetFinished(settings_.retention);
}

void DatabaseOperations::ReportTrouble(const absl::Status& status) {
  if (status.ok() != in_trouble_) return;
  in_trouble_ = !status.ok();
  if (in_trouble_) {
    LogWarning("operations cannot be stored or followed",
               {{"database", workspace_.name}, {"error", std::string(status.message())}});
  } else {
    LogInfo("operations are stored and followed again", {{"database", workspace_.name}});
  }
}

// --- On any thread ---

std::shared_ptr<Operation> DatabaseOperations::FindKnown(const std::string& id) const {
  MutexLock lock(mutex_);
  const auto found = known_.find(id);
  return found == known_.end() ? nullptr : found->second;
}

std::shared_ptr<Operation> DatabaseOperations::FindRequest(const std::string& request_id) const {
  if (request_id.empty()) return nullptr;
  MutexLock lock(mutex_);
  for (const auto& [id, operation] : known_) {
    if (operation->request_id() == request_id) return operation;
  }
  return nullptr;
}

std::shared_ptr<Operation> DatabaseOperations::Know(const OperationRecord& record,
                                                    const StoredEvents& events, bool own) {
  auto operation = std::make_shared<Operation>(record);
  operation->Mirror(record, events);
  if (own) operation->Own();
  {
    MutexLock lock(mutex_);
    auto& known = known_[operation->id()];
    // The one that is known already follows the store by itself.
    if (known != nullptr) {
      if (own) known->Own();
      return known;
    }
    known = operation;
    known_by_number_[record.number] = operation->id();
    ForgetFinished(*operation);
  }
  if (!own) on_new_();
  return operation;
}

std::shared_ptr<Operation> DatabaseOperations::Recall(const OperationRecord& record) {
  // One that is finished does not change any more: it needs no place among those that do, and is no
  // news to anybody.
  return IsFinal(record.operation.state()) ? std::make_shared<Operation>(record)
                                           : Know(record, {}, false);
}

void DatabaseOperations::ForgetFinished(const Operation& but) {
  auto oldest = known_by_number_.begin();
  while (known_.size() > kMostKnown && oldest != known_by_number_.end()) {
    const Operation& candidate = *known_.at(oldest->second);
    if (&candidate == &but || !candidate.finished() || candidate.unwritten() > 0) {
      ++oldest;
      continue;
    }
    known_.erase(oldest->second);
    oldest = known_by_number_.erase(oldest);
  }
}

absl::StatusOr<StoredEvents> DatabaseOperations::ReadEvents(const std::string& id,
                                                            int64_t after_sequence) {
  StoredEvents events;
  while (true) {
    auto page = store_.ReadEvents(id, events.empty() ? after_sequence : events.back()->sequence());
    if (!page.ok() || page->empty()) return page.ok() ? events : page;
    events.insert(events.end(), page->begin(), page->end());
  }
}

absl::Status DatabaseOperations::StartThread(const RunPointer& run, std::function<void()> body) {
  MutexLock lock(mutex_);
  if (draining_) return errors::Draining();
  const int running = CountRunning();
  if (running >= kMostRunning) return errors::TooManyOperations(kMostRunning);
  try {
    // The thread needs the mutex at its end, hence until `run` is among the others.
    run->thread = std::thread([this, run, body = std::move(body)] {
      body();
      MutexLock ending(mutex_);
      run->ended = true;
      written_.NotifyAll();
    });
  } catch (const std::system_error&) {
    return errors::TooManyOperations(running);
  }
  runs_.push_back(run);
  return absl::OkStatus();
}

int DatabaseOperations::CountRunning() const {
  return static_cast<int>(
      std::count_if(runs_.begin(), runs_.end(), [](const RunPointer& run) { return !run->ended; }));
}

DatabaseOperations::RunPointer DatabaseOperations::FindRun(const std::string& id) const {
  for (const RunPointer& run : runs_) {
    if (!run->ended && run->operation != nullptr && run->operation->id() == id) return run;
  }
  return nullptr;
}

bool DatabaseOperations::HasUnwritten() const {
  return std::any_of(known_.begin(), known_.end(),
                     [](const auto& entry) { return entry.second->unwritten() > 0; });
}

std::vector<std::shared_ptr<Operation>> DatabaseOperations::Owned() const {
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<Operation>> owned;
  for (const auto& [id, operation] : known_) {
    if (operation->owned()) owned.push_back(operation);
  }
  return owned;
}

void DatabaseOperations::JoinEnded() {
  std::vector<RunPointer> ended;
  {
    MutexLock lock(mutex_);
    const auto first_ended = std::partition(runs_.begin(), runs_.end(),
                                            [](const RunPointer& run) { return !run->ended; });
    ended.assign(first_ended, runs_.end());
    runs_.erase(first_ended, runs_.end());
  }
  for (const RunPointer& run : ended) run->thread.join();
}

void DatabaseOperations::Wake(bool at_once) {
  MutexLock lock(mutex_);
  const bool was_woken = woken_at_once_ || (woken_ && !at_once);
  if (!woken_) woken_time_ = absl::Now();
  woken_ = true;
  woken_at_once_ = woken_at_once_ || at_once;
  if (!was_woken) work_.NotifyAll();
}

void DatabaseOperations::LogRunning(absl::string_view message, const std::string& grace) const {
  for (const RunPointer& run : runs_) {
    if (run->ended || run->operation == nullptr || !run->operation->runs()) continue;
    LogInfo(message, FieldsOf(run->operation->Snapshot(), {{"grace", grace}}));
  }
}

void DatabaseOperations::Drain(absl::Duration grace) {
  const absl::Time deadline = absl::Now() + grace;
  const auto let_go = [](Run& run) {
    run.hand_over = true;
    run.cancellation.Request("the server shuts down");
  };
  std::vector<RunPointer> runs;
  {
    MutexLock lock(mutex_);
    draining_ = true;
    // Whoever has not begun does so elsewhere.
    for (const RunPointer& run : runs_) {
      if (run->operation != nullptr && !run->operation->runs()) let_go(*run);
    }
    LogRunning("an operation runs: it is waited for", absl::FormatDuration(grace));
    const auto all_ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return std::all_of(runs_.begin(), runs_.end(),
                         [](const RunPointer& run) { return run->ended; });
    };
    while (!all_ended() && absl::Now() < deadline) {
      written_.WaitFor(mutex_, std::min(deadline - absl::Now(), absl::Seconds(1)));
    }
    LogRunning("an operation still runs: it is stopped, and handed over",
               absl::FormatDuration(grace));
    for (const RunPointer& run : runs_) let_go(*run);
    runs.swap(runs_);
  }
  // What waits for the database from now on is not worth long waiting.
  workspace_.database->Hurry();
  for (const RunPointer& run : runs) run->thread.join();
  MutexLock lock(mutex_);
  if (!stopping_at_) stopping_at_ = absl::Now() + kLastWords;
  work_.NotifyAll();
  // Whoever follows an operation to its end hears of it before the streams are ended.
  while (HasUnwritten() && absl::Now() < *stopping_at_) {
    written_.WaitFor(mutex_, absl::Milliseconds(50));
  }
}

}  // namespace migd
