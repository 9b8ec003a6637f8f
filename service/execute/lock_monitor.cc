#include "service/execute/lock_monitor.h"

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

constexpr absl::Duration kBetweenLooks = absl::Seconds(1);

// When a statement is looked at for the first time: most have ended by then.
absl::Duration FirstLook(absl::Duration lock_timeout) {
  constexpr absl::Duration kSoonest = absl::Milliseconds(20);
  if (lock_timeout == absl::ZeroDuration()) return kBetweenLooks;
  return std::clamp(lock_timeout / 2, kSoonest, kBetweenLooks);
}

// Whether the same sessions are in the way, in the same states.
bool SameBlockers(const std::vector<Blocker>& a, const std::vector<Blocker>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Blocker& x, const Blocker& y) {
    return x.pid() == y.pid() && x.state() == y.state() && x.query() == y.query();
  });
}

}  // namespace

LockMonitor::LockMonitor(Database& database, Settings settings, const EventSink& sink)
    : database_(database), settings_(settings), sink_(sink), thread_([this] { Run(); }) {}

LockMonitor::~LockMonitor() {
  {
    MutexLock lock(mutex_);
    finished_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void LockMonitor::Begin(StatementPlace place) {
  MutexLock lock(mutex_);
  running_ = Running{++statements_, std::move(place), absl::Now()};
  blockers_.clear();
  changed_.NotifyAll();
}

void LockMonitor::End() {
  MutexLock lock(mutex_);
  running_.reset();
  changed_.NotifyAll();
}

std::vector<Blocker> LockMonitor::blockers() const {
  MutexLock lock(mutex_);
  return blockers_;
}

void LockMonitor::Run() {
  absl::Time next_look = absl::InfinitePast();
  int64_t looked_at = 0;
  while (true) {
    Running statement;
    {
      MutexLock lock(mutex_);
      if (finished_) return;
      if (!running_) {
        changed_.Wait(mutex_);
        continue;
      }
      if (looked_at != running_->number) {
        looked_at = running_->number;
        next_look = running_->start + FirstLook(settings_.lock_timeout);
      }
      if (absl::Now() < next_look) {
        changed_.WaitFor(mutex_, next_look - absl::Now());
        continue;
      }
      statement = *running_;
    }
    Look(statement);
    next_look = absl::Now() + kBetweenLooks;
  }
}

void LockMonitor::Look(const Running& statement) {
  const auto state = database_.ReadLockState(settings_.pid);
  // The statement goes on all the same; the next look may succeed.
  if (!state.ok()) return;
  Report(statement, *state);
  if (settings_.terminate_blockers) Terminate(statement.place, *state);
}

void LockMonitor::Report(const Running& statement, const LockState& state) {
  {
    MutexLock lock(mutex_);
    // The statement ended while it was looked at: what keeps the next one waiting is another
    // matter.
    if (!running_ || running_->number != statement.number ||
        SameBlockers(blockers_, state.blockers))
      return;
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

void LockMonitor::Terminate(const StatementPlace& place, const LockState& state) {
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
