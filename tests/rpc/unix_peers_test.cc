#include "service/rpc/unix_peers.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace migd {
namespace {

using ::testing::ElementsAre;

// Users without names.
constexpr uid_t kSomebody = 3'000'001;
constexpr uid_t kAnother = 3'000'002;

absl::Time now = absl::UnixEpoch();

UniqueFd Open() { return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

std::string PeerOf(const UniqueFd& connection) { return absl::StrCat("fd:", connection.get()); }

TEST(UnixPeers, KnowsWhoseAConnectionIs) {
  UnixPeers peers;
  const UniqueFd connection = peers.Register(Open(), kSomebody);
  EXPECT_THAT(peers.NamesOf(PeerOf(connection)), ElementsAre("unix:3000001"));
  for (const char* peer : {"fd:999999", "fd:", "fd:x", "", "ipv4:127.0.0.1:1"}) {
    EXPECT_THAT(peers.NamesOf(peer), ElementsAre("anonymous")) << peer;
  }
}

TEST(UnixPeers, NamesUsersByNameAndNumber) {
  EXPECT_THAT(NamesOfUser(0), ElementsAre("unix:root", "unix:0"));
}

TEST(UnixPeers, ANumberDoesNotBecomeAnothersSoon) {
  UnixPeers peers([] { return now; });
  int number = -1;
  {
    const UniqueFd first = peers.Register(Open(), kSomebody);
    number = first.get();
  }
  UniqueFd second = Open();
  ASSERT_EQ(second.get(), number) << "the kernel gives the lowest number that is free";
  second = peers.Register(std::move(second), kAnother);
  EXPECT_NE(second.get(), number);
  EXPECT_THAT(peers.NamesOf(PeerOf(second)), ElementsAre("unix:3000002"));
  // What a call that came over the first still finds.
  EXPECT_THAT(peers.NamesOf(absl::StrCat("fd:", number)), ElementsAre("unix:3000001"));
  // The same user's it can be at once.
  const UniqueFd third = peers.Register(Open(), kSomebody);
  EXPECT_EQ(third.get(), number);
}

TEST(UnixPeers, ANumberBecomesAnothersLongAfterItWasFoundToBeFree) {
  UnixPeers peers([] { return now; });
  int number = -1;
  {
    const UniqueFd first = peers.Register(Open(), kSomebody);
    number = first.get();
  }
  // How long it had been open is no matter: it is found to be free only now.
  now += 2 * UnixPeers::kQuarantine;
  {
    const UniqueFd second = peers.Register(Open(), kAnother);
    EXPECT_NE(second.get(), number);
  }
  now += UnixPeers::kQuarantine;
  const UniqueFd third = peers.Register(Open(), kAnother);
  EXPECT_EQ(third.get(), number);
}

}  // namespace
}  // namespace migd
