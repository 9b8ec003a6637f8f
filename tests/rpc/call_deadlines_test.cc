// Calls that bring no deadline do not wait for ever.
#include "service/rpc/call_deadlines.h"

#include <memory>
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

}  // namespace
}  // namespace migd
