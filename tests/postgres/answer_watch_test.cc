#include "service/postgres/answer_watch.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "gtest/gtest.h"

namespace migd {
namespace {

// Two ends of a connection.
struct Pair {
  Pair() {
    std::array<int, 2> ends = {};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours = UniqueFd(ends[0]);
    theirs = UniqueFd(ends[1]);
  }
  UniqueFd ours;
  UniqueFd theirs;
};

TEST(AnswerWatch, EndsAConnectionThatWaitsForTooLong) {
  AnswerWatch watch(absl::Milliseconds(1));
  const Pair pair;
  const AnswerWatch::Use use(watch, pair.ours.get(), absl::Milliseconds(10));
  // Nothing was sent; without the watch this would wait for ever.
  char byte = 0;
  EXPECT_EQ(read(pair.ours.get(), &byte, 1), 0);
}

TEST(AnswerWatch, LeavesOneWhoseUseIsOver) {
  AnswerWatch watch(absl::Milliseconds(1));
  const Pair used;
  const Pair waiting;
  { const AnswerWatch::Use use(watch, used.ours.get(), absl::ZeroDuration()); }
  const Pair later;
  const AnswerWatch::Use in_time(watch, later.ours.get(), absl::InfiniteDuration());
  // It has looked at least once more when this one has ended.
  const AnswerWatch::Use use(watch, waiting.ours.get(), absl::Milliseconds(10));
  char byte = 0;
  EXPECT_EQ(read(waiting.ours.get(), &byte, 1), 0);
  EXPECT_EQ(recv(later.ours.get(), &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST(AnswerWatch, DoesNotTouchWhatHasTakenTheNumberOfAConnection) {
  AnswerWatch watch(absl::Milliseconds(1));
  Pair pair;
  const Pair other;
  const AnswerWatch::Use use(watch, pair.ours.get(), absl::Milliseconds(10));
  // libpq closes the socket of a connection that it finds lost.
  const int number = pair.ours.get();
  ASSERT_EQ(dup2(other.ours.get(), number), number);
  char byte = 0;
  EXPECT_EQ(read(pair.theirs.get(), &byte, 1), 0);
  EXPECT_EQ(recv(other.ours.get(), &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
}

}  // namespace
}  // namespace migd
