#include "service/rpc/call_tracker.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "service/base/log.h"
#include "service/base/mutex.h"
#include "tests/rpc/rpc_fixture.h"

namespace migd {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";

// Keeps what it is told, as text.
class Observer : public CallObserver {
 public:
  void CallStarted(const CallName& call) override { Add(call, "started"); }
  void MessageReceived(const CallName& call) override { Add(call, "received"); }
  void MessageSent(const CallName& call) override { Add(call, "sent"); }
  void CallEnded(const CallName& call, grpc::StatusCode code, absl::Duration duration) override {
    EXPECT_GT(duration, absl::ZeroDuration());
    Add(call, absl::StrCat("ended ", code));
  }

  // What was told of the calls of a method.
  std::vector<std::string> Of(const std::string& method) {
    MutexLock lock(mutex_);
    return told_[method];
  }
  // The same, once a call of it has ended: its client may know that before the observer.
  std::vector<std::string> AtEndOf(const std::string& method) {
    EXPECT_TRUE(Eventually([&] {
      const auto told = Of(method);
      return !told.empty() && told.back().rfind("ended", 0) == 0;
    })) << method;
    return Of(method);
  }

 private:
  void Add(const CallName& call, const std::string& what) {
    MutexLock lock(mutex_);
    told_[absl::StrCat(call.type, " ", call.method)].push_back(what);
  }

  Mutex mutex_;
  std::map<std::string, std::vector<std::string>> told_ ABSL_GUARDED_BY(mutex_);
};

class CallTrackerTest : public RpcTest {
 protected:
  CallTrackerTest() {
    observer_ = &told_;
    Serve(*catalog_);
  }
  ~CallTrackerTest() override { server_.reset(); }

  Observer told_;
};

TEST_F(CallTrackerTest, FollowsCallsThatAreAnsweredByAThread) {
  migration::v1::CurrentResponse response;
  Call(&Stub::Current, migration::v1::CurrentRequest(), response);
  EXPECT_THAT(told_.AtEndOf("unary Current"),
              ElementsAre("started", "received", "sent", "ended 0"));
}

TEST_F(CallTrackerTest, FollowsStreamsThatAreAnsweredByCallbacks) {
  const Streamed upgrade = Upgrade("aa01");
  const std::vector<std::string> told = told_.AtEndOf("server_stream Upgrade");
  EXPECT_EQ(std::count(told.begin(), told.end(), "sent"), static_cast<int>(upgrade.events.size()));
  EXPECT_EQ(told.front(), "started");
  EXPECT_EQ(told.back(), "ended 0");
}

TEST_F(CallTrackerTest, FollowsUnaryCallsThatAreAnsweredByCallbacks) {
  migration::v1::WaitRequest request;
  request.set_revision("base");
  migration::v1::WaitResponse response;
  Call(&Stub::Wait, request, response);
  EXPECT_THAT(told_.AtEndOf("unary Wait"), Contains("started"));
}

TEST_F(CallTrackerTest, TellsTheStatusOfWhatIsRefused) {
  migration::v1::CurrentRequest request;
  request.set_database("other");
  migration::v1::CurrentResponse response;
  Call(&Stub::Current, request, response);
  EXPECT_THAT(told_.AtEndOf("unary Current"),
              Contains(absl::StrCat("ended ", grpc::StatusCode::NOT_FOUND)));
}

TEST_F(CallTrackerTest, TellsThatACallerHasGone) {
  grpc::ClientContext context;
  const auto reader = stub_->Watch(&context, migration::v1::WatchRequest());
  ASSERT_TRUE(Eventually([&] { return !told_.Of("server_stream Watch").empty(); }));
  context.TryCancel();
  reader->Finish();
  EXPECT_EQ(told_.AtEndOf("server_stream Watch").back(),
            absl::StrCat("ended ", grpc::StatusCode::CANCELLED));
}

TEST_F(CallTrackerTest, LogsEachCallOnceWithItsTrace) {
  ::testing::internal::CaptureStderr();
  migration::v1::CurrentRequest request;
  request.set_database("other");
  migration::v1::CurrentResponse response;
  grpc::ClientContext context;
  context.AddMetadata("traceparent", absl::StrCat("00-", kTrace, "-00f067aa0ba902b7-01"));
  stub_->Current(&context, request, &response);
  told_.AtEndOf("unary Current");
  server_.reset();
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, AllOf(HasSubstr(" info call rpc=Current code=NOT_FOUND seconds="),
                         HasSubstr("database=other principal=unix:"), HasSubstr(" peer=unix "),
                         HasSubstr(absl::StrCat("trace_id=", kTrace))));
  EXPECT_EQ(log.find(" call "), log.rfind(" call "));
}

TEST_F(CallTrackerTest, OneWhoSendsSeveralTracesHasNone) {
  grpc::ClientContext context;
  context.AddMetadata("traceparent", absl::StrCat("00-", kTrace, "-00f067aa0ba902b7-01"));
  context.AddMetadata("traceparent", absl::StrCat("00-", kTrace, "-00f067aa0ba902b8-01"));
  migration::v1::UpgradeRequest request;
  request.set_target("aa01");
  const Streamed upgrade = ReadAll(*stub_->Upgrade(&context, request));
  ASSERT_TRUE(upgrade.status.ok());
  EXPECT_EQ(upgrade.events.front().operation_accepted().trace_id(), "");
}

TEST_F(CallTrackerTest, AnOperationIsInTheTraceOfItsCall) {
  grpc::ClientContext context;
  context.AddMetadata("traceparent", absl::StrCat("00-", kTrace, "-00f067aa0ba902b7-01"));
  migration::v1::UpgradeRequest request;
  request.set_target("aa01");
  const Streamed upgrade = ReadAll(*stub_->Upgrade(&context, request));
  ASSERT_TRUE(upgrade.status.ok());
  EXPECT_EQ(upgrade.events.front().operation_accepted().trace_id(), kTrace);
  const std::string traceparent = Get(upgrade.events.front().operation()).traceparent();
  EXPECT_THAT(traceparent, AllOf(HasSubstr(kTrace), Not(HasSubstr("00f067aa0ba902b7"))));
}

}  // namespace
}  // namespace migd
