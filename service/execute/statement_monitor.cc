#include "service/execute/statement_monitor.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/log.h"
#include "service/base/proto_time.h"

namespace migd {
namespace {

using migration::v1::Blocker;
using migration::v1::OperationEvent;
using migration::v1::StatementProgress;

constexpr absl::Duration kBetweenLooks = absl::Seconds(1);

// When a statement is looked at for the first time: most have ended by then.
absl::Duration FirstLook(absl::Duration lock_timeout) {
  constexpr absl::Duration kSoonest = absl::Milliseconds(20);
  if (lock_timeout == absl::ZeroDuration()) return kBetweenLooks;
  return std::clamp(lock_timeout / 2, kSoonest, kBetweenLooks);
}

// How late the thread notices that another statement runs, which it is not told of: so soon that
// the first look still comes well before the timeout.
absl::Duration LongestSleep(absl::Duration lock_timeout) { return FirstLook(lock_timeout) / 2; }

// Whether the same sessions are in the way, in the same states.
bool SameBlockers(const std::vector<Blocker>& a, const std::vector<Blocker>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Blocker& x, const Blocker& y) {
    return x.pid() == y.pid() && x.state() == y.state() && x.query() == y.query();
  });
}

}  // namespace

StatementMonitor::StatementMonitor(Database& database, Settings settings, const EventSink& sink)
    : database_(database), settings_(settings), sink_(sink), thread_([this] { Run(); }) {}

StatementMonitor::~StatementMonitor() {
  {
    MutexLock lock(mutex_);
    finished_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void StatementMonitor::Begin(StatementPlace place) {
  MutexLock lock(mutex_);
  running_ = Running{++statements_, std::move(place), absl::Now()};
  blockers_.clear();
  // Most statements end before the thread would look at them: it is not to be woken for each.
  if (idle_) changed_.NotifyAll();
}

void StatementMonitor::End() {
  MutexLock lock(mutex_);
  running_.reset();
}

std::vector<Blocker> StatementMonitor::blockers() const {
  MutexLock lock(mutex_);
  return blockers_;
}

void StatementMonitor::Run() {
  absl::Time next_look = absl::InfinitePast();
  int64_t looked_at = 0;
  bool dozed = false;
  while (true) {
    Running statement;
    {
      MutexLock lock(mutex_);
      if (finished_) return;
      if (!running_) {
        // Perhaps the next one is about to begin; if none has by then, there may be none for long.
        idle_ = std::exchange(dozed, true);
        if (idle_) {
          changed_.Wait(mutex_);
        } else {
          changed_.WaitFor(mutex_, LongestSleep(settings_.lock_timeout));
        }
        idle_ = false;
        continue;
      }
      dozed = false;
      if (looked_at != running_->number) {
        looked_at = running_->number;
        next_look = running_->start + FirstLook(settings_.lock_timeout);
        told_.Clear();
        estimate_ = PhaseEstimate();
      }
      if (absl::Now() < next_look) {
        changed_.WaitFor(mutex_,
                         std::min(next_look - absl::Now(), LongestSleep(settings_.lock_timeout)));
        continue;
      }
      statement = *running_;
    }
    Look(statement);
    next_look = absl::Now() + kBetweenLooks;
  }
}

void StatementMonitor::Look(const Running& statement) {
  // If a look fails, the statement goes on all the same, and the next look may succeed.
  const auto state = database_.ReadLockState(settings_.pid);
  if (state.ok()) {
    ReportLocks(statement, *state);
    if (settings_.terminate_blockers) Terminate(statement.place, *state);
  }
  // The service's own writes are not of a kind that tells.
  if (statement.place.statement_index == 0) return;
  auto progress = database_.ReadProgress(settings_.pid);
  if (progress.ok() && progress->has_value()) ReportProgress(statement, **std::move(progress));
}

// If not, the statement ended while it was looked at, and what was seen may be of the next one.
bool StatementMonitor::IsRunning(const Running& statement) const {
  return running_ && running_->number == statement.number;
}

void StatementMonitor::ReportProgress(const Running& statement, StatementProgress progress) {
  if (progress.unit() == migration::v1::PROGRESS_UNIT_BYTES && progress.total() == 0) {
    progress.set_total(statement.place.copy_bytes);
  }
  const absl::Time now = absl::Now();
  const auto remaining = estimate_.Update(progress, now);
  {
    MutexLock lock(mutex_);
    if (!IsRunning(statement)) return;
  }
  if (google::protobuf::util::MessageDifferencer::Equals(progress, told_)) return;
  told_ = progress;
  progress.set_revision(statement.place.revision);
  progress.set_statement_index(statement.place.statement_index);
  progress.set_statement_count(statement.place.statement_count);
  *progress.mutable_elapsed() = ToProtoDuration(now - statement.start);
  if (remaining) *progress.mutable_phase_remaining() = ToProtoDuration(*remaining);
  OperationEvent event;
  *event.mutable_statement_progress() = std::move(progress);
  sink_(std::move(event));
}

void StatementMonitor::ReportLocks(const Running& statement, const LockState& state) {
  {
    MutexLock lock(mutex_);
    if (!IsRunning(statement) || SameBlockers(blockers_, state.blockers)) return;
    blockers_ = state.blockers;
  }
  OperationEvent event;
  migration::v1::LockWait& wait = *event.mutable_lock_wait();
  wait.set_revision(statement.place.revision);
  wait.set_statement_index(statement.place.statement_index);
  wait.set_statement_count(statement.place.statement_count);
  wait.set_relation(state.relation);
  wait.set_lock_mode(state.mode);
  *wait.mutable_waited() = ToProtoDuration(absl::Now() - statement.start);
  wait.mutable_blockers()->Add(state.blockers.begin(), state.blockers.end());
  sink_(std::move(event));
}

void StatementMonitor::Terminate(const StatementPlace& place, const LockState& state) {
  for (const Blocker& blocker : state.blockers) {
    if (!blocker.holds_lock() || blocker.pid() == 0) continue;
    const auto terminated = database_.TerminateSession(blocker.pid());
    OperationEvent event;
    migration::v1::BlockerTerminated& out = *event.mutable_blocker_terminated();
    out.set_revision(place.revision);
    *out.mutable_blocker() = blocker;
    out.set_terminated(terminated.ok() && *terminated);
    LogWarning("session terminated", {{"pid", absl::StrCat(blocker.pid())},
                                      {"user", blocker.user()},
                                      {"application", blocker.application()},
                                      {"revision", place.revision},
                                      {"terminated", out.terminated() ? "true" : "false"}});
    sink_(std::move(event));
  }
}

}  // namespace migd
