// Streams of events: those who come late, read slowly, go away, or come back.

#include "service/rpc/event_stream.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/rpc/rpc_fixture.h"

namespace migd {
namespace {

using migration::v1::OperationEvent;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Operation = migration::v1::Operation;

class EventStreamTest : public RpcTest {
 protected:
  // Asks for an upgrade on a call of its own and reads its first event.
  std::string Begin() {
    context_ = std::make_unique<grpc::ClientContext>();
    migration::v1::UpgradeRequest request;
    request.set_target("head");
    reader_ = stub_->Upgrade(context_.get(), request);
    OperationEvent first;
    EXPECT_TRUE(reader_->Read(&first));
    return first.operation();
  }
  // The same, of an operation that runs until it is cancelled.
  std::string BeginEndless() {
    fake_.Write({"aa01", "", "\nSELECT pg_sleep(600);\n"});
    const std::string operation = Begin();
    EXPECT_TRUE(database_.AwaitBlockedStatement());
    return operation;
  }

  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReader<OperationEvent>> reader_;
};

TEST_F(EventStreamTest, AWatcherReplaysAFinishedOperation) {
  const Streamed upgrade = Upgrade("head");
  const Streamed watched = Watch(upgrade.events[0].operation());
  EXPECT_TRUE(watched.status.ok());
  EXPECT_EQ(watched.texts(), upgrade.texts());
}

TEST_F(EventStreamTest, AWatcherResumesAfterASequence) {
  const Streamed upgrade = Upgrade("aa01");
  const std::string operation = upgrade.events[0].operation();
  EXPECT_THAT(Watch(operation, 4).texts(),
              ElementsAre("finish aa01 {aa01}", "end STATE_SUCCEEDED {aa01}"));
  EXPECT_THAT(Watch(operation, 6).texts(), IsEmpty());
  EXPECT_THAT(Watch(operation, 1000000).texts(), IsEmpty());
  EXPECT_EQ(Watch(operation, -1).texts(), upgrade.texts());
}

// What a stream of batches has in it, one by one; `messages` counts what it came in.
std::vector<OperationEvent> Unpacked(grpc::ClientReader<OperationEvent>& reader, int& messages) {
  std::vector<OperationEvent> events;
  OperationEvent message;
  for (messages = 0; reader.Read(&message); ++messages) {
    if (!message.has_batch()) {
      events.push_back(message);
      continue;
    }
    EXPECT_GT(message.batch().events_size(), 1);
    for (const OperationEvent& event : message.batch().events()) events.push_back(event);
    EXPECT_EQ(message.operation(), events.back().operation());
    EXPECT_EQ(message.sequence(), events.back().sequence());
  }
  return events;
}

TEST_F(EventStreamTest, WhoAsksForBatchesIsToldTheSameInFewerMessages) {
  fake_.Write({"aa01", ""});
  database_.Say("SELECT", {"NOTICE", "00000", "said", "", ""}, 100);
  const Streamed upgrade = Upgrade("head");
  grpc::ClientContext context;
  migration::v1::WatchOperationRequest request;
  request.set_operation(upgrade.events[0].operation());
  request.set_batch_events(true);
  int messages = 0;
  const auto reader = stub_->WatchOperation(&context, request);
  std::vector<OperationEvent> events = Unpacked(*reader, messages);
  EXPECT_TRUE(reader->Finish().ok());
  ASSERT_FALSE(events.empty());
  EXPECT_TRUE(events.front().has_operation_snapshot());
  events.erase(events.begin());
  ASSERT_EQ(events.size(), upgrade.events.size());
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].SerializeAsString(), upgrade.events[i].SerializeAsString());
  }
  EXPECT_LT(messages, 10);
}

TEST_F(EventStreamTest, AnUpgradeCanBeAskedForBatches) {
  grpc::ClientContext context;
  migration::v1::UpgradeRequest request;
  request.set_target("head");
  request.set_batch_events(true);
  int messages = 0;
  const auto reader = stub_->Upgrade(&context, request);
  const std::vector<OperationEvent> events = Unpacked(*reader, messages);
  EXPECT_TRUE(reader->Finish().ok());
  int64_t sequence = 0;
  for (const OperationEvent& event : events) EXPECT_EQ(event.sequence(), ++sequence);
  EXPECT_TRUE(events.back().has_operation_finished());
}

TEST_F(EventStreamTest, AWatcherOfAFailedOperationSeesItAndEndsWell) {
  const Streamed upgrade = Upgrade("nowhere");
  const Streamed watched = Watch(upgrade.events[0].operation());
  EXPECT_TRUE(watched.status.ok());
  EXPECT_EQ(watched.texts().back(), "end STATE_FAILED {}");
}

TEST_F(EventStreamTest, AWatcherGoesOnLive) {
  const std::string operation = BeginEndless();
  ASSERT_TRUE(Eventually([&] { return Get(operation).last_sequence() == 3; }));
  Streamed watched;
  std::thread watcher([&] { watched = Watch(operation, 3); });
  EXPECT_TRUE(Cancel(operation).ok());
  watcher.join();
  EXPECT_THAT(watched.texts(), ElementsAre("end STATE_CANCELLED {}"));
  EXPECT_EQ(Verdict(ReadAll(*reader_).status), "CANCELLED OPERATION_CANCELLED");
}

TEST_F(EventStreamTest, ManyWatchersSeeTheSame) {
  const std::string operation = BeginEndless();
  std::vector<Streamed> watched(20);
  std::vector<std::thread> watchers;
  for (Streamed& one : watched) {
    watchers.emplace_back([&, &one = one] { one = Watch(operation); });
  }
  Cancel(operation);
  for (std::thread& watcher : watchers) watcher.join();
  for (const Streamed& one : watched) {
    EXPECT_THAT(one.texts(), ElementsAre("accepted head", "plan aa01 aa02 aa03", "start aa01 1/3",
                                         "end STATE_CANCELLED {}"));
  }
  ReadAll(*reader_);
}

TEST_F(EventStreamTest, AClientThatGoesAwayDoesNotStopTheOperation) {
  database_.HoldMutex({4711, "billing", "app", ""});
  const std::string operation = Begin();
  context_->TryCancel();
  EXPECT_EQ(ReadAll(*reader_).status.error_code(), grpc::StatusCode::CANCELLED);
  database_.ReleaseMutex();
  EXPECT_TRUE(AwaitState(operation, Operation::STATE_SUCCEEDED));
}

TEST_F(EventStreamTest, ADeadlineThatPassesDoesNotStopTheOperation) {
  database_.HoldMutex({4711, "billing", "app", ""});
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(300)));
  migration::v1::UpgradeRequest request;
  request.set_target("head");
  const Streamed upgrade = ReadAll(*stub_->Upgrade(&context, request));
  EXPECT_EQ(upgrade.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  database_.ReleaseMutex();
  EXPECT_TRUE(Eventually([&] {
    const auto page = operations_->List({}, "", 1);
    return !page->operations.empty() && page->operations[0].state() == Operation::STATE_SUCCEEDED;
  }));
}

TEST_F(EventStreamTest, ASlowReaderHoldsNothingUpAndMissesNothing) {
  // Far more than what HTTP/2 takes before its reader reads.
  fake_.Write({"aa01", ""});
  database_.Say("SELECT", {"NOTICE", "00000", std::string(20000, 'x'), "", ""}, 100);
  const std::string operation = Begin();
  EXPECT_TRUE(AwaitState(operation, Operation::STATE_SUCCEEDED));
  const Streamed rest = ReadAll(*reader_);
  EXPECT_TRUE(rest.status.ok());
  int64_t sequence = 1;
  for (const OperationEvent& event : rest.events) EXPECT_EQ(event.sequence(), ++sequence);
  EXPECT_GT(sequence, 100);
  EXPECT_EQ(rest.texts().back(), "end STATE_SUCCEEDED {aa03}");
}

TEST_F(EventStreamTest, AReaderThatNeverReadsCanGoAway) {
  fake_.Write({"aa01", ""});
  database_.Say("SELECT", {"NOTICE", "00000", std::string(20000, 'x'), "", ""}, 100);
  const std::string operation = Begin();
  EXPECT_TRUE(AwaitState(operation, Operation::STATE_SUCCEEDED));
  context_->TryCancel();
  ReadAll(*reader_);
  EXPECT_EQ(Watch(operation).texts().back(), "end STATE_SUCCEEDED {aa03}");
}

// --- Cancelling ---

TEST_F(EventStreamTest, CancelEndsARunningOperation) {
  const std::string operation = BeginEndless();
  EXPECT_TRUE(Cancel(operation).ok());
  const Streamed rest = ReadAll(*reader_);
  EXPECT_EQ(Verdict(rest.status), "CANCELLED OPERATION_CANCELLED");
  EXPECT_EQ(rest.texts().back(), "end STATE_CANCELLED {}");
  EXPECT_EQ(Get(operation).error().reason(), "OPERATION_CANCELLED");
}

TEST_F(EventStreamTest, CancellingWhatHasEndedChangesNothing) {
  const std::string operation = Upgrade("head").events[0].operation();
  EXPECT_TRUE(Cancel(operation).ok());
  EXPECT_EQ(Get(operation).state(), Operation::STATE_SUCCEEDED);
}

// --- The end of the server ---

TEST_F(EventStreamTest, AServerThatEndsLetsItsOperationsGoAndTellsTheirReaders) {
  const std::string operation = BeginEndless();
  std::thread stopper([this] { server_->Shutdown(absl::ZeroDuration()); });
  const Streamed rest = ReadAll(*reader_);
  stopper.join();
  EXPECT_EQ(rest.texts().back(), "interrupted 1/3");
  EXPECT_EQ(Verdict(rest.status), "UNAVAILABLE DRAINING");
}

// --- The first message, and those between the events ---

TEST_F(EventStreamTest, AWatcherIsFirstToldHowTheOperationStands) {
  const std::string operation = BeginEndless();
  EXPECT_TRUE(AwaitState(operation, Operation::STATE_RUNNING));
  ASSERT_TRUE(Eventually([&] { return Get(operation).has_position(); }));
  migration::v1::WatchOperationRequest request;
  request.set_operation(operation);
  request.set_after_sequence(2);
  grpc::ClientContext context;
  const auto reader = stub_->WatchOperation(&context, request);
  OperationEvent first;
  ASSERT_TRUE(reader->Read(&first));
  const Operation& snapshot = first.operation_snapshot().operation();
  EXPECT_EQ(first.sequence(), 2);
  EXPECT_EQ(first.operation(), operation);
  EXPECT_EQ(snapshot.state(), Operation::STATE_RUNNING);
  EXPECT_EQ(snapshot.step_count(), 3);
  EXPECT_EQ(snapshot.position().revision(), "aa01");
  EXPECT_EQ(snapshot.position().statement_count(), 1);
  EXPECT_EQ(snapshot.last_sequence(), 3);
  OperationEvent next;
  ASSERT_TRUE(reader->Read(&next));
  EXPECT_EQ(Brief(next), "start aa01 1/3");
  EXPECT_EQ(next.sequence(), 3);
  Cancel(operation);
  ReadAll(*reader);
}

TEST_F(EventStreamTest, AQuietStreamHasHeartbeats) {
  const std::string operation = BeginEndless();
  migration::v1::WatchOperationRequest request;
  request.set_operation(operation);
  request.set_after_sequence(3);
  request.mutable_heartbeat_interval()->set_nanos(100'000'000);
  grpc::ClientContext context;
  const auto reader = stub_->WatchOperation(&context, request);
  OperationEvent message;
  while (reader->Read(&message) && !message.has_heartbeat()) {
  }
  EXPECT_TRUE(message.has_heartbeat());
  EXPECT_EQ(message.operation(), operation);
  EXPECT_EQ(message.sequence(), 3);
  Cancel(operation);
  ReadAll(*reader);
}

TEST_F(EventStreamTest, HeartbeatsTooOftenAreRefused) {
  migration::v1::WatchOperationRequest request;
  request.set_operation("x");
  request.mutable_heartbeat_interval()->set_nanos(1'000'000);
  grpc::ClientContext context;
  EXPECT_EQ(Verdict(ReadAll(*stub_->WatchOperation(&context, request)).status),
            "INVALID_ARGUMENT INVALID_REQUEST");
}

TEST_F(EventStreamTest, AWatcherBehindTheEndIsToldWhereItIs) {
  const std::string operation = Upgrade("aa01").events[0].operation();
  migration::v1::WatchOperationRequest request;
  request.set_operation(operation);
  request.set_after_sequence(1000);
  grpc::ClientContext context;
  const Streamed watched = ReadAll(*stub_->WatchOperation(&context, request));
  ASSERT_EQ(watched.events.size(), 1U);
  EXPECT_EQ(watched.events[0].sequence(), 6);
}

TEST_F(EventStreamTest, EventsThatAreNoLongerKeptAreOutOfRange) {
  const std::string operation = Upgrade("head").events[0].operation();
  const auto ledger = fake_.store().OpenLedger(4711).value();
  ASSERT_EQ(ledger->ForgetEvents(operation, 5).value(), 6);
  // Another server has none of them in memory.
  OperationManager other;
  other.Follow(**catalog_->Find(""));
  const auto server =
      Server::Start({{absl::StrCat("unix:", directory_.path(), "/other")}}, *catalog_, other);
  const auto stub = migration::v1::MigrationService::NewStub(
      grpc::CreateChannel((*server)->addresses()[0], grpc::InsecureChannelCredentials()));
  const auto watch = [&](int64_t after) {
    migration::v1::WatchOperationRequest request;
    request.set_operation(operation);
    request.set_after_sequence(after);
    grpc::ClientContext context;
    return ReadAll(*stub->WatchOperation(&context, request));
  };
  const Streamed pruned = watch(2);
  EXPECT_EQ(Verdict(pruned.status), "OUT_OF_RANGE EVENTS_PRUNED");
  EXPECT_EQ(DetailsOf(pruned.status).info.metadata().at("oldest_sequence"), "6");
  EXPECT_TRUE(watch(5).status.ok());
  EXPECT_EQ(watch(5).texts().back(), "end STATE_SUCCEEDED {aa03}");
}

TEST_F(EventStreamTest, AWatcherThatComesBackAHundredTimesMissesNothing) {
  constexpr int kStatements = 300;
  std::string section = "\n";
  for (int i = 0; i < kStatements; ++i) section += "SELECT 1;\n";
  fake_.Write({"aa01", "", section});
  const std::string operation = Upgrade("aa01").events[0].operation();
  int64_t sequence = 0;
  for (int round = 0; round < 100; ++round) {
    migration::v1::WatchOperationRequest request;
    request.set_operation(operation);
    request.set_after_sequence(sequence);
    grpc::ClientContext context;
    const auto reader = stub_->WatchOperation(&context, request);
    OperationEvent event;
    for (int i = 0; i < 4 && reader->Read(&event); ++i) {
      if (event.has_operation_snapshot()) {
        EXPECT_EQ(event.sequence(), sequence);
      } else {
        EXPECT_EQ(event.sequence(), ++sequence);
      }
    }
    context.TryCancel();
    ReadAll(*reader);
  }
  EXPECT_EQ(sequence, 300);
}

// --- All operations ---

class WatchTest : public EventStreamTest {
 protected:
  // Begins to watch all operations.
  void BeginWatch(const migration::v1::WatchRequest& request = {}) {
    watch_ = stub_->Watch(&watch_context_, request);
  }
  // The next message that is no heartbeat, as "operation: text".
  std::string Next() {
    OperationEvent message;
    do {
      if (!watch_->Read(&message)) return "end of stream";
    } while (message.has_heartbeat());
    last_ = message;
    return Brief(message);
  }

  ~WatchTest() override {
    if (watch_ == nullptr) return;
    watch_context_.TryCancel();
    ReadAll(*watch_);
  }

  grpc::ClientContext watch_context_;
  std::unique_ptr<grpc::ClientReader<OperationEvent>> watch_;
  OperationEvent last_;
};

TEST_F(WatchTest, FollowsOperationsThatBeginLater) {
  migration::v1::WatchRequest request;
  request.mutable_heartbeat_interval()->set_nanos(100'000'000);
  BeginWatch(request);
  OperationEvent heartbeat;
  ASSERT_TRUE(watch_->Read(&heartbeat));
  EXPECT_TRUE(heartbeat.has_heartbeat());
  for (const std::string target : {"aa01", "aa02"}) {
    const std::string operation = Upgrade(target).events[0].operation();
    EXPECT_EQ(Next(), "accepted " + target);
    EXPECT_EQ(last_.operation(), operation);
    EXPECT_EQ(Next(), "plan " + target);
    EXPECT_EQ(Next(), "start " + target + " 1/1");
    EXPECT_EQ(Next(), "statement " + target + " 1/1 CREATE TABLE");
    EXPECT_EQ(Next(), "finish " + target + " {" + target + "}");
    EXPECT_EQ(Next(), "end STATE_SUCCEEDED {" + target + "}");
  }
}

TEST_F(WatchTest, BeginsWithWhatIsNotFinished) {
  Upgrade("nowhere");
  const std::string operation = BeginEndless();
  ASSERT_TRUE(Eventually([&] { return Get(operation).has_position(); }));
  BeginWatch();
  EXPECT_EQ(Next(), "snapshot STATE_RUNNING");
  EXPECT_EQ(last_.operation(), operation);
  Cancel(operation);
  EXPECT_EQ(Next(), "end STATE_CANCELLED {}");
  ReadAll(*reader_);
}

TEST_F(WatchTest, TellsWhatHasFinishedMeanwhile) {
  Upgrade("nowhere");
  const Operation first = Get(Upgrade("aa01").events[0].operation());
  Upgrade("aa02");
  migration::v1::WatchRequest request;
  *request.mutable_finished_since() = first.finish_time();
  BeginWatch(request);
  EXPECT_EQ(Next(), "snapshot STATE_SUCCEEDED");
  EXPECT_EQ(last_.operation(), first.operation());
  EXPECT_EQ(Next(), "snapshot STATE_SUCCEEDED");
}

TEST_F(WatchTest, EndsWithTheServer) {
  BeginWatch();
  watch_->WaitForInitialMetadata();
  std::thread stopper([this] { server_->Shutdown(absl::ZeroDuration()); });
  EXPECT_EQ(Next(), "end of stream");
  EXPECT_EQ(Verdict(watch_->Finish()), "UNAVAILABLE DRAINING");
  watch_ = nullptr;
  stopper.join();
}

TEST_F(WatchTest, RefusesADatabaseThatIsUnknown) {
  migration::v1::WatchRequest request;
  request.set_database("nowhere");
  grpc::ClientContext context;
  EXPECT_EQ(Verdict(ReadAll(*stub_->Watch(&context, request)).status),
            "NOT_FOUND UNKNOWN_DATABASE");
}

TEST_F(WatchTest, WhoeverDoesNotReadHoldsNothingUp) {
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<OperationEvent>>> readers;
  for (int i = 0; i < 50; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    readers.push_back(stub_->Watch(contexts.back().get(), {}));
  }
  fake_.Write({"aa01", ""});
  database_.Say("SELECT", {"NOTICE", "00000", std::string(20000, 'x'), "", ""}, 100);
  EXPECT_TRUE(Upgrade("head").status.ok());
  for (size_t i = 0; i < readers.size(); ++i) {
    contexts[i]->TryCancel();
    ReadAll(*readers[i]);
  }
}

}  // namespace
}  // namespace migd
