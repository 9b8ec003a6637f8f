#include "service/operation/turnstile.h"

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"

namespace migd {
namespace {

using migration::v1::ErrorReason;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TurnstileTest : public ::testing::Test {
 protected:
  // Waits for the turn of `operation`; calls `on_wait_` when it has to.
  absl::Status Wait(const std::string& operation, absl::Time deadline = absl::InfiniteFuture()) {
    return turnstile_.WaitForTurn(operation, deadline, cancellation_,
                                  [this](const std::string& holder) {
                                    waited_for_.push_back(holder);
                                    if (on_wait_) on_wait_(holder);
                                  });
  }

  Turnstile turnstile_;
  Cancellation cancellation_;
  std::function<void(const std::string&)> on_wait_;
  std::vector<std::string> waited_for_;
};

TEST_F(TurnstileTest, TheFirstPassesAtOnce) {
  turnstile_.Join("a");
  EXPECT_TRUE(Wait("a").ok());
  EXPECT_THAT(waited_for_, IsEmpty());
}

TEST_F(TurnstileTest, TheNextPassesWhenThoseBeforeItHaveLeft) {
  turnstile_.Join("a");
  turnstile_.Join("b");
  turnstile_.Join("c");
  on_wait_ = [this](const std::string& holder) { turnstile_.Leave(holder); };
  EXPECT_TRUE(Wait("c").ok());
  EXPECT_THAT(waited_for_, ElementsAre("a", "b"));
}

TEST_F(TurnstileTest, WakesUpWhenTheFirstLeavesOnAnotherThread) {
  turnstile_.Join("a");
  turnstile_.Join("b");
  std::thread other;
  on_wait_ = [&](const std::string&) { other = std::thread([this] { turnstile_.Leave("a"); }); };
  EXPECT_TRUE(Wait("b").ok());
  other.join();
}

TEST_F(TurnstileTest, WhoGivesUpInTheMiddleHoldsNobodyUp) {
  turnstile_.Join("a");
  turnstile_.Join("b");
  turnstile_.Join("c");
  turnstile_.Leave("b");
  on_wait_ = [this](const std::string& holder) { turnstile_.Leave(holder); };
  EXPECT_TRUE(Wait("c").ok());
  EXPECT_THAT(waited_for_, ElementsAre("a"));
}

TEST_F(TurnstileTest, GivesUpAtTheDeadlineAndNamesWhoIsAhead) {
  turnstile_.Join("a");
  turnstile_.Join("b");
  const absl::Status status = Wait("b", absl::Now() + absl::Milliseconds(5));
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_MUTEX_TIMEOUT);
  EXPECT_THAT(std::string(status.message()), HasSubstr("operation a"));
}

TEST_F(TurnstileTest, ACancelEndsTheWait) {
  turnstile_.Join("a");
  turnstile_.Join("b");
  std::thread other;
  on_wait_ = [&](const std::string&) {
    other = std::thread([this] { cancellation_.Request("not needed any more"); });
  };
  const absl::Status status = Wait("b");
  other.join();
  EXPECT_EQ(errors::ReasonOf(status), ErrorReason::ERROR_REASON_OPERATION_CANCELLED);
  EXPECT_THAT(std::string(status.message()), HasSubstr("not needed any more"));
}

TEST_F(TurnstileTest, OneCancelledBeforeItsTurnDoesNotPass) {
  turnstile_.Join("a");
  cancellation_.Request("before it began");
  EXPECT_EQ(errors::ReasonOf(Wait("a")), ErrorReason::ERROR_REASON_OPERATION_CANCELLED);
}

}  // namespace
}  // namespace migd
