#include "service/operation/auditor.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "service/base/log.h"

namespace migd {
namespace {

using migration::v1::AuditEntry;

// For more callers than entries can wait.
constexpr char kOthers[] = "(several)";

bool AreAlike(const AuditEntry& a, const AuditEntry& b) {
  return a.principal() == b.principal() && a.rpc() == b.rpc() && a.outcome() == b.outcome() &&
         a.reason() == b.reason() && a.operation() == b.operation();
}

}  // namespace

AuditQueue::AuditQueue(AuditStore& store, std::string database)
    : store_(store), database_(std::move(database)), thread_([this] { Run(); }) {}

AuditQueue::~AuditQueue() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void AuditQueue::Add(AuditEntry entry) {
  MutexLock lock(mutex_);
  if (waiting_.size() >= kMostWaiting) {
    if (CountWithAnother(entry)) return;
    entry.set_principal(kOthers);
    entry.set_address(kOthers);
    if (CountWithAnother(entry)) return;
  }
  waiting_.push_back(std::move(entry));
  changed_.NotifyAll();
}

bool AuditQueue::CountWithAnother(const AuditEntry& entry) {
  const auto alike = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const AuditEntry& other) { return AreAlike(entry, other); });
  if (alike == waiting_.end()) return false;
  alike->set_count(alike->count() + entry.count());
  if (alike->request() != entry.request()) alike->set_request("(several)");
  return true;
}

void AuditQueue::Run() {
  MutexLock lock(mutex_);
  while (!ending_) {
    if (waiting_.empty()) {
      changed_.Wait(mutex_);
      continue;
    }
    Write();
    const absl::Time next = absl::Now() + kBetweenWrites;
    while (!ending_ && absl::Now() < next) changed_.WaitFor(mutex_, next - absl::Now());
  }
  if (!waiting_.empty()) Write();
}

void AuditQueue::Write() {
  const std::vector<AuditEntry> entries(waiting_.begin(), waiting_.end());
  waiting_.clear();
  mutex_.Unlock();
  const absl::Status status = store_.Append(entries);
  mutex_.Lock();
  if (!status.ok()) waiting_.insert(waiting_.begin(), entries.begin(), entries.end());
  if (status.ok() != failing_) return;
  failing_ = !status.ok();
  if (failing_) {
    LogWarning("the audit cannot be written, and waits",
               {{"database", database_}, {"error", std::string(status.message())}});
  } else {
    LogInfo("the audit is written again", {{"database", database_}});
  }
}

void Auditor::Follow(Workspace& workspace) {
  if (workspace.audit == nullptr) return;
  queues_.emplace(workspace.name, std::make_unique<AuditQueue>(*workspace.audit, workspace.name));
}

void Auditor::Note(absl::string_view database, AuditEntry entry) {
  entry.set_server(server_);
  if (entry.count() == 0) entry.set_count(1);
  for (const auto& [name, queue] : queues_) {
    if (database.empty() || database == name) queue->Add(entry);
  }
}

}  // namespace migd
