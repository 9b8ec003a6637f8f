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
  Keep(std::move(entry), waiting_);
  changed_.NotifyAll();
}

void AuditQueue::AddRepeated(AuditEntry entry) {
  MutexLock lock(mutex_);
  if (repeated_.empty() && absl::Now() >= next_repeats_) {
    recent_.clear();
    next_repeats_ = absl::Now() + kBetweenRepeats;
  }
  if (recent_.size() < kMostWaiting && !CountWithAnother(entry, recent_)) {
    recent_.push_back(entry);
    Keep(std::move(entry), waiting_);
  } else if (!CountWithAnother(entry, repeated_)) {
    Keep(std::move(entry), repeated_);
  }
  changed_.NotifyAll();
}

void AuditQueue::Keep(AuditEntry entry, Entries& entries) {
  if (entries.size() >= kMostWaiting) {
    if (CountWithAnother(entry, entries)) return;
    // One for each outcome is left, whoever calls whatever.
    for (std::string* text : {entry.mutable_principal(), entry.mutable_address(),
                              entry.mutable_rpc(), entry.mutable_reason()}) {
      *text = kSeveral;
    }
    entry.clear_operation();
    if (CountWithAnother(entry, entries)) return;
  }
  entries.push_back(std::move(entry));
}

bool AuditQueue::CountWithAnother(const AuditEntry& entry, Entries& entries) {
  const auto alike = std::find_if(entries.begin(), entries.end(),
                                  [&](const AuditEntry& other) { return AreAlike(entry, other); });
  if (alike == entries.end()) return false;
  alike->set_count(alike->count() + entry.count());
  if (alike->request() != entry.request()) alike->set_request(kSeveral);
  return true;
}

void AuditQueue::Run() {
  MutexLock lock(mutex_);
  while (!ending_) {
    const absl::Duration pause = Due() - absl::Now();
    if (pause > absl::ZeroDuration()) {
      changed_.WaitFor(mutex_, pause);
      continue;
    }
    Write();
    const absl::Time next = absl::Now() + kBetweenWrites;
    while (!ending_ && absl::Now() < next) changed_.WaitFor(mutex_, next - absl::Now());
  }
  if (!waiting_.empty() || !repeated_.empty()) Write();
}

absl::Time AuditQueue::Due() const {
  if (!waiting_.empty()) return absl::InfinitePast();
  return repeated_.empty() ? absl::InfiniteFuture() : next_repeats_;
}

void AuditQueue::Write() {
  std::vector<AuditEntry> entries(waiting_.begin(), waiting_.end());
  waiting_.clear();
  if (!repeated_.empty() && (ending_ || absl::Now() >= next_repeats_)) {
    entries.insert(entries.end(), repeated_.begin(), repeated_.end());
    recent_.swap(repeated_);
    repeated_.clear();
    next_repeats_ = absl::Now() + kBetweenRepeats;
  }
  mutex_.Unlock();
  const absl::Status status = store_.Append(entries);
  mutex_.Lock();
  if (!status.ok()) {
    Entries newer(entries.begin(), entries.end());
    newer.swap(waiting_);
    for (AuditEntry& entry : newer) Keep(std::move(entry), waiting_);
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
  AddTo(database, std::move(entry), &AuditQueue::Add);
}

void Auditor::NoteRepeated(absl::string_view database, AuditEntry entry) {
  AddTo(database, std::move(entry), &AuditQueue::AddRepeated);
}

void Auditor::AddTo(absl::string_view database, AuditEntry entry,
                    void (AuditQueue::*add)(AuditEntry)) {
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
    if (database.empty() || database == name) ((*queue).*add)(entry);
  }
}

}  // namespace migd
