#include "service/operation/auditor.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/log.h"
#include "service/database/audit_chain.h"

namespace migd {
namespace {

using migration::v1::AuditEntry;

// What more entries than can wait do not have in common.
constexpr char kSeveral[] = "(several)";

// With `\x..` for each byte that is not ASCII.
std::string AsciiOf(absl::string_view text) {
  std::string ascii;
  for (const char c : text) {
    if (absl::ascii_isascii(static_cast<unsigned char>(c))) {
      ascii += c;
    } else {
      absl::StrAppend(&ascii, absl::CHexEscape(absl::string_view(&c, 1)));
    }
  }
  return ascii;
}

bool AreAlike(const AuditEntry& a, const AuditEntry& b) {
  return a.principal() == b.principal() && a.rpc() == b.rpc() && a.outcome() == b.outcome() &&
         a.reason() == b.reason() && a.operation() == b.operation();
}

}  // namespace

AuditQueue::AuditQueue(AuditStore& store, std::string database)
    : store_(store), database_(std::move(database)), thread_([this] { Run(); }) {}

AuditQueue::~AuditQueue() {
  End();
  thread_.join();
}

void AuditQueue::End() {
  MutexLock lock(mutex_);
  ending_ = true;
  changed_.NotifyAll();
}

void AuditQueue::Add(AuditEntry entry) {
  MutexLock lock(mutex_);
  Keep(std::move(entry));
  changed_.NotifyAll();
}

void AuditQueue::Keep(AuditEntry entry) {
  if (waiting_.size() >= kMostWaiting) {
    if (CountWithAnother(entry)) return;
    // One for each outcome is left, whoever calls whatever.
    for (std::string* text : {entry.mutable_principal(), entry.mutable_address(),
                              entry.mutable_rpc(), entry.mutable_reason()}) {
      *text = kSeveral;
    }
    entry.clear_operation();
    if (CountWithAnother(entry)) return;
  }
  waiting_.push_back(std::move(entry));
}

bool AuditQueue::CountWithAnother(const AuditEntry& entry) {
  const auto alike = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const AuditEntry& other) { return AreAlike(entry, other); });
  if (alike == waiting_.end()) return false;
  alike->set_count(alike->count() + entry.count());
  if (alike->request() != entry.request()) alike->set_request(kSeveral);
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
  if (!status.ok()) {
    std::deque<AuditEntry> newer(entries.begin(), entries.end());
    newer.swap(waiting_);
    for (AuditEntry& entry : newer) Keep(std::move(entry));
  }
  if (status.ok() != failing_) return;
  failing_ = !status.ok();
  if (failing_) {
    LogWarning("the audit cannot be written, and waits",
               {{"database", database_}, {"error", std::string(status.message())}});
  } else {
    LogInfo("the audit is written again", {{"database", database_}});
  }
}

Auditor::~Auditor() {
  for (const auto& [name, queue] : queues_) queue->End();
}

void Auditor::Follow(Workspace& workspace) {
  if (workspace.audit == nullptr) return;
  queues_.emplace(workspace.name, std::make_unique<AuditQueue>(*workspace.audit, workspace.name));
}

void Auditor::Note(absl::string_view database, AuditEntry entry) {
  // It may wait for long, and be as large as its caller likes; and a database whose encoding is not
  // UTF-8 must not keep those that wait with it from being written.
  entry = Storable(std::move(entry));
  for (std::string* text : {entry.mutable_principal(), entry.mutable_rpc(), entry.mutable_request(),
                            entry.mutable_request_id()}) {
    *text = AsciiOf(*text);
  }
  entry.set_server(server_);
  if (entry.count() == 0) entry.set_count(1);
  for (const auto& [name, queue] : queues_) {
    if (database.empty() || database == name) queue->Add(entry);
  }
}

}  // namespace migd
