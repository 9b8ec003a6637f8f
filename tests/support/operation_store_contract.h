// What every implementation of OperationStore does: one suite, instantiated for each of them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/proto_time.h"
#include "service/database/operation_store.h"

namespace migd {

// A store in a fresh database, and whatever it needs.
struct StoreUnderTest {
  std::shared_ptr<void> owner;
  OperationStore* store;
};
using StoreFactory = std::function<StoreUnderTest()>;

class OperationStoreContract : public ::testing::TestWithParam<StoreFactory> {
 protected:
  using Operation = migration::v1::Operation;
  static constexpr int64_t kNewest = std::numeric_limits<int64_t>::max();
  static constexpr int kServer = 4711;

  OperationStoreContract() : under_test_(GetParam()()), store_(*under_test_.store) {}

  static OperationRecord NewRecord(const std::string& id, const std::string& request_id = "") {
    OperationRecord record;
    record.server = kServer;
    record.operation.set_operation(id);
    record.operation.set_database("app");
    record.operation.set_action(migration::v1::ACTION_UPGRADE);
    record.operation.add_targets("it's \\ \"ä\"");
    record.operation.set_state(Operation::STATE_PENDING);
    record.operation.set_attempt(1);
    record.operation.set_last_sequence(1);
    record.operation.set_request_id(request_id);
    *record.operation.mutable_create_time() = ToProtoTimestamp(absl::Now());
    return record;
  }

  static std::shared_ptr<const migration::v1::OperationEvent> Event(const std::string& id,
                                                                    int64_t sequence) {
    auto event = std::make_shared<migration::v1::OperationEvent>();
    event->set_operation(id);
    event->set_sequence(sequence);
    event->mutable_notice()->set_message(absl::StrCat("number ", sequence));
    return event;
  }

  OperationRecord Insert(const OperationRecord& record) {
    const auto inserted = store_.Insert(record, {Event(record.operation.operation(), 1)});
    EXPECT_TRUE(inserted.ok()) << inserted.status();
    return inserted.value_or(OperationRecord());
  }

  std::unique_ptr<Ledger> OpenLedger(int server = kServer) {
    auto ledger = store_.OpenLedger(server);
    // PostgreSQL ends a session, and with it its locks, a moment after the connection.
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (!ledger.ok() && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(10));
      ledger = store_.OpenLedger(server);
    }
    EXPECT_TRUE(ledger.ok()) << ledger.status();
    return *std::move(ledger);
  }

  // Writes the events after the last, up to `sequence`.
  bool WriteUpTo(Ledger& ledger, OperationRecord& record, int64_t sequence) {
    StoredEvents events;
    for (int64_t s = record.operation.last_sequence() + 1; s <= sequence; ++s) {
      events.push_back(Event(record.operation.operation(), s));
    }
    record.operation.set_last_sequence(sequence);
    const auto written =
        ledger.Write(record, record.operation.attempt(), events, Durability::kMayBeLost);
    EXPECT_TRUE(written.ok()) << written.status();
    return written.value_or(false);
  }

  bool Finish(Ledger& ledger, OperationRecord& record) {
    record.operation.set_state(Operation::STATE_SUCCEEDED);
    *record.operation.mutable_finish_time() = ToProtoTimestamp(absl::Now());
    return WriteUpTo(ledger, record, record.operation.last_sequence() + 1);
  }

  std::vector<int64_t> Sequences(const std::string& id, int64_t after) {
    std::vector<int64_t> sequences;
    const auto events = store_.ReadEvents(id, after);
    EXPECT_TRUE(events.ok()) << events.status();
    for (const auto& event : events.value_or(StoredEvents()))
      sequences.push_back(event->sequence());
    return sequences;
  }

  static std::vector<std::string> Ids(const absl::StatusOr<std::vector<OperationRecord>>& records) {
    EXPECT_TRUE(records.ok()) << records.status();
    std::vector<std::string> ids;
    for (const auto& record : records.value_or(std::vector<OperationRecord>())) {
      ids.push_back(record.operation.operation());
    }
    return ids;
  }

  StoreUnderTest under_test_;
  OperationStore& store_;
};

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST_P(OperationStoreContract, AFreshStoreIsEmpty) {
  EXPECT_THAT(Ids(store_.Find("a")), IsEmpty());
  EXPECT_THAT(Ids(store_.List({}, kNewest, 10)), IsEmpty());
  EXPECT_THAT(Sequences("a", 0), IsEmpty());
  EXPECT_TRUE(store_.RequestCancel("a", "why").ok());
  EXPECT_THAT(Ids(OpenLedger()->Read(0, {"a"})), IsEmpty());
  EXPECT_TRUE(OpenLedger()->ForgetFinished(absl::ZeroDuration()).ok());
}

TEST_P(OperationStoreContract, KeepsWhatIsInserted) {
  const OperationRecord inserted = Insert(NewRecord("a"));
  EXPECT_GT(inserted.number, 0);
  EXPECT_EQ(inserted.server, kServer);
  EXPECT_EQ(inserted.cancel_reason, "");
  EXPECT_EQ(inserted.operation.targets(0), "it's \\ \"ä\"");
  EXPECT_THAT(Ids(store_.Find("a")), ElementsAre("a"));
  EXPECT_THAT(Sequences("a", 0), ElementsAre(1));
}

TEST_P(OperationStoreContract, ARequestIdIsStoredOnce) {
  Insert(NewRecord("a", "one"));
  EXPECT_EQ(Insert(NewRecord("b", "one")).operation.operation(), "a");
  EXPECT_EQ(Insert(NewRecord("c", "two")).operation.operation(), "c");
  EXPECT_EQ(Insert(NewRecord("d")).operation.operation(), "d");
  EXPECT_EQ(Insert(NewRecord("e")).operation.operation(), "e");
  EXPECT_THAT(Ids(store_.List({}, kNewest, 10)), ElementsAre("e", "d", "c", "a"));
  EXPECT_THAT(Sequences("b", 0), IsEmpty());
}

TEST_P(OperationStoreContract, FindsTheOperationOfARequest) {
  EXPECT_FALSE(store_.FindRequest("one")->has_value());
  Insert(NewRecord("a", "one"));
  Insert(NewRecord("b"));
  EXPECT_EQ((*store_.FindRequest("one"))->operation.operation(), "a");
  EXPECT_FALSE(store_.FindRequest("two")->has_value());
  EXPECT_FALSE(store_.FindRequest("")->has_value());
}

TEST_P(OperationStoreContract, FindsByTheBeginningOfAnId) {
  Insert(NewRecord("ab"));
  Insert(NewRecord("abc"));
  Insert(NewRecord("b"));
  EXPECT_THAT(Ids(store_.Find("a")), UnorderedElementsAre("ab", "abc"));
  EXPECT_EQ(Ids(store_.Find("ab")).front(), "ab");
  EXPECT_THAT(Ids(store_.Find("%")), IsEmpty());
}

TEST_P(OperationStoreContract, ListsNewestFirstByStateInPages) {
  const auto ledger = OpenLedger();
  OperationRecord first = Insert(NewRecord("a"));
  Insert(NewRecord("b"));
  const OperationRecord third = Insert(NewRecord("c"));
  ASSERT_TRUE(Finish(*ledger, first));
  EXPECT_THAT(Ids(store_.List({}, kNewest, 2)), ElementsAre("c", "b"));
  EXPECT_THAT(Ids(store_.List({}, third.number, 2)), ElementsAre("b", "a"));
  EXPECT_THAT(Ids(store_.List({Operation::STATE_SUCCEEDED}, kNewest, 2)), ElementsAre("a"));
  EXPECT_THAT(Ids(store_.List({Operation::STATE_SUCCEEDED, Operation::STATE_PENDING}, kNewest, 9)),
              ElementsAre("c", "b", "a"));
}

TEST_P(OperationStoreContract, WritesStateAndEventsTogether) {
  const auto ledger = OpenLedger();
  OperationRecord record = Insert(NewRecord("a"));
  record.operation.set_state(Operation::STATE_RUNNING);
  ASSERT_TRUE(WriteUpTo(*ledger, record, 4));
  ASSERT_TRUE(WriteUpTo(*ledger, record, 5));
  EXPECT_THAT(Sequences("a", 0), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(Sequences("a", 3), ElementsAre(4, 5));
  EXPECT_THAT(Sequences("a", 5), IsEmpty());
  const OperationRecord found = store_.Find("a")->front();
  EXPECT_EQ(found.operation.state(), Operation::STATE_RUNNING);
  EXPECT_EQ(found.operation.last_sequence(), 5);
}

TEST_P(OperationStoreContract, RehearsingTheEndChangesNothing) {
  const auto ledger = OpenLedger();
  OperationRecord record = Insert(NewRecord("a"));
  record.operation.set_state(Operation::STATE_RUNNING);
  ASSERT_TRUE(WriteUpTo(*ledger, record, 3));
  ledger->RehearseEnd();
  EXPECT_THAT(Sequences("a", 0), ElementsAre(1, 2, 3));
  EXPECT_EQ(store_.Find("a")->front().operation.SerializeAsString(),
            record.operation.SerializeAsString());
  ASSERT_TRUE(Finish(*ledger, record));
  EXPECT_THAT(Sequences("a", 0), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(store_.Find("a")->front().operation.state(), Operation::STATE_SUCCEEDED);
}

TEST_P(OperationStoreContract, ReadsManyEventsInPages) {
  const auto ledger = OpenLedger();
  OperationRecord record = Insert(NewRecord("a"));
  constexpr int64_t kLast = 25'000;
  ASSERT_TRUE(WriteUpTo(*ledger, record, kLast));
  int64_t last = 0;
  int pages = 0;
  while (true) {
    const std::vector<int64_t> page = Sequences("a", last);
    if (page.empty()) break;
    ++pages;
    for (const int64_t sequence : page) ASSERT_EQ(sequence, ++last);
  }
  EXPECT_EQ(last, kLast);
  EXPECT_GT(pages, 1);
}

TEST_P(OperationStoreContract, WhoeverHasNotTheAttemptCannotWrite) {
  const auto ledger = OpenLedger();
  const auto other = OpenLedger(kServer + 1);
  OperationRecord record = Insert(NewRecord("a"));
  OperationRecord taken_over = record;
  taken_over.operation.set_attempt(2);
  taken_over.server = kServer + 1;
  ASSERT_TRUE(other->Write(taken_over, 1, {}, Durability::kSurvivesCrash).value());

  EXPECT_FALSE(WriteUpTo(*ledger, record, 2));
  EXPECT_THAT(Sequences("a", 0), ElementsAre(1));
  EXPECT_EQ(store_.Find("a")->front().server, kServer + 1);
}

TEST_P(OperationStoreContract, WhatIsFinishedIsNotWrittenAgain) {
  const auto ledger = OpenLedger();
  OperationRecord record = Insert(NewRecord("a"));
  ASSERT_TRUE(Finish(*ledger, record));
  EXPECT_FALSE(WriteUpTo(*ledger, record, 9));
  EXPECT_EQ(store_.Find("a")->front().operation.last_sequence(), 2);
}

TEST_P(OperationStoreContract, KeepsTheLastPlanThatHasSteps) {
  const auto ledger = OpenLedger();
  OperationRecord record = Insert(NewRecord("a"));
  EXPECT_EQ(ledger->ReadPlan("a")->steps_size(), 0);
  auto event = std::make_shared<migration::v1::OperationEvent>(*Event("a", 2));
  event->mutable_plan()->add_steps()->set_revision("aa01");
  record.operation.set_last_sequence(2);
  ASSERT_TRUE(ledger->Write(record, 1, {event}, Durability::kSurvivesCrash).value());
  ASSERT_TRUE(WriteUpTo(*ledger, record, 3));
  EXPECT_EQ(ledger->ReadPlan("a")->steps(0).revision(), "aa01");
}

TEST_P(OperationStoreContract, ReadsWhatIsUnfinishedNewOrNamed) {
  const auto ledger = OpenLedger();
  OperationRecord first = Insert(NewRecord("a"));
  OperationRecord second = Insert(NewRecord("b"));
  Insert(NewRecord("c"));
  ASSERT_TRUE(Finish(*ledger, first));
  ASSERT_TRUE(Finish(*ledger, second));
  EXPECT_THAT(Ids(ledger->Read(kNewest, {})), ElementsAre("c"));
  EXPECT_THAT(Ids(ledger->Read(first.number, {})), ElementsAre("b", "c"));
  EXPECT_THAT(Ids(ledger->Read(kNewest, {"a"})), ElementsAre("a", "c"));
}

TEST_P(OperationStoreContract, TheFirstReasonToCancelCounts) {
  const auto ledger = OpenLedger();
  OperationRecord record = Insert(NewRecord("a"));
  ASSERT_TRUE(store_.RequestCancel("a", "it's late").ok());
  ASSERT_TRUE(store_.RequestCancel("a", "again").ok());
  EXPECT_EQ(ledger->Read(kNewest, {})->front().cancel_reason, "it's late");
  ASSERT_TRUE(WriteUpTo(*ledger, record, 2));
  EXPECT_EQ(store_.Find("a")->front().cancel_reason, "it's late");
  ASSERT_TRUE(Finish(*ledger, record));
  OperationRecord other = Insert(NewRecord("b"));
  ASSERT_TRUE(Finish(*ledger, other));
  ASSERT_TRUE(store_.RequestCancel("b", "too late").ok());
  EXPECT_EQ(store_.Find("b")->front().cancel_reason, "");
}

TEST_P(OperationStoreContract, AServerLivesAsLongAsItsLedger) {
  const auto observer = OpenLedger(1);
  {
    const auto ledger = OpenLedger(2);
    EXPECT_THAT(*observer->ReadLiveServers(), UnorderedElementsAre(1, 2));
  }
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (observer->ReadLiveServers()->size() > 1 && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_THAT(*observer->ReadLiveServers(), ElementsAre(1));
}

TEST_P(OperationStoreContract, TellsHowLongAgoAnOperationWasSeenTo) {
  const auto ledger = OpenLedger();
  Insert(NewRecord("a"));
  const auto read_age = [&ledger] { return ledger->Read(kNewest, {})->front().age; };
  absl::Duration age;
  while (age < absl::Milliseconds(15)) age = read_age();
  ASSERT_TRUE(ledger->Touch(kServer + 1).ok());
  EXPECT_GE(read_age(), age);
  const absl::Time before = absl::Now();
  ASSERT_TRUE(ledger->Touch(kServer).ok());
  const absl::Duration touched = read_age();
  EXPECT_LE(touched, absl::Now() - before);
}

TEST_P(OperationStoreContract, EventsCanBeForgotten) {
  const auto ledger = OpenLedger();
  OperationRecord record = Insert(NewRecord("a"));
  for (int64_t sequence = 2; sequence <= 5; ++sequence) {
    ASSERT_TRUE(WriteUpTo(*ledger, record, sequence));
  }
  EXPECT_EQ(ledger->ForgetEvents("a", 3).value(), 4);
  EXPECT_THAT(Sequences("a", 0), ElementsAre(4, 5));
}

TEST_P(OperationStoreContract, OldOperationsAreForgottenWithTheirEvents) {
  const auto ledger = OpenLedger();
  OperationRecord old = Insert(NewRecord("a"));
  Insert(NewRecord("b"));
  ASSERT_TRUE(Finish(*ledger, old));
  ASSERT_TRUE(ledger->ForgetFinished(absl::Hours(1)).ok());
  EXPECT_THAT(Ids(store_.List({}, kNewest, 9)), ElementsAre("b", "a"));
  // What has just finished is older than the future.
  ASSERT_TRUE(ledger->ForgetFinished(absl::Seconds(-10)).ok());
  EXPECT_THAT(Ids(store_.List({}, kNewest, 9)), ElementsAre("b"));
  EXPECT_THAT(Sequences("a", 0), IsEmpty());
}

TEST_P(OperationStoreContract, WhatHasVanishedIsWrittenAnew) {
  const auto ledger = OpenLedger();
  OperationRecord record = NewRecord("a");
  ASSERT_TRUE(WriteUpTo(*ledger, record, 3));
  EXPECT_THAT(Ids(store_.Find("a")), ElementsAre("a"));
  EXPECT_THAT(Sequences("a", 0), ElementsAre(2, 3));
}

}  // namespace migd
