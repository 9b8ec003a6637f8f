#include "service/operation/auditor.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"

namespace migd {
namespace {

using migration::v1::AuditEntry;
using ::testing::ElementsAre;
using ::testing::Le;
using ::testing::SizeIs;

// Keeps what is added, unless it is made to fail or to wait.
class FakeAuditStore : public AuditStore {
 public:
  absl::Status Append(const std::vector<AuditEntry>& entries) override {
    MutexLock lock(mutex_);
    ++attempts_;
    changed_.NotifyAll();
    while (held_) changed_.Wait(mutex_);
    if (!failure_.ok()) return failure_;
    entries_.insert(entries_.end(), entries.begin(), entries.end());
    changed_.NotifyAll();
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<AuditEntry>> ListNewest(int64_t, absl::string_view, int) override {
    return entries();
  }
  absl::StatusOr<std::vector<AuditEntry>> ListOldest(int64_t, int) override { return entries(); }

  void FailWith(absl::Status failure) {
    MutexLock lock(mutex_);
    failure_ = std::move(failure);
  }
  // Lets Append wait, or go on.
  void Hold(bool held) {
    MutexLock lock(mutex_);
    held_ = held;
    changed_.NotifyAll();
  }
  void AwaitAttempts(int attempts) {
    MutexLock lock(mutex_);
    while (attempts_ < attempts) changed_.Wait(mutex_);
  }
  std::vector<AuditEntry> AwaitEntries(size_t count) {
    MutexLock lock(mutex_);
    while (entries_.size() < count) changed_.Wait(mutex_);
    return entries_;
  }
  std::vector<AuditEntry> entries() {
    MutexLock lock(mutex_);
    return entries_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  int attempts_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::vector<AuditEntry> entries_ ABSL_GUARDED_BY(mutex_);
};

AuditEntry Refused(const std::string& principal, const std::string& request = "head") {
  AuditEntry entry;
  entry.set_principal(principal);
  entry.set_rpc("Upgrade");
  entry.set_request(request);
  entry.set_outcome(AuditEntry::OUTCOME_REFUSED);
  entry.set_count(1);
  return entry;
}

TEST(AuditQueue, WritesWhatIsAdded) {
  FakeAuditStore store;
  AuditQueue queue(store, "app");
  queue.Add(Refused("a"));
  EXPECT_EQ(store.AwaitEntries(1).front().principal(), "a");
}

TEST(AuditQueue, WritesWhatWaitsWhenItEnds) {
  FakeAuditStore store;
  {
    AuditQueue queue(store, "app");
    for (int i = 0; i < 5; ++i) queue.Add(Refused(absl::StrCat("a", i)));
  }
  EXPECT_THAT(store.entries(), SizeIs(5));
}

TEST(AuditQueue, KeepsWhatCannotBeWrittenUntilItCan) {
  FakeAuditStore store;
  store.FailWith(errors::DatabaseUnavailable("app", "gone"));
  AuditQueue queue(store, "app");
  queue.Add(Refused("a"));
  queue.Add(Refused("b"));
  store.AwaitAttempts(1);
  store.FailWith(absl::OkStatus());
  const auto entries = store.AwaitEntries(2);
  EXPECT_EQ(entries[0].principal(), "a");
  EXPECT_EQ(entries[1].principal(), "b");
}

TEST(AuditQueue, CountsAFloodInsteadOfKeepingIt) {
  FakeAuditStore store;
  store.Hold(true);
  constexpr int kCalls = 10'000;
  {
    AuditQueue queue(store, "app");
    queue.Add(Refused("first"));
    store.AwaitAttempts(1);
    for (int i = 0; i < kCalls; ++i) queue.Add(Refused("a", absl::StrCat("target", i)));
    store.Hold(false);
  }
  int64_t calls = 0;
  for (const AuditEntry& entry : store.entries()) calls += entry.count();
  EXPECT_EQ(calls, kCalls + 1);
  EXPECT_THAT(store.entries().size(), Le(AuditQueue::kMostWaiting + 1));
}

TEST(AuditQueue, CountsAFloodOfManyCallersTogether) {
  FakeAuditStore store;
  store.Hold(true);
  {
    AuditQueue queue(store, "app");
    queue.Add(Refused("first"));
    store.AwaitAttempts(1);
    for (int i = 0; i < 10'000; ++i) queue.Add(Refused(absl::StrCat("caller", i)));
    store.Hold(false);
  }
  const auto entries = store.entries();
  EXPECT_THAT(entries.size(), Le(AuditQueue::kMostWaiting + 2));
  EXPECT_EQ(entries.back().principal(), "(several)");
  EXPECT_EQ(entries.back().count(), 10'000 - static_cast<int>(AuditQueue::kMostWaiting));
}

TEST(Auditor, NotesWhatNamesNoDatabaseInEachAudit) {
  Workspace app;
  app.name = "app";
  app.audit = std::make_unique<FakeAuditStore>();
  Workspace billing;
  billing.name = "billing";
  billing.audit = std::make_unique<FakeAuditStore>();
  Workspace offline;
  offline.name = "offline";
  {
    Auditor auditor("db1:77");
    for (Workspace* workspace : {&app, &billing, &offline}) auditor.Follow(*workspace);
    auditor.Note("", Refused("a"));
    auditor.Note("billing", Refused("b"));
    auditor.Note("unknown", Refused("c"));
  }
  const auto principals = [](Workspace& workspace) {
    std::vector<std::string> names;
    const auto entries = static_cast<FakeAuditStore&>(*workspace.audit).entries();
    for (const AuditEntry& entry : entries) {
      names.push_back(absl::StrCat(entry.principal(), " at ", entry.server()));
    }
    return names;
  };
  EXPECT_THAT(principals(app), ElementsAre("a at db1:77"));
  EXPECT_THAT(principals(billing), ElementsAre("a at db1:77", "b at db1:77"));
}

}  // namespace
}  // namespace migd
