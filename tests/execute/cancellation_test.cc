#include "service/execute/cancellation.h"

#include <thread>

#include "gtest/gtest.h"

namespace migd {
namespace {

TEST(Cancellation, KeepsItsFirstReason) {
  Cancellation cancellation;
  EXPECT_FALSE(cancellation.requested());
  EXPECT_EQ(cancellation.why(), "");
  cancellation.Request("first");
  cancellation.Request("second");
  EXPECT_TRUE(cancellation.requested());
  EXPECT_EQ(cancellation.why(), "first");
}

TEST(Cancellation, WaitingEndsWithTheRequest) {
  Cancellation cancellation;
  std::thread requester([&cancellation] { cancellation.Request("now"); });
  EXPECT_TRUE(cancellation.WaitFor(absl::Hours(1)));
  requester.join();
}

TEST(Cancellation, WaitingEndsWithItsTime) {
  Cancellation cancellation;
  EXPECT_FALSE(cancellation.WaitFor(absl::Milliseconds(1)));
  EXPECT_FALSE(cancellation.WaitFor(-absl::Seconds(1)));
}

TEST(Cancellation, TellsItsListenerOnce) {
  Cancellation cancellation;
  int calls = 0;
  cancellation.SetListener([&calls] { ++calls; });
  EXPECT_EQ(calls, 0);
  cancellation.Request("once");
  cancellation.Request("twice");
  EXPECT_EQ(calls, 1);
}

TEST(Cancellation, TellsAListenerThatComesLate) {
  Cancellation cancellation;
  cancellation.Request("before");
  int calls = 0;
  cancellation.SetListener([&calls] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST(Cancellation, TellsNoListenerThatWasRemoved) {
  Cancellation cancellation;
  int calls = 0;
  cancellation.SetListener([&calls] { ++calls; });
  cancellation.SetListener(nullptr);
  cancellation.Request("after");
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace migd
