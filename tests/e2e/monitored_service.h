// The base of tests of what migd shows by HTTP.
#pragma once

#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <pqxx/pqxx>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "service/base/unique_fd.h"
#include "tests/support/service_fixture.h"

namespace migd {

// A port of this machine that nobody listens on just now.
inline int FreePort() {
  const UniqueFd probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  const bool bound =
      bind(probe.get(), any, length) == 0 && getsockname(probe.get(), any, &length) == 0;
  EXPECT_TRUE(bound);
  return ntohs(address.sin_port);
}

// A service with a metrics listener.
class MonitoredServiceTest : public ServiceTest {
 protected:
  void StartMonitoredMigd(Arguments flags = {}) {
    flags.insert(flags.end(), {"--metrics-listen", authority()});
    StartMigdWith(flags);
    migd();
  }

  int port() const { return port_; }
  std::string authority() const { return absl::StrCat("127.0.0.1:", port_); }
  std::string url() const { return absl::StrCat("http://", authority()); }

  // The body of a page; its status is checked.
  std::string Page(const std::string& path, int status = 200) const {
    httplib::Client client("127.0.0.1", port_);
    const auto answer = client.Get(path);
    if (!answer) {
      ADD_FAILURE() << path << ": " << httplib::to_string(answer.error());
      return "";
    }
    EXPECT_EQ(answer->status, status) << path << ": " << answer->body;
    return answer->body;
  }

  // Waits until the metrics have this line.
  bool AwaitMetric(const std::string& line) const {
    return Eventually([&] { return absl::StrContains(Page("/metrics"), line + "\n"); });
  }

  // Keeps a table from being changed until Release.
  void Hold(const std::string& table) {
    holder_.emplace(absl::StrCat(FormatConninfo(database()), " application_name=reporting"));
    reading_.emplace(*holder_);
    reading_->exec(absl::StrCat("SELECT 'secret' FROM ", table));
  }
  void Release() { reading_->abort(); }

 private:
  const int port_ = FreePort();
  absl::optional<pqxx::connection> holder_;
  absl::optional<pqxx::work> reading_;
};

}  // namespace migd
