#include "service/base/parallel.h"

#include <atomic>
#include <vector>

#include "gtest/gtest.h"

namespace migd {
namespace {

TEST(InParallel, ComesToEachOnce) {
  for (const size_t count : {size_t{0}, size_t{1}, size_t{7}, size_t{1000}}) {
    std::vector<std::atomic<int>> visits(count);
    InParallel(count, 10, [&visits](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) ++visits[i];
    });
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(visits[i], 1) << i << " of " << count;
  }
}

TEST(InParallel, DoesNotPartWhatIsTooLittleForTwo) {
  std::atomic<int> calls = 0;
  InParallel(19, 10, [&calls](size_t, size_t) { ++calls; });
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace migd
