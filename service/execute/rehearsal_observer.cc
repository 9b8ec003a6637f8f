#include "service/execute/rehearsal_observer.h"

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/mutex.h"

namespace migd {
namespace {

using migration::v1::LockMode;

void Merge(const RelationLocks& from, RelationLocks& into) {
  for (const auto& [relation, mode] : from) {
    LockMode& strongest = into[relation];
    strongest = std::max(strongest, mode);
  }
}

}  // namespace

// Looks at the locks of a session, again and again, until it is asked for them.
class RehearsalObserver::Sampler {
 public:
  Sampler(Database& database, int pid) {
    // The first look makes the connection; what it sees is from before the statement.
    if (!database.ReadHeldLocks(pid).ok()) return;
    thread_ = std::thread([this, &database, pid] { Run(database, pid); });
  }
  ~Sampler() { Stop(); }

  // Ends the looking; what was seen.
  RelationLocks Stop() {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
    }
    if (thread_.joinable()) thread_.join();
    MutexLock lock(mutex_);
    return seen_;
  }

 private:
  void Run(Database& database, int pid) {
    while (true) {
      const auto locks = database.ReadHeldLocks(pid);
      MutexLock lock(mutex_);
      if (locks.ok()) Merge(*locks, seen_);
      // Without a pause: on tables without rows a statement takes some milliseconds.
      if (stopping_ || !locks.ok()) return;
    }
  }

  Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  RelationLocks seen_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

RehearsalObserver::RehearsalObserver(Database& scratch, const RelationFiles& live)
    : scratch_(scratch) {
  for (const auto& [number, relation] : live) live_[relation.name] = relation;
}

RehearsalObserver::~RehearsalObserver() = default;

absl::Status RehearsalObserver::Before(Session& session) {
  trace_ = StatementTrace();
  auto relations = session.ReadRelations();
  if (!relations.ok()) return relations.status();
  relations_ = *std::move(relations);
  if (initial_ == nullptr) initial_ = std::make_unique<RelationFiles>(relations_);
  locks_.clear();
  if (session.InTransaction()) {
    auto locks = session.ReadHeldLocks();
    if (!locks.ok()) return locks.status();
    locks_ = *std::move(locks);
  } else {
    sampler_ = std::make_unique<Sampler>(scratch_, session.pid());
  }
  start_ = absl::Now();
  return absl::OkStatus();
}

absl::Status RehearsalObserver::After(Session& session, const StatementResult* result) {
  trace_.duration = absl::Now() - start_;
  RelationLocks locks;
  if (sampler_ != nullptr) {
    locks = sampler_->Stop();
    sampler_.reset();
  }
  // After an error the transaction answers nothing.
  if (result == nullptr || result->error) return absl::OkStatus();
  if (session.InTransaction()) {
    const auto held = session.ReadHeldLocks();
    if (!held.ok()) return held.status();
    Merge(*held, locks);
  }
  const auto relations = session.ReadRelations();
  if (!relations.ok()) return relations.status();
  Compare(locks, *relations);
  // TRUNCATE gives a table a new file too, and writes nothing into it.
  if (absl::StartsWith(result->command_tag, "TRUNCATE")) trace_.rewrites.clear();
  return absl::OkStatus();
}

void RehearsalObserver::Compare(const RelationLocks& locks, const RelationFiles& relations) {
  for (const auto& [number, mode] : locks) {
    const auto relation = relations_.find(number);
    const auto held = locks_.find(number);
    // An index that was dropped is not told from a table by pg_locks alone.
    if (relation == relations_.end() || !relation->second.table.empty() ||
        (held != locks_.end() && held->second >= mode))
      continue;
    migration::v1::RelationLock& lock = trace_.locks.emplace_back();
    lock.set_relation(relation->second.name);
    lock.set_mode(mode);
    // Those of the copy, which is empty, say nothing.
    lock.set_estimated_rows(-1);
    lock.set_size_bytes(-1);
    lock.set_is_new(initial_->count(number) == 0);
  }
  std::sort(trace_.locks.begin(), trace_.locks.end(), [](const auto& a, const auto& b) {
    return std::make_tuple(-a.mode(), a.relation()) < std::make_tuple(-b.mode(), b.relation());
  });

  std::set<std::string> rewritten;
  std::vector<const RelationFile*> indexes;
  for (const auto& [number, before] : relations_) {
    const auto after = relations.find(number);
    if (after == relations.end() || before.file == 0 || after->second.file == before.file) continue;
    if (!before.table.empty()) {
      indexes.push_back(&before);
      continue;
    }
    rewritten.insert(before.name);
    trace_.rewrites.push_back(WorkOn(migration::v1::RELATION_WORK_KIND_REWRITE, before,
                                     "it has another file than before"));
  }
  for (const RelationFile* index : indexes) {
    // The indexes of a table go with it.
    if (rewritten.count(index->table) > 0) continue;
    trace_.rewrites.push_back(WorkOn(migration::v1::RELATION_WORK_KIND_INDEX_BUILD, *index,
                                     absl::StrCat("index of ", index->table, ", built anew")));
  }
}

migration::v1::RelationWork RehearsalObserver::WorkOn(migration::v1::RelationWorkKind kind,
                                                      const RelationFile& relation,
                                                      const std::string& reason) const {
  migration::v1::RelationWork work;
  work.set_kind(kind);
  work.set_relation(relation.name);
  work.set_reason(reason);
  const auto live = live_.find(relation.name);
  work.set_estimated_rows(live == live_.end() ? -1 : live->second.estimated_rows);
  work.set_size_bytes(live == live_.end() ? -1 : live->second.size_bytes);
  return work;
}

}  // namespace migd
