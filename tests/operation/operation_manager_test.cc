#include "service/operation/operation_manager.h"

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "tests/support/event_text.h"
#include "tests/support/fake_workspace.h"

namespace migd {
namespace {

using migration::v1::ErrorReason;
using migration::v1::OperationEvent;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using State = migration::v1::Operation;
using OperationPointer = std::shared_ptr<Operation>;

constexpr char kRequestId[] = "c0ffee00-0000-4000-8000-000000000001";
constexpr int kDeadServer = 4711;

// Until `condition` holds, for a minute at most.
template <typename Condition>
bool Eventually(Condition condition) {
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

// Waits for the end of `operation`.
State::State EndOf(const OperationPointer& operation) {
  EXPECT_TRUE(Eventually([&] { return operation->finished(); }));
  return operation->Snapshot().state();
}

OperationSettings QuickSettings() {
  OperationSettings settings;
  settings.takeover_after = absl::Milliseconds(1);
  return settings;
}

State Request(const std::string& target = "head") {
  State request;
  request.set_action(migration::v1::ACTION_UPGRADE);
  request.add_targets(target);
  return request;
}

State RequestWithId(const std::string& target = "head") {
  State request = Request(target);
  request.set_request_id(kRequestId);
  return request;
}

// A server, on a database that it may share with others.
class Server {
 public:
  explicit Server(FakeWorkspace& fake, OperationSettings settings = QuickSettings())
      : fake_(fake), manager_(settings) {
    manager_.Follow(fake_.workspace());
  }

  absl::StatusOr<OperationPointer> TryStart(const State& request) {
    std::promise<absl::StatusOr<OperationPointer>> promise;
    manager_.Start(fake_.workspace(), request,
                   [&promise](absl::StatusOr<OperationPointer> accepted) {
                     promise.set_value(std::move(accepted));
                   });
    return promise.get_future().get();
  }
  OperationPointer Start(const State& request = Request()) {
    auto operation = TryStart(request);
    EXPECT_TRUE(operation.ok()) << operation.status();
    return *operation;
  }
  // The same operation as this server sees it.
  OperationPointer Find(const std::string& id) {
    auto operation = manager_.Find(id);
    EXPECT_TRUE(operation.ok()) << operation.status();
    return *operation;
  }
  void Cancel(const OperationPointer& operation) {
    EXPECT_TRUE(manager_.Cancel(*operation, "somebody asked for it").ok());
  }
  OperationManager& manager() { return manager_; }

 private:
  FakeWorkspace& fake_;
  OperationManager manager_;
};

class OperationManagerTest : public ::testing::Test {
 protected:
  OperationManagerTest() {
    fake_.Write({"a", "", "\nCREATE TABLE a (x int);\n"});
    server_ = std::make_unique<Server>(fake_);
  }

  OperationPointer Start(const State& request = Request()) { return server_->Start(request); }

  // What a reader of the operation sees, from memory and from the store.
  std::vector<std::string> EventsOf(const Operation& operation) {
    std::vector<std::string> events;
    int64_t sequence = 0;
    while (true) {
      const Operation::Reading reading = operation.ReadAfter(sequence);
      if (reading.event == nullptr && !reading.stored) return events;
      const auto event = reading.stored
                             ? fake_.store().ReadEvents(operation.id(), sequence)->front()
                             : reading.event;
      events.push_back(Brief(*event));
      EXPECT_EQ(event->sequence(), ++sequence);
    }
  }

  // An operation that runs until it is cancelled.
  OperationPointer StartEndless() {
    fake_.Write({"a", "", "\nSELECT pg_sleep(600);\n"});
    OperationPointer operation = Start();
    EXPECT_TRUE(fake_.database().AwaitBlockedStatement());
    return operation;
  }

  // What a server has left that died; `change` says how far it had come.
  template <typename Change>
  OperationRecord Leave(const State& request, Change change) {
    OperationRecord record;
    record.server = kDeadServer;
    record.operation = request;
    record.operation.set_operation("dead00000000");
    record.operation.set_server("db1:77");
    record.operation.set_database("app");
    record.operation.set_state(State::STATE_PENDING);
    record.operation.set_attempt(1);
    record.operation.set_first_sequence(1);
    record.operation.set_last_sequence(1);
    *record.operation.mutable_create_time() = ToProtoTimestamp(absl::Now());
    change(record);
    auto accepted = std::make_shared<OperationEvent>();
    accepted->set_operation(record.operation.operation());
    accepted->set_sequence(1);
    accepted->mutable_operation_accepted()->add_targets("head");
    return fake_.store().Insert(record, {accepted}).value();
  }
  OperationRecord Leave(const State& request) {
    return Leave(request, [](OperationRecord&) {});
  }

  // The operation of a record, once the server has seen it.
  OperationPointer AwaitSeen(const OperationRecord& record) {
    return server_->Find(record.operation.operation());
  }

  FakeWorkspace fake_;
  std::unique_ptr<Server> server_;
};

TEST_F(OperationManagerTest, RunsAnOperationToItsEnd) {
  const OperationPointer operation = Start();
  EXPECT_EQ(EndOf(operation), State::STATE_SUCCEEDED);
  EXPECT_THAT(EventsOf(*operation),
              ElementsAre("accepted head", "plan a", "start a 1/1", "statement a 1/1 CREATE TABLE",
                          "finish a {a}", "end STATE_SUCCEEDED {a}"));
  EXPECT_EQ(fake_.database().log()[0].operation, operation->id());
}

TEST_F(OperationManagerTest, AFailureIsTheEndOfTheOperationNotOfTheServer) {
  const OperationPointer failed = Start(Request("nowhere"));
  EXPECT_EQ(EndOf(failed), State::STATE_FAILED);
  EXPECT_EQ(errors::ReasonOf(failed->final_status()), ErrorReason::ERROR_REASON_UNKNOWN_REVISION);
  EXPECT_EQ(EndOf(Start()), State::STATE_SUCCEEDED);
}

TEST_F(OperationManagerTest, WhoMayMakeNoMoreIsToldOfWhatTheRequestHasMade) {
  const OperationPointer first = Start(RequestWithId());
  EndOf(first);
  const auto none = [] { return errors::LimitReached("somebody", "operations", 1); };
  const auto ask = [&](OperationManager& manager, const State& request) {
    std::promise<absl::StatusOr<OperationPointer>> promise;
    manager.Start(
        fake_.workspace(), request, [&](const auto& accepted) { promise.set_value(accepted); },
        none);
    return promise.get_future().get();
  };
  // As this server remembers it, and as another finds it in the store.
  Server other(fake_);
  for (Server* server : {server_.get(), &other}) {
    const auto repeated = ask(server->manager(), RequestWithId());
    ASSERT_TRUE(repeated.ok()) << repeated.status();
    EXPECT_EQ((*repeated)->id(), first->id());
    EXPECT_EQ(errors::ReasonOf(ask(server->manager(), RequestWithId("a")).status()),
              ErrorReason::ERROR_REASON_REQUEST_ID_REUSED);
    EXPECT_EQ(errors::ReasonOf(ask(server->manager(), Request()).status()),
              ErrorReason::ERROR_REASON_LIMIT_REACHED);
  }
}

TEST_F(OperationManagerTest, WithoutADatabaseThereAreNoOperations) {
  Workspace offline;
  offline.name = "offline";
  server_->manager().Follow(offline);
  std::promise<absl::Status> promise;
  server_->manager().Start(offline, Request(), [&promise](const auto& accepted) {
    promise.set_value(accepted.status());
  });
  EXPECT_EQ(errors::ReasonOf(promise.get_future().get()), ErrorReason::ERROR_REASON_OFFLINE);
}

// --- What is stored, and when ---

TEST_F(OperationManagerTest, WhatCannotBeStoredIsNotAccepted) {
  fake_.store().Fail(errors::DatabaseUnavailable("app", "gone"));
  const auto refused = server_->TryStart(Request());
  EXPECT_EQ(errors::ReasonOf(refused.status()), ErrorReason::ERROR_REASON_DATABASE_UNAVAILABLE);
  EXPECT_THAT(fake_.database().journal(), IsEmpty());
}

TEST_F(OperationManagerTest, NothingIsCommittedBeforeItsPlanIsStored) {
  fake_.database().HoldMutex({4711, "billing", "app", ""});
  const OperationPointer operation = Start();
  fake_.store().Fail(errors::DatabaseUnavailable("app", "gone"));
  fake_.database().ReleaseMutex();
  // Those who wait are told, though it cannot be stored.
  ASSERT_TRUE(Eventually([&] { return operation->Snapshot().state() == State::STATE_RUNNING; }));
  // After a while its locks are given up, and it goes on waiting.
  ASSERT_TRUE(Eventually([&] {
    const std::vector<std::string> journal = fake_.database().journal();
    return !journal.empty() && journal.back() == "ROLLBACK";
  }));
  EXPECT_FALSE(fake_.database().HasTable("a"));
  fake_.store().Fail(absl::OkStatus());
  EXPECT_EQ(EndOf(operation), State::STATE_SUCCEEDED);
  EXPECT_TRUE(fake_.database().HasTable("a"));
  EXPECT_EQ(fake_.store().Find(operation->id())->front().operation.state(), State::STATE_SUCCEEDED);
}

TEST_F(OperationManagerTest, EventsAreStoredManyAtATime) {
  constexpr int kStatements = 2000;
  std::string section = "\n";
  for (int i = 0; i < kStatements; ++i) section += "SELECT 1;\n";
  fake_.Write({"a", "", section});
  const OperationPointer operation = Start();
  EXPECT_EQ(EndOf(operation), State::STATE_SUCCEEDED);
  EXPECT_EQ(operation->Snapshot().last_sequence(), kStatements + 5);
  EXPECT_LT(fake_.store().writes(), kStatements / 4);
}

TEST_F(OperationManagerTest, OfMoreEventsThanAreKeptTheOldestAreForgotten) {
  OperationSettings settings = QuickSettings();
  settings.most_events = 10;
  server_ = std::make_unique<Server>(fake_, settings);
  fake_.Write({"a", ""});
  fake_.Write({"b", "a"});
  fake_.Write({"c", "b"});
  fake_.Write({"d", "c"});
  const OperationPointer operation = Start();
  EXPECT_EQ(EndOf(operation), State::STATE_SUCCEEDED);
  ASSERT_TRUE(Eventually([&] { return operation->Snapshot().first_sequence() > 1; }));
  const auto kept = fake_.store().ReadEvents(operation->id(), 0);
  EXPECT_EQ(kept->front()->sequence(), operation->Snapshot().first_sequence());
}

TEST_F(OperationManagerTest, EventsThatACrashTookAreWrittenAgain) {
  const OperationPointer operation = StartEndless();
  ASSERT_TRUE(Eventually([&] { return operation->Snapshot().last_sequence() == 3; }));
  fake_.store().Lose(operation->id(), 1);
  server_->Cancel(operation);
  EXPECT_EQ(EndOf(operation), State::STATE_CANCELLED);
  ASSERT_TRUE(Eventually([&] { return operation->unwritten() == 0; }));
  int64_t sequence = 0;
  const auto stored = fake_.store().ReadEvents(operation->id(), 0);
  for (const auto& event : *stored) EXPECT_EQ(event->sequence(), ++sequence);
  EXPECT_EQ(sequence, 4);
}

// --- request_id ---

TEST_F(OperationManagerTest, TheSameRequestAttachesToTheOperationThatItMade) {
  const OperationPointer first = Start(RequestWithId());
  EXPECT_EQ(Start(RequestWithId()), first);
  EndOf(first);
  EXPECT_EQ(Start(RequestWithId()), first);
  EXPECT_THAT(server_->manager().List({}, "", 10)->operations, SizeIs(1));
}

TEST_F(OperationManagerTest, AlsoAtAnotherServer) {
  const OperationPointer first = Start(RequestWithId());
  Server other(fake_);
  EXPECT_EQ(other.Start(RequestWithId())->id(), first->id());
  EndOf(first);
  server_.reset();
  Server later(fake_);
  const OperationPointer again = later.Start(RequestWithId());
  EXPECT_EQ(again->id(), first->id());
  EXPECT_EQ(again->Snapshot().state(), State::STATE_SUCCEEDED);
}

TEST_F(OperationManagerTest, TheSameRequestIdWithAnotherContentIsRefused) {
  const OperationPointer first = Start(RequestWithId());
  Server other(fake_);
  for (Server* server : {server_.get(), &other}) {
    const auto refused = server->TryStart(RequestWithId("a"));
    EXPECT_EQ(errors::ReasonOf(refused.status()), ErrorReason::ERROR_REASON_REQUEST_ID_REUSED);
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr(first->id()));
  }
}

TEST_F(OperationManagerTest, RequestsWithoutAnIdAreNeverTheSame) { EXPECT_NE(Start(), Start()); }

TEST_F(OperationManagerTest, ManyRepetitionsAtOnceMakeOneOperation) {
  Server other(fake_);
  std::vector<std::string> ids(16);
  std::vector<std::thread> callers;
  for (size_t i = 0; i < ids.size(); ++i) {
    Server& server = i % 2 == 0 ? *server_ : other;
    callers.emplace_back([&, i] { ids[i] = server.Start(RequestWithId())->id(); });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_THAT(ids, Each(ids.front()));
  EXPECT_EQ(EndOf(server_->Find(ids.front())), State::STATE_SUCCEEDED);
  EXPECT_THAT(fake_.database().log(), SizeIs(1));
}

// --- One at a time ---

TEST_F(OperationManagerTest, TheNextWaitsForTheOneBeforeItAndNamesIt) {
  const OperationPointer first = StartEndless();
  const OperationPointer second = Start();
  EXPECT_TRUE(Eventually([&] { return second->Snapshot().last_sequence() == 2; }));
  EXPECT_THAT(EventsOf(*second),
              ElementsAre("accepted head", "waiting for operation " + first->id()));
  EXPECT_EQ(second->Snapshot().state(), State::STATE_PENDING);

  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\n"});
  server_->Cancel(first);
  EXPECT_EQ(EndOf(first), State::STATE_CANCELLED);
  EXPECT_EQ(EndOf(second), State::STATE_SUCCEEDED);
}

TEST_F(OperationManagerTest, DatabasesDoNotWaitForOneAnother) {
  StartEndless();
  FakeWorkspace other;
  other.Write({"a", ""});
  Server server(other);
  EXPECT_EQ(EndOf(server.Start()), State::STATE_SUCCEEDED);
}

TEST_F(OperationManagerTest, APendingOneGivesUpAtItsDeadline) {
  StartEndless();
  State request = Request();
  request.mutable_options()->mutable_mutex_timeout()->set_nanos(5'000'000);
  const OperationPointer second = Start(request);
  EXPECT_EQ(EndOf(second), State::STATE_FAILED);
  EXPECT_EQ(second->Snapshot().error().reason(), "MUTEX_TIMEOUT");
}

// --- Cancelling ---

TEST_F(OperationManagerTest, APendingOneCanBeCancelled) {
  const OperationPointer first = StartEndless();
  const OperationPointer second = Start();
  server_->Cancel(second);
  EXPECT_EQ(EndOf(second), State::STATE_CANCELLED);
  EXPECT_FALSE(first->finished());
}

TEST_F(OperationManagerTest, ARunningOneCanBeCancelled) {
  const OperationPointer operation = StartEndless();
  server_->Cancel(operation);
  EXPECT_EQ(EndOf(operation), State::STATE_CANCELLED);
  EXPECT_THAT(operation->Snapshot().error().message(), HasSubstr("somebody asked for it"));
  EXPECT_THAT(fake_.database().ReadRows().value(), IsEmpty());
}

TEST_F(OperationManagerTest, AlsoFromAnotherServer) {
  const OperationPointer operation = StartEndless();
  Server other(fake_);
  const OperationPointer seen = other.Find(operation->id());
  other.Cancel(seen);
  EXPECT_EQ(EndOf(operation), State::STATE_CANCELLED);
  EXPECT_EQ(EndOf(seen), State::STATE_CANCELLED);
  EXPECT_EQ(EventsOf(*seen).back(), "end STATE_CANCELLED {}");
}

TEST_F(OperationManagerTest, CancellingWhatHasEndedChangesNothing) {
  const OperationPointer operation = Start();
  EndOf(operation);
  server_->Cancel(operation);
  EXPECT_EQ(operation->Snapshot().state(), State::STATE_SUCCEEDED);
}

// --- Finding and listing ---

TEST_F(OperationManagerTest, FindsByIdAndByTheBeginningOfOne) {
  const OperationPointer operation = Start();
  EXPECT_EQ(server_->Find(operation->id()), operation);
  EXPECT_EQ(server_->Find(operation->id().substr(0, 4))->id(), operation->id());
}

TEST_F(OperationManagerTest, DoesNotFindWhatIsUnknown) {
  Start();
  EXPECT_EQ(errors::ReasonOf(server_->manager().Find("nothing-like-it").status()),
            ErrorReason::ERROR_REASON_UNKNOWN_OPERATION);
}

TEST_F(OperationManagerTest, DoesNotSayThatItIsUnknownIfItCannotAsk) {
  fake_.store().Fail(errors::DatabaseUnavailable("app", "gone"));
  EXPECT_EQ(errors::ReasonOf(server_->manager().Find("nothing-like-it").status()),
            ErrorReason::ERROR_REASON_DATABASE_UNAVAILABLE);
}

TEST_F(OperationManagerTest, AnEmptyIdIsRefusedEvenIfThereIsOneOperationOnly) {
  Start();
  const absl::Status status = server_->manager().Find("").status();
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_INVALID_REQUEST);
}

TEST_F(OperationManagerTest, AnIdThatSeveralBeginWithIsRefusedWithThem) {
  // With more operations than letters, two ids begin with the same one.
  std::string first_letters;
  while (true) {
    const std::string id = Start()->id();
    const char letter = id.front();
    if (first_letters.find(letter) != std::string::npos) {
      const absl::Status status = server_->manager().Find(std::string(1, letter)).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_INVALID_REQUEST);
      EXPECT_THAT(std::string(status.message()), HasSubstr("several ids begin with"));
      EXPECT_THAT(errors::ToProto(status).metadata().at("candidates"), HasSubstr(id));
      return;
    }
    first_letters += letter;
  }
}

std::vector<std::string> IdsOf(const absl::StatusOr<OperationPage>& page) {
  EXPECT_TRUE(page.ok()) << page.status();
  std::vector<std::string> ids;
  for (const State& operation : page->operations) ids.push_back(operation.operation());
  return ids;
}

TEST_F(OperationManagerTest, ListsNewestFirstByDatabaseAndState) {
  const OperationPointer failed = Start(Request("nowhere"));
  EndOf(failed);
  const OperationPointer succeeded = Start();
  EndOf(succeeded);
  OperationManager& manager = server_->manager();
  EXPECT_THAT(IdsOf(manager.List({}, "", 10)), ElementsAre(succeeded->id(), failed->id()));
  EXPECT_THAT(IdsOf(manager.List({"app", {State::STATE_FAILED}}, "", 10)),
              ElementsAre(failed->id()));
  EXPECT_THAT(IdsOf(manager.List({"", {State::STATE_FAILED, State::STATE_SUCCEEDED}}, "", 10)),
              SizeIs(2));
  EXPECT_THAT(IdsOf(manager.List({"other", {}}, "", 10)), IsEmpty());
}

TEST_F(OperationManagerTest, ListsTheOperationsOfAllDatabasesInPages) {
  FakeWorkspace other;
  other.workspace().name = "other";
  other.Write({"a", ""});
  OperationManager& manager = server_->manager();
  manager.Follow(other.workspace());
  std::vector<std::string> ids;
  for (int i = 0; i < 6; ++i) {
    std::promise<OperationPointer> promise;
    manager.Start(i % 2 == 0 ? fake_.workspace() : other.workspace(), Request(),
                  [&promise](const auto& accepted) { promise.set_value(*accepted); });
    const OperationPointer operation = promise.get_future().get();
    EndOf(operation);
    ids.insert(ids.begin(), operation->id());
  }
  std::vector<std::string> listed;
  std::string place;
  do {
    const auto page = manager.List({}, place, 4);
    const auto part = IdsOf(page);
    listed.insert(listed.end(), part.begin(), part.end());
    place = page->rest;
  } while (!place.empty());
  EXPECT_EQ(listed, ids);

  other.store().Fail(errors::DatabaseUnavailable("other", "gone"));
  const auto partial = manager.List({}, "", 10);
  EXPECT_THAT(IdsOf(partial), SizeIs(3));
  EXPECT_THAT(partial->database_errors, SizeIs(1));
  EXPECT_FALSE(manager.List({"other", {}}, "", 10).ok());
  EXPECT_FALSE(manager.List({}, "1,2,3", 10).ok());
  server_.reset();
}

TEST_F(OperationManagerTest, TakesNoMoreThanItCanRun) {
  StartEndless();
  for (int i = 1; i < DatabaseOperations::kMostRunning; ++i) Start();
  const auto refused = server_->TryStart(Request());
  EXPECT_EQ(errors::ReasonOf(refused.status()), ErrorReason::ERROR_REASON_TOO_MANY_OPERATIONS);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
}

// --- Cut off, and taken up again ---

TEST_F(OperationManagerTest, ALostConnectionIsMadeAgain) {
  fake_.Write({"b", "a", "\nCREATE TABLE b (x int);\n"});
  fake_.database().LoseConnectionAt("CREATE TABLE b");
  const OperationPointer operation = Start();
  ASSERT_TRUE(
      Eventually([&] { return operation->Snapshot().state() == State::STATE_INTERRUPTED; }));
  fake_.database().Heal();
  EXPECT_EQ(EndOf(operation), State::STATE_SUCCEEDED);
  EXPECT_THAT(EventsOf(*operation), ::testing::IsSupersetOf({"interrupted 1/3", "resumed 2/3",
                                                             "plan b", "end STATE_SUCCEEDED {b}"}));
  EXPECT_EQ(operation->Snapshot().finished_step_count(), 2);
  EXPECT_THAT(fake_.database().log(), SizeIs(2));
}

TEST_F(OperationManagerTest, ThreeTimesAtMost) {
  fake_.database().LoseConnectionAt("CREATE TABLE a");
  const OperationPointer operation = Start();
  EXPECT_EQ(EndOf(operation), State::STATE_FAILED);
  EXPECT_EQ(operation->Snapshot().attempt(), 3);
  EXPECT_EQ(operation->Snapshot().error().reason(), "OPERATION_INTERRUPTED");
}

TEST_F(OperationManagerTest, ACommitWhoseAnswerWasLostIsNotRepeated) {
  fake_.Write({"b", "a"});
  fake_.database().LoseConnectionAtCommit(true);
  // Relative: planned anew, it would go one step too far.
  const OperationPointer operation = Start(Request("+1"));
  EXPECT_EQ(EndOf(operation), State::STATE_SUCCEEDED);
  EXPECT_THAT(fake_.database().ReadRows().value(), ElementsAre("a"));
  EXPECT_THAT(EventsOf(*operation), Contains("interrupted 1/3"));
}

TEST_F(OperationManagerTest, TakesOverWhatADeadServerLeft) {
  const OperationPointer operation = AwaitSeen(Leave(Request()));
  EXPECT_EQ(EndOf(operation), State::STATE_SUCCEEDED);
  EXPECT_THAT(
      EventsOf(*operation),
      ElementsAre("accepted head", "interrupted 1/3", "resumed 2/3", "plan a", "start a 1/1",
                  "statement a 1/1 CREATE TABLE", "finish a {a}", "end STATE_SUCCEEDED {a}"));
  EXPECT_THAT(fake_.database().log(), SizeIs(1));
}

TEST_F(OperationManagerTest, OneOfManyTakesItOver) {
  std::vector<std::unique_ptr<Server>> servers;
  for (int i = 0; i < 4; ++i) servers.push_back(std::make_unique<Server>(fake_));
  const OperationPointer operation = AwaitSeen(Leave(Request()));
  EXPECT_EQ(EndOf(operation), State::STATE_SUCCEEDED);
  EXPECT_EQ(operation->Snapshot().attempt(), 2);
  EXPECT_THAT(fake_.database().log(), SizeIs(1));
}

TEST_F(OperationManagerTest, LeavesToALivingServerWhatIsIts) {
  const auto alive = fake_.store().OpenLedger(kDeadServer).value();
  const OperationRecord record = Leave(Request());
  const OperationPointer operation = AwaitSeen(record);
  // A later one is run, so the first has been looked at.
  EXPECT_EQ(EndOf(Start()), State::STATE_SUCCEEDED);
  const OperationPointer later = AwaitSeen(record);
  EXPECT_EQ(later->Snapshot().attempt(), 1);
  EXPECT_EQ(later->Snapshot().state(), State::STATE_PENDING);
}

TEST_F(OperationManagerTest, GoesOnWithThePlanOfTheDeadServer) {
  fake_.Write({"b", "a"});
  fake_.Write({"c", "b"});
  fake_.database().SetRows({"a"});
  const OperationRecord record = Leave(
      Request("+2"), [](OperationRecord& left) { left.operation.set_state(State::STATE_RUNNING); });
  // It planned from base; its first step was committed, and nobody heard of that.
  auto ledger = fake_.store().OpenLedger(kDeadServer).value();
  auto planned = std::make_shared<OperationEvent>();
  planned->set_sequence(2);
  std::string before;
  for (const std::string revision : {"a", "b"}) {
    auto& step = *planned->mutable_plan()->add_steps();
    step.set_revision(revision);
    step.set_direction(migration::v1::DIRECTION_UPGRADE);
    step.add_inserted_revisions(revision);
    if (!before.empty()) step.add_deleted_revisions(before);
    before = revision;
  }
  OperationRecord running = record;
  running.operation.set_last_sequence(2);
  running.operation.set_step_count(2);
  ASSERT_TRUE(ledger->Write(running, 1, {planned}, Durability::kSurvivesCrash).value());

  const OperationPointer operation = AwaitSeen(record);
  // The ledger keeps the dead server alive.
  EXPECT_FALSE(operation->finished());
  ledger.reset();
  EXPECT_EQ(EndOf(operation), State::STATE_SUCCEEDED);
  EXPECT_THAT(fake_.database().ReadRows().value(), ElementsAre("b"));
}

TEST_F(OperationManagerTest, WhatWasToBeCancelledIsNotTakenUp) {
  const OperationRecord record =
      Leave(Request(), [](OperationRecord& left) { left.cancel_reason = "not needed any more"; });
  const OperationPointer operation = AwaitSeen(record);
  EXPECT_EQ(EndOf(operation), State::STATE_CANCELLED);
  EXPECT_THAT(operation->Snapshot().error().message(), HasSubstr("not needed any more"));
  EXPECT_THAT(fake_.database().log(), IsEmpty());
}

TEST_F(OperationManagerTest, WhatWasCutOffThreeTimesIsNotTakenUp) {
  const OperationPointer operation =
      AwaitSeen(Leave(Request(), [](OperationRecord& left) { left.operation.set_attempt(3); }));
  EXPECT_EQ(EndOf(operation), State::STATE_FAILED);
  EXPECT_EQ(operation->Snapshot().error().reason(), "OPERATION_INTERRUPTED");
  EXPECT_THAT(operation->Snapshot().error().message(), HasSubstr("db1:77"));
}

TEST_F(OperationManagerTest, AServerWhoseOperationWasTakenOverStopsAndFollows) {
  const OperationPointer operation = StartEndless();
  ASSERT_TRUE(Eventually([&] { return operation->unwritten() == 0; }));
  OperationRecord taken = fake_.store().Find(operation->id())->front();
  taken.server = kDeadServer;
  taken.operation.set_attempt(2);
  const auto other = fake_.store().OpenLedger(kDeadServer).value();
  ASSERT_TRUE(other->Write(taken, 1, {}, Durability::kSurvivesCrash).value());
  // It notices when it has something to write.
  fake_.database().SetLockState({});
  server_->Cancel(operation);
  ASSERT_TRUE(Eventually([&] { return !operation->owned(); }));
  EXPECT_TRUE(Eventually([&] { return operation->Snapshot().attempt() == 2; }));
  EXPECT_FALSE(operation->finished());
  EXPECT_TRUE(Eventually([&] { return fake_.database().open_sessions() == 0; }));
}

TEST_F(OperationManagerTest, ItNoticesThatAlsoWhenItHasNothingToWrite) {
  const OperationPointer operation = StartEndless();
  ASSERT_TRUE(Eventually([&] { return operation->unwritten() == 0; }));
  OperationRecord taken = fake_.store().Find(operation->id())->front();
  taken.server = kDeadServer;
  taken.operation.set_attempt(2);
  const auto other = fake_.store().OpenLedger(kDeadServer).value();
  ASSERT_TRUE(other->Write(taken, 1, {}, Durability::kSurvivesCrash).value());
  // It was cut off from the store, or it would not have been taken over from.
  fake_.store().Lose(operation->id(), operation->Snapshot().last_sequence());
  EXPECT_TRUE(Eventually([&] { return fake_.database().open_sessions() == 0; }));
  EXPECT_FALSE(operation->owned());
  EXPECT_FALSE(operation->finished());
}

// --- Seen from another server ---

TEST_F(OperationManagerTest, AnotherServerSeesEveryEvent) {
  Server other(fake_);
  const OperationPointer operation = StartEndless();
  const OperationPointer seen = other.Find(operation->id());
  EXPECT_NE(seen, operation);
  server_->Cancel(operation);
  EXPECT_EQ(EndOf(seen), State::STATE_CANCELLED);
  EXPECT_EQ(EventsOf(*seen), EventsOf(*operation));
}

TEST_F(OperationManagerTest, AnotherServerSeesAlsoWhatWasShort) {
  Server other(fake_);
  // Once it has looked for the first time.
  EXPECT_EQ(EndOf(other.Start()), State::STATE_SUCCEEDED);
  const OperationPointer operation = Start();
  EndOf(operation);
  EXPECT_TRUE(Eventually([&] {
    for (const OperationPointer& known : other.manager().Known(DatabaseSelection({"app"}))) {
      if (known->id() == operation->id() && known->finished()) return true;
    }
    return false;
  }));
}

// --- Draining ---

TEST_F(OperationManagerTest, ADrainingServerTakesNoNewOperation) {
  const OperationPointer before = Start(RequestWithId());
  EndOf(before);
  server_->manager().Drain(absl::Minutes(1));
  EXPECT_EQ(errors::ReasonOf(server_->TryStart(Request()).status()),
            ErrorReason::ERROR_REASON_DRAINING);
  // But a repetition is still told how the first ended.
  EXPECT_EQ(server_->Start(RequestWithId()), before);
}

TEST_F(OperationManagerTest, DrainingLetsOperationsEndInTheirTime) {
  const OperationPointer operation = StartEndless();
  ASSERT_TRUE(Eventually([&] { return operation->runs(); }));
  std::thread canceller([&] { server_->Cancel(operation); });
  server_->manager().Drain(absl::Minutes(1));
  canceller.join();
  EXPECT_EQ(operation->Snapshot().state(), State::STATE_CANCELLED);
}

TEST_F(OperationManagerTest, DrainingLeavesAlsoWhatIsAboutToBeTriedAgain) {
  fake_.database().LoseConnectionAt("CREATE TABLE a");
  const OperationPointer operation = Start();
  ASSERT_TRUE(
      Eventually([&] { return operation->Snapshot().state() == State::STATE_INTERRUPTED; }));
  server_->manager().Drain(absl::ZeroDuration());
  EXPECT_EQ(operation->Snapshot().state(), State::STATE_INTERRUPTED);
  EXPECT_EQ(fake_.store().Find(operation->id())->front().server, 0);
  fake_.database().Heal();
  Server other(fake_);
  EXPECT_EQ(EndOf(other.Find(operation->id())), State::STATE_SUCCEEDED);
}

TEST_F(OperationManagerTest, DrainingWithoutGraceLeavesWhatRunsToAnotherServer) {
  const OperationPointer running = StartEndless();
  const OperationPointer pending = Start();
  server_->manager().Drain(absl::ZeroDuration());
  for (const OperationPointer& operation : {running, pending}) {
    EXPECT_EQ(operation->Snapshot().state(), State::STATE_INTERRUPTED);
    EXPECT_EQ(fake_.store().Find(operation->id())->front().server, 0);
  }
  fake_.Write({"a", "", "\nCREATE TABLE a (x int);\n"});
  Server other(fake_);
  EXPECT_EQ(EndOf(other.Find(running->id())), State::STATE_SUCCEEDED);
  EXPECT_EQ(EndOf(other.Find(pending->id())), State::STATE_SUCCEEDED);
  EXPECT_THAT(fake_.database().log(), SizeIs(1));
}

}  // namespace
}  // namespace migd
