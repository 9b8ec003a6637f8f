// Cancelling where the server does not answer: nobody is held up.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "service/base/unique_fd.h"
#include "service/postgres/postgres_database.h"
#include "tests/support/process.h"
#include "tests/support/test_cluster.h"

namespace migd {
namespace {

// A way to a server, over TCP, that takes one connection. Who connects after that is not refused,
// for the kernel greets them, but never answered.
class DeafRelay {
 public:
  explicit DeafRelay(const ConnectionOptions& server)
      : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        server_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        connection_(server) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_.get(), 10), 0);
    EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);

    sockaddr_un target = {};
    target.sun_family = AF_UNIX;
    const std::string path = absl::StrCat(server.at("host"), "/.s.PGSQL.", server.at("port"));
    path.copy(target.sun_path, sizeof target.sun_path - 1);
    EXPECT_EQ(connect(server_.get(), reinterpret_cast<sockaddr*>(&target), sizeof target), 0);

    connection_["host"] = "127.0.0.1";
    connection_["port"] = absl::StrCat(ntohs(address.sin_port));
    connection_["sslmode"] = "disable";
    connection_["gssencmode"] = "disable";
    thread_ = std::thread([this] { Relay(); });
  }

  // When those who used it are gone.
  ~DeafRelay() { thread_.join(); }

  const ConnectionOptions& connection() const { return connection_; }

 private:
  void Relay() const {
    const UniqueFd client(accept(listener_.get(), nullptr, nullptr));
    std::array<pollfd, 2> ends = {{{client.get(), POLLIN, 0}, {server_.get(), POLLIN, 0}}};
    std::array<char, 4096> bytes;
    while (poll(ends.data(), ends.size(), -1) >= 0) {
      for (size_t from = 0; from < ends.size(); ++from) {
        if (ends.at(from).revents == 0) continue;
        const ssize_t size = read(ends.at(from).fd, bytes.data(), bytes.size());
        if (size <= 0 || send(ends.at(1 - from).fd, bytes.data(), static_cast<size_t>(size),
                              MSG_NOSIGNAL) != size) {
          return;
        }
      }
    }
  }

  const UniqueFd listener_;
  const UniqueFd server_;
  ConnectionOptions connection_;
  std::thread thread_;
};

TEST(CancelRequest, HoldsNobodyUpIfTheServerDoesNotAnswer) {
  PostgresOptions options = TestCluster::NewDatabaseOptions();
  const ConnectionOptions directly = options.connection;
  DeafRelay relay(options.connection);
  options.connection = relay.connection();
  PostgresDatabase database(options);
  auto session = database.OpenSession("op").value();
  std::thread statement([&session] {
    Statement sleep;
    sleep.text = "SELECT pg_sleep(3600)";
    session->Execute(sleep).IgnoreError();
  });
  const std::string sleepers = absl::StrCat(
      "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3600)' AND state = "
      "'active' AND pid = ",
      session->pid());
  EXPECT_TRUE(Eventually([&] { return TestCluster::Query(directly, sleepers) == "1"; }));

  // A future of std::async would wait for it without end.
  std::promise<void> returned;
  std::thread canceller([&session, &returned] {
    session->Cancel();
    session->Cancel();
    returned.set_value();
  });
  const bool in_time =
      returned.get_future().wait_for(absl::ToChronoSeconds(kPatience)) == std::future_status::ready;
  EXPECT_TRUE(in_time);
  EXPECT_EQ(TestCluster::Query(directly, sleepers), "1") << "the request has arrived after all";

  TestCluster::Query(directly, absl::StrCat("SELECT pg_terminate_backend(", session->pid(), ")"));
  statement.join();
  if (!in_time) std::abort();  // the thread never ends
  canceller.join();
  session.reset();
}

}  // namespace
}  // namespace migd
