#include "service/rpc/wait_room.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/types/optional.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/revision/standing.h"
#include "service/rpc/row_poller.h"

namespace migd {
namespace {

using migration::v1::WaitResponse;
using Targets = absl::StatusOr<std::vector<RevisionIndex>>;

// Looking through a large directory takes its time; no more than a tenth of a processor goes there.
constexpr int kPausePerLoad = 9;

WaitResponse::Outcome OutcomeOf(Standing standing) {
  switch (standing) {
    case Standing::kAt:
      return WaitResponse::OUTCOME_AT;
    case Standing::kAhead:
      return WaitResponse::OUTCOME_AHEAD;
    case Standing::kAheadUnknown:
      return WaitResponse::OUTCOME_AHEAD_UNKNOWN;
    case Standing::kBelow:
      break;
  }
  return WaitResponse::OUTCOME_UNSPECIFIED;
}

// The first few of `names`.
std::string Shortened(const std::vector<std::string>& names) {
  constexpr size_t kMost = 5;
  const size_t shown = std::min(names.size(), kMost);
  const std::string list = absl::StrJoin(names.begin(), names.begin() + shown, ", ");
  return shown == names.size() ? list : absl::StrCat(list, " and ", names.size() - shown, " more");
}

}  // namespace

// Somebody who waits.
struct WaitRoom::Waiter {
  const Ticket ticket;
  Desk& desk;
  const Wish wish;
  const Answer answer;
  const absl::Time begin;
  // Of those who look once: never.
  const absl::Time deadline;
  // The first reading of the rows that counts.
  const int64_t first_reading;
  // The files could be read since it came. For the room's thread alone.
  bool has_files = false;
};

// What is known of one database and its files, and who reads its rows. But for the poller it is for
// the room's thread alone.
class WaitRoom::Desk {
 public:
  Desk(Workspace& workspace, absl::Duration interval, std::function<void()> on_reading)
      : workspace_(workspace),
        poller_(*workspace.database, interval,
                [told = std::move(on_reading)](const RowPoller::Reading&) { told(); }) {}

  RowPoller& poller() { return poller_; }

  // Takes up what has changed. `newcomers`: for somebody who must see the files as they are now.
  void Refresh(bool newcomers) {
    const absl::Time begin = absl::Now();
    if (newcomers || begin >= next_load_) {
      LoadFiles();
      next_load_ = absl::Now() + kPausePerLoad * (absl::Now() - begin);
    }
    // Not kept for longer, or they would be as many as the symbols that anybody ever thought of.
    targets_.clear();
    reading_ = poller_.newest();
    if (scripts_ == nullptr || reading_ == nullptr || !reading_->rows.ok()) return;
    if (applied_ && applied_->rows() == *reading_->rows) return;
    applied_.emplace(scripts_->graph(), *reading_->rows);
  }

  // What to tell `waiter`; nothing as long as it is to wait.
  absl::optional<absl::StatusOr<WaitResponse>> Judge(Waiter& waiter) {
    if (!waiter.has_files && !files_status_.ok()) return files_status_;
    waiter.has_files = true;
    const Targets& targets = TargetsOf(waiter.wish.symbol);
    if (!targets.ok()) return targets.status();
    const bool has_looked = reading_ != nullptr && reading_->number >= waiter.first_reading;
    if (has_looked && reading_->rows.ok()) {
      const Standing standing = applied_->CompareWith(*targets);
      if (standing != Standing::kBelow) return Response(waiter, *targets, standing);
    }
    const bool looks_once = waiter.wish.timeout == absl::ZeroDuration();
    if (absl::Now() >= waiter.deadline || (looks_once && has_looked)) {
      return Timeout(waiter, *targets);
    }
    return absl::nullopt;
  }

 private:
  void LoadFiles() {
    auto loaded = workspace_.scripts->Load();
    files_status_ = loaded.status();
    if (!loaded.ok() || *loaded == scripts_) return;
    applied_.reset();
    scripts_ = *std::move(loaded);
  }

  const Targets& TargetsOf(const RevisionSymbol& symbol) {
    const auto found = targets_.find(symbol.text);
    if (found != targets_.end()) return found->second;
    return targets_.emplace(symbol.text, ResolveAwaited(scripts_->graph(), symbol)).first->second;
  }

  WaitResponse Response(const Waiter& waiter, const std::vector<RevisionIndex>& targets,
                        Standing standing) const {
    WaitResponse response;
    response.set_outcome(OutcomeOf(standing));
    const auto& rows = applied_->rows();
    response.mutable_revisions()->Assign(rows.begin(), rows.end());
    for (const std::string& id : Ids(scripts_->graph(), targets)) {
      response.add_target_revisions(id);
    }
    const auto& unknown = applied_->unknown_rows();
    response.mutable_unknown_revisions()->Assign(unknown.begin(), unknown.end());
    response.set_database(workspace_.name);
    *response.mutable_waited() = ToProtoDuration(absl::Now() - waiter.begin);
    return response;
  }

  absl::Status Timeout(const Waiter& waiter, const std::vector<RevisionIndex>& targets) const {
    std::string revision = waiter.wish.symbol.text;
    const std::vector<std::string> ids = Ids(scripts_->graph(), targets);
    if (ids != std::vector<std::string>{revision}) {
      absl::StrAppend(&revision, " (", ids.empty() ? "base" : Shortened(ids), ")");
    }
    std::vector<std::string> rows;
    std::string place;
    if (reading_ == nullptr) {
      place = "it has not answered so far";
    } else if (!reading_->rows.ok()) {
      place = std::string(reading_->rows.status().message());
    } else {
      rows.assign(reading_->rows->begin(), reading_->rows->end());
      place = rows.empty() ? "no revision is applied" : absl::StrCat("it is at ", Shortened(rows));
    }
    if (!files_status_.ok()) absl::StrAppend(&place, "; ", files_status_.message());
    return errors::WaitTimeout(revision, waiter.wish.timeout, place, rows);
  }

  Workspace& workspace_;
  // The files as they were when they could be read last, and whether they can be now.
  std::shared_ptr<const ScriptSet> scripts_;
  absl::Status files_status_;
  absl::Time next_load_ = absl::InfinitePast();
  // By the texts of the symbols, since the last Refresh.
  std::map<std::string, Targets> targets_;
  std::shared_ptr<const RowPoller::Reading> reading_;
  // What the last rows that could be read say in `scripts_`.
  absl::optional<AppliedRevisions> applied_;
  RowPoller poller_;  // last: its thread runs with everything above in place
};

WaitRoom::WaitRoom(absl::Duration interval) : interval_(interval) {}

WaitRoom::~WaitRoom() {
  Close();
  std::thread thread;
  std::map<const Workspace*, std::unique_ptr<Desk>> desks;
  {
    MutexLock lock(mutex_);
    thread = std::move(thread_);
    desks.swap(desks_);
  }
  if (thread.joinable()) thread.join();
  // What is destroyed now are the pollers, which may still tell news.
}

WaitRoom::Ticket WaitRoom::Enter(Workspace& workspace, Wish wish, Answer answer) {
  const absl::Time now = absl::Now();
  const absl::Time deadline =
      wish.timeout == absl::ZeroDuration() ? absl::InfiniteFuture() : now + wish.timeout;
  Ticket ticket;
  {
    MutexLock lock(mutex_);
    ticket = ++last_ticket_;
    if (!closed_) {
      Desk& desk = DeskOf(workspace);
      waiters_.emplace(
          ticket, std::make_shared<Waiter>(Waiter{ticket, desk, std::move(wish), std::move(answer),
                                                  now, deadline, desk.poller().Join()}));
      news_ = true;
      changed_.NotifyAll();
      return ticket;
    }
  }
  answer(errors::Draining());
  return ticket;
}

bool WaitRoom::Leave(Ticket ticket) { return Take(ticket) != nullptr; }

void WaitRoom::Close() {
  std::map<Ticket, WaiterPointer> waiters;
  {
    MutexLock lock(mutex_);
    closed_ = true;
    waiters.swap(waiters_);
    for (const auto& [workspace, desk] : desks_) desk->poller().End();
    changed_.NotifyAll();
  }
  for (const auto& [ticket, waiter] : waiters) {
    waiter->desk.poller().Leave();
    waiter->answer(errors::Draining());
  }
}

int WaitRoom::size() const {
  MutexLock lock(mutex_);
  return static_cast<int>(waiters_.size());
}

WaitRoom::Desk& WaitRoom::DeskOf(Workspace& workspace) {
  if (!thread_.joinable()) thread_ = std::thread([this] { Serve(); });
  std::unique_ptr<Desk>& desk = desks_[&workspace];
  if (desk == nullptr) {
    desk = std::make_unique<Desk>(workspace, interval_, [this] { TellNews(); });
  }
  return *desk;
}

void WaitRoom::Serve() {
  while (true) {
    const std::vector<WaiterPointer> waiters = AwaitNews();
    if (waiters.empty()) return;
    LookAfter(waiters);
  }
}

std::vector<WaitRoom::WaiterPointer> WaitRoom::AwaitNews() {
  MutexLock lock(mutex_);
  while (!closed_ && (waiters_.empty() || (!news_ && absl::Now() < NextDeadline()))) {
    changed_.WaitFor(mutex_, NextDeadline() - absl::Now());
  }
  news_ = false;
  std::vector<WaiterPointer> waiters;
  for (const auto& [ticket, waiter] : waiters_) waiters.push_back(waiter);
  return waiters;
}

absl::Time WaitRoom::NextDeadline() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [ticket, waiter] : waiters_) next = std::min(next, waiter->deadline);
  return next;
}

void WaitRoom::LookAfter(const std::vector<WaiterPointer>& waiters) {
  // By desk, whether somebody there has not seen the files yet.
  std::map<Desk*, bool> desks;
  for (const WaiterPointer& waiter : waiters) desks[&waiter->desk] |= !waiter->has_files;
  for (const auto& [desk, newcomers] : desks) desk->Refresh(newcomers);
  for (const WaiterPointer& waiter : waiters) {
    const auto answer = waiter->desk.Judge(*waiter);
    if (answer && Take(waiter->ticket) != nullptr) waiter->answer(*answer);
  }
}

WaitRoom::WaiterPointer WaitRoom::Take(Ticket ticket) {
  MutexLock lock(mutex_);
  const auto found = waiters_.find(ticket);
  if (found == waiters_.end()) return nullptr;
  WaiterPointer waiter = std::move(found->second);
  waiters_.erase(found);
  waiter->desk.poller().Leave();
  return waiter;
}

void WaitRoom::TellNews() {
  MutexLock lock(mutex_);
  news_ = true;
  changed_.NotifyAll();
}

}  // namespace migd
