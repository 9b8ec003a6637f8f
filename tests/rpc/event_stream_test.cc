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

TEST_F(EventStreamTest, AWatcherOfAFailedOperationSeesItAndEndsWell) {
  const Streamed upgrade = Upgrade("nowhere");
  const Streamed watched = Watch(upgrade.events[0].operation());
  EXPECT_TRUE(watched.status.ok());
  EXPECT_EQ(watched.texts().back(), "end STATE_FAILED {}");
}

TEST_F(EventStreamTest, AWatcherGoesOnLive) {
  const std::string operation = BeginEndless();
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
    const auto operations = operations_->List({});
    return !operations.empty() && operations[0]->finished();
  }));
  EXPECT_EQ(operations_->List({})[0]->Snapshot().state(), Operation::STATE_SUCCEEDED);
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

TEST_F(EventStreamTest, AServerThatEndsCancelsItsOperationsAndTellsTheirReaders) {
  const std::string operation = BeginEndless();
  std::thread stopper([this] { server_->Shutdown(absl::ZeroDuration()); });
  const Streamed rest = ReadAll(*reader_);
  stopper.join();
  EXPECT_EQ(rest.texts().back(), "end STATE_CANCELLED {}");
  EXPECT_EQ(Verdict(rest.status), "CANCELLED OPERATION_CANCELLED");
}

}  // namespace
}  // namespace migd
