#include "service/rpc/watchdog.h"

#include <atomic>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/rpc/rpc_fixture.h"

namespace migd {
namespace {

constexpr absl::Duration kTimeout = absl::Milliseconds(40);

TEST(Watchdog, TellsAsLongAsThereAreAnswers) {
  std::atomic<int> told = 0;
  const Watchdog watchdog(
      kTimeout, [](absl::Duration) { return true; }, [&] { ++told; });
  EXPECT_TRUE(Eventually([&] { return told >= 3; }));
}

TEST(Watchdog, IsSilentWhileThereAreNoAnswers) {
  std::atomic<bool> lives = false;
  std::atomic<int> asked = 0;
  std::atomic<int> told = 0;
  const Watchdog watchdog(
      kTimeout,
      [&](absl::Duration) {
        ++asked;
        return lives.load();
      },
      [&] { ++told; });
  EXPECT_TRUE(Eventually([&] { return asked >= 3; }));
  EXPECT_EQ(told, 0);
  lives = true;
  EXPECT_TRUE(Eventually([&] { return told >= 1; }));
}

TEST(Watchdog, AsksOftenEnoughForAnswersThatTakeLong) {
  absl::Duration patience;
  {
    const Watchdog watchdog(
        kTimeout,
        [&](absl::Duration most) {
          patience = most;
          return true;
        },
        [] {});
  }
  // A question that just failed, the pause, and one that was answered just in time.
  EXPECT_LT(3 * patience, kTimeout);
}

using ServerAnswersTest = RpcTest;

TEST_F(ServerAnswersTest, AServerThatServesAnswersItself) {
  EXPECT_TRUE(server_->Answers(absl::Minutes(1)));
}

TEST_F(ServerAnswersTest, ALateAnswerIsNone) { EXPECT_FALSE(server_->Answers(-absl::Seconds(1))); }

}  // namespace
}  // namespace migd
