#include "service/operation/auditor.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "tests/support/fake_audit_store.h"

namespace migd {
namespace {

using migration::v1::AuditEntry;
using ::testing::ElementsAre;
using ::testing::Le;
using ::testing::SizeIs;

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

TEST(AuditQueue, AFloodOfCallsThatHaveNothingInCommonIsCountedToo) {
  FakeAuditStore store;
  store.Hold(true);
  {
    AuditQueue queue(store, "app");
    queue.Add(Refused("first"));
    store.AwaitAttempts(1);
    for (int i = 0; i < 10'000; ++i) {
      AuditEntry entry = Refused(absl::StrCat("caller", i));
      entry.set_rpc(absl::StrCat("Rpc", i));
      entry.set_reason(absl::StrCat("REASON_", i));
      queue.Add(std::move(entry));
    }
    store.Hold(false);
  }
  EXPECT_THAT(store.entries().size(), Le(AuditQueue::kMostWaiting + 2));
}

TEST(AuditQueue, RepeatedCallsAreOneRowAtOnceAndOneMuchLater) {
  FakeAuditStore store;
  constexpr int kCalls = 1'000;
  {
    AuditQueue queue(store, "app");
    queue.AddRepeated(Refused("a"));
    store.AwaitEntries(1);
    for (int i = 1; i < kCalls; ++i) queue.AddRepeated(Refused("a"));
    // They hold up no other, which is written alone.
    queue.Add(Refused("b"));
    EXPECT_EQ(store.AwaitEntries(2).back().principal(), "b");
  }
  const auto entries = store.entries();
  ASSERT_THAT(entries, SizeIs(3));
  EXPECT_EQ(entries[0].count(), 1);
  EXPECT_EQ(entries[2].count(), kCalls - 1);
}

TEST(AuditQueue, RepeatedCallsOfManyAreCountedTogether) {
  FakeAuditStore store;
  store.FailWith(errors::DatabaseUnavailable("app", "gone"));
  constexpr int kCalls = 1'000;
  {
    AuditQueue queue(store, "app");
    for (int i = 0; i < kCalls; ++i) queue.AddRepeated(Refused(absl::StrCat("caller", i)));
    store.FailWith(absl::OkStatus());
  }
  EXPECT_THAT(store.entries().size(), Le(2 * AuditQueue::kMostWaiting + 2));
  int64_t calls = 0;
  for (const AuditEntry& entry : store.entries()) calls += entry.count();
  EXPECT_EQ(calls, kCalls);
}

TEST(AuditQueue, WhatWaitsForADatabaseDoesNotBecomeMore) {
  FakeAuditStore store;
  store.FailWith(errors::DatabaseUnavailable("app", "gone"));
  {
    AuditQueue queue(store, "app");
    for (int round = 1; round <= 3; ++round) {
      for (int i = 0; i < 100; ++i) queue.Add(Refused(absl::StrCat("caller", round, "-", i)));
      store.AwaitAttempts(round);
    }
    store.FailWith(absl::OkStatus());
  }
  EXPECT_THAT(store.entries().size(), Le(AuditQueue::kMostWaiting + 1));
  int64_t calls = 0;
  for (const AuditEntry& entry : store.entries()) calls += entry.count();
  EXPECT_EQ(calls, 300);
}

TEST(Auditor, KeepsNothingThatADatabaseOfAnotherEncodingCannot) {
  Workspace app;
  app.name = "app";
  app.audit = std::make_unique<FakeAuditStore>();
  {
    Auditor auditor("db1:77");
    auditor.Follow(app);
    auditor.Note("app", Refused("a", std::string(100'000, 'x')));
    auditor.Note("app", Refused("a", "\xE4\xB8\xAD"));
  }
  const auto entries = static_cast<FakeAuditStore&>(*app.audit).entries();
  EXPECT_THAT(entries[0].request().size(), Le(1003u));
  EXPECT_EQ(entries[1].request(), "\\xe4\\xb8\\xad");
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
