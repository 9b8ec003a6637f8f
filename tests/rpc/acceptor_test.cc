#include "service/rpc/acceptor.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "service/rpc/listener.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace migd {
namespace {

class AcceptorTest : public ::testing::Test {
 protected:
  AcceptorTest() : listener_(*Listener::Open("unix:" + path(), false)) {}

  std::string path() const { return directory_.path() + "/socket"; }
  UniqueFd Connect() const {
    UniqueFd connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return connection;
  }

  const TemporaryDirectory directory_;
  const Listener listener_;
};

TEST_F(AcceptorTest, AConnectionThatItsOwnerHasClosedAlreadyTakesNoPlace) {
  std::atomic<int> taken = 0;
  Acceptor acceptor(2);
  acceptor.Add(listener_.sockets().front().get(), [&](UniqueFd connection) {
    // Of each another number, that of no file.
    const int number = 100'000 + taken++;
    connection = UniqueFd();
    return number;
  });
  acceptor.Start();
  for (int i = 0; i < 5; ++i) Connect();
  EXPECT_TRUE(Eventually([&] { return taken == 5; }));
}

}  // namespace
}  // namespace migd
