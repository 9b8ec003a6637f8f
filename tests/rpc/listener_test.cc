#include "service/rpc/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "service/operation/operation_manager.h"
#include "service/rpc/server.h"
#include "tests/support/temporary_directory.h"

namespace migd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Why `address` is refused; "" if it is not.
std::string RefusalOf(const std::string& address, bool allow_network = false) {
  const auto listener = Listener::Open(address, allow_network);
  if (listener.ok()) return "";
  EXPECT_EQ(errors::ReasonOf(listener.status()), migration::v1::ERROR_REASON_INVALID_REQUEST);
  return std::string(listener.status().message());
}

// A port of 127.0.0.1 on which this object listens.
class TakenPort {
 public:
  TakenPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(socket_, 1), 0);
    EXPECT_EQ(getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~TakenPort() { close(socket_); }
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;

  int port() const { return port_; }

 private:
  const int socket_;
  int port_ = 0;
};

TEST(Listener, TakesLoopbackAddresses) {
  EXPECT_EQ(RefusalOf("127.0.0.1:0"), "");
  EXPECT_EQ(RefusalOf("localhost:0"), "");
}

TEST(Listener, RefusesWhatIsNoAddress) {
  for (const std::string address : {"", "127.0.0.1", ":7433", "127.0.0.1:", "127.0.0.1:x",
                                    "127.0.0.1:-1", "127.0.0.1:65536", "127.0.0.1:7433x"}) {
    EXPECT_THAT(RefusalOf(address), HasSubstr("write HOST:PORT")) << address;
  }
}

TEST(Listener, RefusesAnAddressOfTheNetworkUnlessItIsAllowed) {
  EXPECT_THAT(RefusalOf("0.0.0.0:0"), HasSubstr("--insecure"));
  EXPECT_EQ(RefusalOf("0.0.0.0:0", true), "");
}

TEST(Listener, NamesATakenPort) {
  const TakenPort taken;
  EXPECT_THAT(RefusalOf(absl::StrCat("127.0.0.1:", taken.port())),
              HasSubstr("another program listens there"));
}

TEST(Listener, LocksAUnixSocketUntilItsEnd) {
  const TemporaryDirectory directory;
  const std::string address = absl::StrCat("unix:", directory.path(), "/socket");
  {
    const auto first = Listener::Open(address, false);
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_THAT(RefusalOf(address), HasSubstr("another migd listens there"));
  }
  EXPECT_EQ(RefusalOf(address), "");
}

TEST(Listener, TheLockMovesWithIt) {
  const TemporaryDirectory directory;
  const std::string address = absl::StrCat("unix:", directory.path(), "/socket");
  auto first = Listener::Open(address, false);
  ASSERT_TRUE(first.ok());
  const Listener moved = *std::move(first);
  EXPECT_EQ(moved.address(), address);
  EXPECT_THAT(RefusalOf(address), HasSubstr("another migd"));
}

TEST(Listener, RefusesAPathThatTheKernelDoesNotTake) {
  EXPECT_THAT(RefusalOf("unix:"), HasSubstr("1 to 107 characters"));
  EXPECT_THAT(RefusalOf("unix:/tmp/" + std::string(200, 'x')), HasSubstr("1 to 107 characters"));
}

TEST(Listener, RefusesAFolderThatIsNotThere) {
  const TemporaryDirectory directory;
  EXPECT_THAT(RefusalOf(absl::StrCat("unix:", directory.path(), "/nowhere/socket")),
              HasSubstr("cannot write"));
}

// A catalog of one database, of which nothing is asked.
Catalog SomeCatalog() {
  std::vector<std::unique_ptr<Workspace>> workspaces;
  workspaces.push_back(std::make_unique<Workspace>());
  workspaces.back()->scripts = std::make_shared<ScriptDirectory>("no/such/directory");
  return Catalog(std::move(workspaces));
}

TEST(Server, AnAddressThatIsGivenTwiceIsRefused) {
  const TemporaryDirectory directory;
  const Catalog catalog = SomeCatalog();
  OperationManager operations;
  const std::vector<std::string> addresses = {"127.0.0.1:0",
                                              absl::StrCat("unix:", directory.path(), "/socket")};
  for (const std::string& address : addresses) {
    const auto server = Server::Start({{address, address}}, catalog, operations);
    EXPECT_EQ(errors::ReasonOf(server.status()), migration::v1::ERROR_REASON_INVALID_REQUEST);
    EXPECT_THAT(std::string(server.status().message()), HasSubstr("is given twice"));
  }
}

TEST(Server, SaysWhichPortItChose) {
  const Catalog catalog = SomeCatalog();
  OperationManager operations;
  const auto server = Server::Start({{"127.0.0.1:0"}}, catalog, operations);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT((*server)->addresses()[0], Not(HasSubstr(":0")));
  // Nobody can share the port.
  EXPECT_THAT(RefusalOf((*server)->addresses()[0]), HasSubstr("another program listens there"));
}

}  // namespace
}  // namespace migd
