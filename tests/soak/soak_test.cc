// A hundred clients at once, over TCP on loopback: those who read, those who watch, and those who
// migrate. MIGD_SOAK_SECONDS says for how long; the thread and address sanitizers look on in their
// builds.

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/rpc/rpc_fixture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Of the sanitizers' runtime; GCC comes without the header that declares it.
extern "C" size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace migd {
namespace {

constexpr int kReaders = 75;
constexpr int kWatchers = 20;
constexpr int kMigrators = 5;
// So much more than at half time may be in use at the end, and so much for each call that migrated
// in between, as the fakes remember all that was done to them. In twelve seconds that notices a
// kilobyte that each call leaves behind, and in longer runs less.
constexpr size_t kGrowth = 8 << 20;
constexpr size_t kGrowthPerMigration = 64 << 10;

absl::Duration SoakTime() {
  const char* text = std::getenv("MIGD_SOAK_SECONDS");
  int seconds = 0;
  return text != nullptr && absl::SimpleAtoi(text, &seconds) ? absl::Seconds(seconds)
                                                             : absl::Seconds(10);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// What is in use of the sanitizer's own malloc.
size_t BytesInUse() { return __sanitizer_get_current_allocated_bytes(); }
#else
// What malloc has given out.
size_t BytesInUse() { return mallinfo2().uordblks + mallinfo2().hblkhd; }
#endif

class SoakTest : public RpcTest {
 protected:
  SoakTest() {
    ServerOptions options;
    options.addresses = {"127.0.0.1:0"};
    Serve(*catalog_, options);
  }

  // Calls until the end; how long each call of Current took.
  std::vector<absl::Duration> Read() {
    const auto stub = NewStub();
    std::vector<absl::Duration> times;
    while (!done_) {
      const absl::Time begin = absl::Now();
      CallOn(*stub, &Stub::Current, migration::v1::CurrentRequest(),
             migration::v1::CurrentResponse());
      times.push_back(absl::Now() - begin);
      CallOn(*stub, &Stub::History, migration::v1::HistoryRequest(),
             migration::v1::HistoryResponse());
      CallOn(*stub, &Stub::ListOperations, migration::v1::ListOperationsRequest(),
             migration::v1::ListOperationsResponse());
      // A client that does something with what it was told.
      absl::SleepFor(absl::Milliseconds(5));
    }
    return times;
  }

  // Opens one watch after the other, and reads each for a while.
  void WatchAll() {
    const auto stub = NewStub();
    migration::v1::WatchRequest request;
    request.mutable_heartbeat_interval()->set_nanos(100'000'000);
    while (!done_) {
      grpc::ClientContext context;
      const auto reader = stub->Watch(&context, request);
      migration::v1::OperationEvent event;
      int read = 0;
      while (!done_ && read < 200 && reader->Read(&event)) ++read;
      // It ends only when it is cancelled.
      if (!done_ && read < 200) ++failures_;
      context.TryCancel();
      while (reader->Read(&event)) continue;
      reader->Finish();
    }
  }

  // There and back; another one's plan can be in the way, which is no failure of the service.
  void Migrate() {
    const auto stub = NewStub();
    while (!done_) {
      grpc::ClientContext up_context;
      migration::v1::UpgradeRequest up;
      up.set_target("heads");
      Count(ReadAll(*stub->Upgrade(&up_context, up)).status);
      grpc::ClientContext down_context;
      migration::v1::DowngradeRequest down;
      down.set_target("base");
      Count(ReadAll(*stub->Downgrade(&down_context, down)).status);
      absl::SleepFor(absl::Milliseconds(50));
    }
  }

  void Count(const grpc::Status& migration) {
    ++migrations_;
    if (migration.ok()) ++migrated_;
  }

  template <typename Method, typename Request, typename Response>
  void CallOn(Stub& stub, Method method, const Request& request, Response response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    if (!(stub.*method)(&context, request, &response).ok()) ++failures_;
    ++calls_;
  }

  std::atomic<bool> done_ = false;
  std::atomic<int> failures_ = 0;
  // Those that read.
  std::atomic<int> calls_ = 0;
  // Calls that migrated, or tried to, and those that did.
  std::atomic<int> migrations_ = 0;
  std::atomic<int> migrated_ = 0;
};

TEST_F(SoakTest, AHundredClientsAreServedAndMemoryStaysFlat) {
  std::vector<std::vector<absl::Duration>> times(kReaders);
  std::vector<std::thread> clients;
  for (int i = 0; i < kReaders; ++i) clients.emplace_back([&, i] { times[i] = Read(); });
  for (int i = 0; i < kWatchers; ++i) clients.emplace_back([&] { WatchAll(); });
  for (int i = 0; i < kMigrators; ++i) clients.emplace_back([&] { Migrate(); });

  absl::SleepFor(SoakTime() / 2);
  const size_t half_time = BytesInUse();
  const int calls_at_half_time = calls_;
  const int migrations_at_half_time = migrations_;
  absl::SleepFor(SoakTime() / 2);
  const size_t end = BytesInUse();
  const int calls = calls_ - calls_at_half_time;
  const int migrations = migrations_ - migrations_at_half_time;
  done_ = true;
  for (std::thread& client : clients) client.join();

  std::vector<absl::Duration> all;
  for (const auto& some : times) all.insert(all.end(), some.begin(), some.end());
  ASSERT_FALSE(all.empty());
  std::sort(all.begin(), all.end());
  std::cout << "Current: " << all.size() << " calls, median "
            << absl::FormatDuration(all[all.size() / 2]) << ", p99 "
            << absl::FormatDuration(all[all.size() * 99 / 100]) << "; " << migrated_
            << " operations; in use: " << (half_time >> 10) << " KiB at half time, " << (end >> 10)
            << " KiB at the end, after " << calls << " more calls and " << migrations
            << " that migrate\n";
  EXPECT_EQ(failures_, 0);
  EXPECT_GT(migrated_, 0);
  EXPECT_LT(end, half_time + kGrowth + migrations * kGrowthPerMigration);
}

}  // namespace
}  // namespace migd
