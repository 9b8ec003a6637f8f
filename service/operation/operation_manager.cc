#include "service/operation/operation_manager.h"

#include <algorithm>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/log.h"

namespace migd {
namespace {

// Sixty random bits in Crockford's base 32: no letters that are mistaken for one another.
std::string NewOperationId() {
  constexpr absl::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
  absl::BitGen random;
  std::string id;
  for (int i = 0; i < 12; ++i) id += kAlphabet[absl::Uniform<size_t>(random, 0, kAlphabet.size())];
  return id;
}

void LogEnd(const Operation& operation, const ExecuteResult& result) {
  const std::string rows = absl::StrJoin(result.rows, ",");
  if (result.status.ok()) {
    LogInfo("operation finished", {{"operation", operation.id()},
                                   {"steps", absl::StrCat(result.finished_steps)},
                                   {"revisions", rows}});
    return;
  }
  LogWarning("operation failed", {{"operation", operation.id()},
                                  {"reason", errors::ReasonName(errors::ReasonOf(result.status))},
                                  {"steps", absl::StrCat(result.finished_steps)},
                                  {"revisions", rows},
                                  {"error", std::string(result.status.message())}});
}

}  // namespace

OperationManager::~OperationManager() { Drain(absl::ZeroDuration()); }

absl::StatusOr<std::shared_ptr<Operation>> OperationManager::Start(Workspace& workspace,
                                                                   OperationRequest request) {
  JoinEnded();
  MutexLock lock(mutex_);
  if (!request.request_id.empty()) {
    for (const auto& known : operations_) {
      if (known->request().request_id != request.request_id) continue;
      if (known->request() == request) return known;
      return errors::RequestIdReused(request.request_id, known->id());
    }
  }
  if (draining_) return errors::Draining();
  if (running_ >= kMostRunning) return errors::TooManyOperations(kMostRunning);
  ForgetOldest();

  auto operation = std::make_shared<Operation>(NewOperationId(), std::move(request));
  Turnstile& turnstile = turnstiles_[&workspace];
  turnstile.Join(operation->id());
  // The thread waits for the mutex at its end, hence until this function has returned.
  std::thread thread;
  try {
    thread = std::thread([this, &workspace, &turnstile, operation] {
      RunOperation(workspace, turnstile, *operation);
    });
  } catch (const std::system_error&) {
    turnstile.Leave(operation->id());
    return errors::TooManyOperations(running_);
  }
  LogInfo("operation accepted",
          {{"operation", operation->id()},
           {"database", workspace.name},
           {"action", migration::v1::Action_Name(operation->request().action)},
           {"targets", absl::StrJoin(operation->request().targets, ",")}});
  operations_.push_back(operation);
  ++running_;
  runs_.push_back({operation, std::move(thread)});
  return operation;
}

void OperationManager::RunOperation(Workspace& workspace, Turnstile& turnstile,
                                    Operation& operation) {
  const OperationRequest& request = operation.request();
  ExecuteRequest run;
  run.action = request.action;
  run.targets = request.targets;
  run.purge = request.purge;
  run.timeouts = request.timeouts;
  run.lock_retries = request.lock_retries;
  run.terminate_blockers = request.terminate_blockers;
  run.decisions = request.decisions;
  run.operation = operation.id();
  if (request.mutex_timeout > absl::ZeroDuration()) {
    run.mutex_deadline = absl::Now() + request.mutex_timeout;
  }

  ExecuteResult result;
  result.status =
      turnstile.WaitForTurn(operation.id(), run.mutex_deadline, operation.cancellation(),
                            [&operation](const std::string& holder) {
                              migration::v1::OperationEvent event;
                              event.mutable_waiting_for_mutex()->set_holder_operation(holder);
                              operation.Append(std::move(event));
                            });
  if (result.status.ok()) {
    const EventSink append = [&operation](migration::v1::OperationEvent event) {
      operation.Append(std::move(event));
    };
    try {
      result = Execute(workspace, run, operation.cancellation(), append);
    } catch (const std::exception& fault) {
      // Out of memory or of threads: this operation ends, and says so; the others go on.
      result.status = errors::Internal(fault.what());
    }
  }
  turnstile.Leave(operation.id());
  LogEnd(operation, result);
  operation.Finish(result);

  MutexLock lock(mutex_);
  --running_;
  ended_.NotifyAll();
}

absl::StatusOr<std::shared_ptr<Operation>> OperationManager::Find(absl::string_view id) const {
  if (id.empty()) return errors::InvalidRequest("operation", "is empty; name an operation");
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<Operation>> found;
  for (const auto& operation : operations_) {
    if (operation->id() == id) return operation;
    if (absl::StartsWith(operation->id(), id)) found.push_back(operation);
  }
  if (found.empty()) return errors::UnknownOperation(id);
  if (found.size() == 1) return found.front();
  errors::Strings candidates;
  for (const auto& operation : found) candidates.push_back(operation->id());
  return errors::AmbiguousOperation(id, candidates);
}

std::vector<std::shared_ptr<Operation>> OperationManager::List(
    const OperationFilter& filter) const {
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<Operation>> matching;
  for (auto it = operations_.rbegin(); it != operations_.rend(); ++it) {
    const migration::v1::Operation snapshot = (*it)->Snapshot();
    const bool state_matches =
        filter.states.empty() || std::find(filter.states.begin(), filter.states.end(),
                                           snapshot.state()) != filter.states.end();
    if (state_matches && (filter.database.empty() || filter.database == snapshot.database())) {
      matching.push_back(*it);
    }
  }
  return matching;
}

void OperationManager::ForgetOldest() {
  while (operations_.size() >= kKept) {
    const auto oldest =
        std::find_if(operations_.begin(), operations_.end(),
                     [](const std::shared_ptr<Operation>& o) { return o->finished(); });
    if (oldest == operations_.end()) return;
    operations_.erase(oldest);
  }
}

void OperationManager::JoinEnded() {
  std::vector<Run> ended;
  {
    MutexLock lock(mutex_);
    const auto first_ended = std::partition(
        runs_.begin(), runs_.end(), [](const Run& run) { return !run.operation->finished(); });
    std::move(first_ended, runs_.end(), std::back_inserter(ended));
    runs_.erase(first_ended, runs_.end());
  }
  for (Run& run : ended) run.thread.join();
}

bool OperationManager::WaitUntilIdle(absl::Time deadline) {
  while (running_ > 0 && absl::Now() < deadline) {
    ended_.WaitFor(mutex_, std::min(deadline - absl::Now(), absl::Seconds(1)));
  }
  return running_ == 0;
}

void OperationManager::Drain(absl::Duration grace) {
  std::vector<Run> runs;
  {
    MutexLock lock(mutex_);
    draining_ = true;
    if (!WaitUntilIdle(absl::Now() + grace)) {
      for (const Run& run : runs_) run.operation->cancellation().Request("the server shuts down");
    }
    runs.swap(runs_);
  }
  for (Run& run : runs) run.thread.join();
}

}  // namespace migd
