// Calls that bring no deadline do not wait for ever.
#include "service/rpc/call_deadlines.h"

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "tests/rpc/rpc_fixture.h"

namespace migd {
namespace {

// Whoever reads its rows waits until it is told to let them go.
class SilentDatabase : public FakeDatabase {
 public:
  absl::StatusOr<DatedRows> ReadDatedRows() override {
    MutexLock lock(mutex_);
    while (is_silent_) changed_.Wait(mutex_);
    return DatedRows();
  }
  void Speak() {
    MutexLock lock(mutex_);
    is_silent_ = false;
    changed_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool is_silent_ ABSL_GUARDED_BY(mutex_) = true;
};

class CallDeadlinesTest : public RpcTest {
 protected:
  CallDeadlinesTest() {
    auto database = std::make_unique<SilentDatabase>();
    silent_ = database.get();
    silent_fake_.workspace().database = std::move(database);
    silent_fake_.Write({"aa01", ""});
    std::vector<std::unique_ptr<Workspace>> workspaces;
    workspaces.push_back(silent_fake_.Take());
    silent_catalog_ = std::make_unique<Catalog>(std::move(workspaces));
  }
  ~CallDeadlinesTest() override {
    silent_->Speak();
    server_.reset();
    operations_.reset();
  }

  void ServeWithDeadline(absl::Duration deadline) {
    ServerOptions options;
    options.limits.read_deadline = deadline;
    Serve(*silent_catalog_, options);
  }
  grpc::Status Current(grpc::ClientContext& context) {
    migration::v1::CurrentResponse response;
    return stub_->Current(&context, migration::v1::CurrentRequest(), &response);
  }

  FakeWorkspace silent_fake_;
  SilentDatabase* silent_ = nullptr;
  std::unique_ptr<Catalog> silent_catalog_;
};

TEST_F(CallDeadlinesTest, ACallWithoutOneGetsThatOfTheServer) {
  ServeWithDeadline(absl::Milliseconds(50));
  grpc::ClientContext context;
  const grpc::Status status = Current(context);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << status.error_message();
  EXPECT_EQ(status.error_message(),
            "no answer within 50ms, the server's limit for calls without a deadline");
  // What asks no database is answered.
  migration::v1::WhoAmIResponse caller;
  EXPECT_TRUE(Call(&Stub::WhoAmI, migration::v1::WhoAmIRequest(), caller).ok());
}

TEST_F(CallDeadlinesTest, ACallWithOneKeepsIt) {
  ServeWithDeadline(absl::Milliseconds(50));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  // It is answered after the server's limit has ended one that came later.
  grpc::Status status;
  std::thread caller([&] { status = Current(context); });
  grpc::ClientContext later;
  EXPECT_EQ(Current(later).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  silent_->Speak();
  caller.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(CallDeadlinesTest, CallsForWhichThereIsNoThreadAreRefusedAtOnce) {
  ServerOptions options;
  options.limits.threads = 10;
  Serve(*silent_catalog_, options);
  std::atomic<int> refused = 0;
  std::atomic<int> answered = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 3 * options.limits.threads; ++i) {
    callers.emplace_back([&] {
      grpc::ClientContext context;
      const grpc::StatusCode code = Current(context).error_code();
      if (code == grpc::StatusCode::RESOURCE_EXHAUSTED) ++refused;
      if (code == grpc::StatusCode::OK) ++answered;
    });
  }
  // Those that have a thread wait for the database.
  EXPECT_TRUE(Eventually([&] { return refused >= 2 * options.limits.threads; }));
  EXPECT_EQ(answered, 0);
  silent_->Speak();
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(refused + answered, 3 * options.limits.threads);
  EXPECT_GT(answered, 0);
  // There are threads again.
  EXPECT_TRUE(Eventually([&] {
    grpc::ClientContext context;
    return Current(context).ok();
  }));
}

}  // namespace
}  // namespace migd
