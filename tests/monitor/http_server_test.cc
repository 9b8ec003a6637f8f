#include "service/monitor/http_server.h"

#include <httplib.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/access/certificates.h"
#include "service/base/errors.h"
#include "service/base/unique_fd.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_ca.h"

namespace migd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class HttpServerTest : public ::testing::Test {
 protected:
  void Serve(const std::string& address = "127.0.0.1:0",
             std::function<bool(absl::string_view)> may_view = nullptr) {
    HttpContents contents;
    contents.tls = tls_;
    contents.metrics = [] { return std::string("a_metric 1\n"); };
    contents.is_ready = [this] { return ready_.load(); };
    contents.viewers.may_view = std::move(may_view);
    contents.board = &board_;
    auto server = HttpServer::Start(address, false, std::move(contents));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  int Port() const {
    const std::string& address = server_->address();
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port)) << address;
    return port;
  }
  httplib::Client NewClient() const { return httplib::Client("127.0.0.1", Port()); }

  // A connection that sends `data`, and nothing more.
  UniqueFd Connect(const std::string& data) const {
    UniqueFd connection(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(Port()));
    EXPECT_EQ(connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(send(connection.get(), data.data(), data.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(data.size()));
    return connection;
  }
  // Whether the server has neither closed it nor sent anything.
  static bool IsSilent(const UniqueFd& connection) {
    char byte;
    return recv(connection.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
  }

  int Status(const std::string& path, const httplib::Headers& headers = {}) const {
    httplib::Client client = NewClient();
    const auto answer = client.Get(path, headers);
    return answer ? answer->status : -1;
  }

  std::atomic<bool> ready_ = true;
  std::function<std::shared_ptr<SSL_CTX>()> tls_;
  StatusBoard board_{"server", "1.0"};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersWhereItIsAsked) {
  Serve();
  httplib::Client client = NewClient();
  EXPECT_EQ(client.Get("/metrics")->body, "a_metric 1\n");
  EXPECT_THAT(client.Get("/")->body, HasSubstr("<main>"));
  EXPECT_EQ(client.Get("/status.js")->get_header_value("Content-Type"),
            "text/javascript; charset=utf-8");
  EXPECT_EQ(Status("/elsewhere"), 404);
  EXPECT_EQ(Status("/../etc/passwd"), 404);
}

TEST_F(HttpServerTest, SaysWhetherItIsReady) {
  Serve();
  EXPECT_EQ(Status("/readyz"), 200);
  ready_ = false;
  EXPECT_EQ(Status("/readyz"), 503);
  EXPECT_EQ(Status("/healthz"), 200);
}

TEST_F(HttpServerTest, LetsAPageHaveNothingFromElsewhere) {
  Serve();
  const std::string policy = NewClient().Get("/")->get_header_value("Content-Security-Policy");
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  const std::string page = NewClient().Get("/")->body + NewClient().Get("/status.js")->body;
  for (const char* word :
       {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "https://"}) {
    EXPECT_THAT(page, Not(HasSubstr(word)));
  }
}

TEST_F(HttpServerTest, IsForReadingOnly) {
  Serve();
  httplib::Client client = NewClient();
  const auto head = client.Head("/metrics");
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->body, "");
  EXPECT_EQ(client.Post("/metrics")->status, 405);
  EXPECT_EQ(client.Delete("/")->status, 405);
}

TEST_F(HttpServerTest, AsksForTheTokenWhereThereIsOne) {
  Serve("127.0.0.1:0", [](absl::string_view token) { return token == "sesame"; });
  EXPECT_EQ(Status("/metrics"), 401);
  EXPECT_EQ(Status("/events"), 401);
  EXPECT_EQ(Status("/elsewhere"), 401);
  EXPECT_EQ(Status("/healthz"), 200);
  EXPECT_EQ(Status("/readyz"), 200);
  EXPECT_EQ(Status("/metrics", {{"Authorization", "Bearer sesame"}}), 200);
  EXPECT_EQ(Status("/metrics", {{"Authorization", "bearer  sesame "}}), 200);
  EXPECT_EQ(Status("/metrics", {{"Authorization", "Bearer other"}}), 401);
  EXPECT_EQ(Status("/metrics", {{"Authorization", "sesame"}}), 401);
  EXPECT_EQ(Status("/metrics", {{"Authorization", "Basic !!"}}), 401);
  EXPECT_EQ(Status("/metrics", {httplib::make_basic_authentication_header("any", "sesame")}), 200);
  EXPECT_EQ(Status("/metrics", {httplib::make_basic_authentication_header("sesame", "")}), 401);
  httplib::Client client = NewClient();
  EXPECT_THAT(client.Get("/metrics")->body, HasSubstr("needs a token"));
  EXPECT_THAT(client.Get("/metrics", {{"Authorization", "Bearer other"}})->body,
              HasSubstr("this token does not do"));
}

TEST_F(HttpServerTest, DoesNotServeAPageThatGaveItsNameToThisMachine) {
  Serve();
  EXPECT_EQ(Status("/metrics", {{"Host", "attacker.example:9433"}}), 403);
  EXPECT_EQ(Status("/metrics", {{"Host", "localhost:9433"}}), 200);
  EXPECT_EQ(Status("/metrics", {{"Host", "migd:9433"}}), 200);
  EXPECT_EQ(Status("/metrics", {{"Host", "[::1]:9433"}}), 200);
}

TEST_F(HttpServerTest, ServesOnAUnixSocket) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/http.sock";
  Serve("unix:" + path);
  EXPECT_EQ(server_->address(), "unix:" + path);
  httplib::Client client(path);
  client.set_address_family(AF_UNIX);
  EXPECT_EQ(client.Get("/healthz")->body, "ok\n");
}

TEST_F(HttpServerTest, DoesNotShareItsAddress) {
  Serve();
  HttpContents contents;
  const auto second = HttpServer::Start(server_->address(), false, std::move(contents));
  EXPECT_EQ(errors::ReasonOf(second.status()), migration::v1::ERROR_REASON_INVALID_REQUEST);
}

TEST_F(HttpServerTest, StaysOnThisMachineUnlessToldOtherwise) {
  const auto open = HttpServer::Start("0.0.0.0:0", false, HttpContents());
  EXPECT_EQ(errors::ReasonOf(open.status()), migration::v1::ERROR_REASON_INVALID_REQUEST);
}

TEST_F(HttpServerTest, StreamsWhatChanges) {
  Serve();
  std::string text;
  bool told = false;
  NewClient().Get("/events", [&](const char* data, size_t length) {
    text.append(data, length);
    if (!told && absl::StrContains(text, "event: operations")) {
      told = true;
      migration::v1::Operation operation;
      operation.set_operation("7k2m");
      operation.set_state(migration::v1::Operation::STATE_RUNNING);
      board_.OperationFound(operation);
    }
    return !absl::StrContains(text, "7k2m");
  });
  EXPECT_THAT(text, HasSubstr("retry: "));
  EXPECT_THAT(text, HasSubstr("event: databases\ndata: {\"server\":\"server\""));
  EXPECT_THAT(text, HasSubstr("\"running\":[{\"operation\":{\"operation\":\"7k2m\""));
}

TEST_F(HttpServerTest, EndsStreamsWhenItEnds) {
  Serve();
  std::atomic<bool> begun = false;
  std::thread reader([&] {
    NewClient().Get("/events", [&](const char*, size_t) {
      begun = true;
      return true;
    });
  });
  EXPECT_TRUE(Eventually([&] { return begun.load(); }));
  server_.reset();
  reader.join();
}

TEST_F(HttpServerTest, ManyStreamsDoNotKeepOthersOut) {
  Serve();
  constexpr int kMany = 24;
  std::atomic<int> streaming = 0;
  std::atomic<int> refused = 0;
  // Asked here: the server is taken away beneath those who read.
  const int port = Port();
  std::vector<std::thread> readers;
  for (int i = 0; i < kMany; ++i) {
    readers.emplace_back([&] {
      bool begun = false;
      const auto answer = httplib::Client("127.0.0.1", port)
                              .Get(
                                  "/events",
                                  [&](const httplib::Response& response) {
                                    if (response.status == 503) ++refused;
                                    return response.status == 200;
                                  },
                                  [&](const char*, size_t) {
                                    if (!begun) ++streaming;
                                    begun = true;
                                    return true;
                                  });
    });
  }
  EXPECT_TRUE(Eventually([&] { return refused > 0 && streaming + refused >= kMany; }));
  EXPECT_EQ(Status("/healthz"), 200);
  server_.reset();
  for (std::thread& reader : readers) reader.join();
}

TEST_F(HttpServerTest, ManyThatSendNothingOrHalfARequestKeepNobodyWaiting) {
  Serve();
  constexpr int kMany = 200;
  std::vector<UniqueFd> slow;
  for (int i = 0; i < kMany; ++i) {
    slow.push_back(Connect(i % 2 == 0 ? "" : "GET /metrics HTTP/1.1\r\nHost: loc"));
  }
  EXPECT_EQ(Status("/metrics"), 200);
  EXPECT_EQ(Status("/healthz"), 200);
  // They were answered while the others were still waited for.
  EXPECT_TRUE(IsSilent(slow.back()));
  // Who was slow is answered, too.
  const std::string rest = "alhost\r\n\r\n";
  send(slow.back().get(), rest.data(), rest.size(), MSG_NOSIGNAL);
  std::string answer(12, '\0');
  EXPECT_EQ(recv(slow.back().get(), answer.data(), answer.size(), MSG_WAITALL), 12);
  EXPECT_EQ(answer, "HTTP/1.1 200");
}

TEST_F(HttpServerTest, WhereThereAreTooManyTheOneThatHasWaitedLongestGoes) {
  Serve();
  const UniqueFd first = Connect("");
  std::vector<UniqueFd> more;
  for (size_t i = 0; i < HttpConnections::kMostWaiting; ++i) more.push_back(Connect(""));
  char byte;
  EXPECT_EQ(recv(first.get(), &byte, 1, 0), 0);
  EXPECT_EQ(Status("/healthz"), 200);
}

TEST_F(HttpServerTest, ManyThatDoNotReadTheirAnswerKeepNobodyWaiting) {
  Serve();
  std::vector<UniqueFd> unread;
  const std::string many = [] {
    std::string requests;
    for (int i = 0; i < 50; ++i) {
      requests += "GET /status.js HTTP/1.1\r\nHost: localhost\r\n\r\n";
    }
    return requests;
  }();
  for (int i = 0; i < 64; ++i) unread.push_back(Connect(many));
  EXPECT_EQ(Status("/metrics"), 200);
  EXPECT_EQ(Status("/healthz"), 200);
}

TEST_F(HttpServerTest, ARequestWithABodyIsTheLastOfItsConnection) {
  Serve();
  const UniqueFd connection = Connect(
      "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n"
      "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::string all;
  std::array<char, 1000> piece;
  for (ssize_t got; (got = recv(connection.get(), piece.data(), piece.size(), 0)) > 0;) {
    all.append(piece.data(), static_cast<size_t>(got));
  }
  EXPECT_THAT(all, HasSubstr("200 OK"));
  EXPECT_THAT(all, Not(HasSubstr("a_metric")));
}

TEST_F(HttpServerTest, ServesOnWhenItHasDescriptorsAgain) {
  Serve();
  ASSERT_EQ(Status("/healthz"), 200);
  const int port = Port();
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  // The lowest that is free, above which none is given from now on.
  const int next = UniqueFd(dup(0)).get();
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  absl::SleepFor(absl::Milliseconds(300));  // it tries in vain meanwhile
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(Status("/healthz"), 200);
  server_.reset();
}

// --- TLS ---

class HttpsServerTest : public HttpServerTest {
 protected:
  HttpsServerTest() {
    Use(ca_.Issue({"localhost", "DNS:localhost,IP:127.0.0.1"}));
    tls_ = [this] {
      MutexLock lock(mutex_);
      return context_;
    };
    directory_.Write("ca.pem", ca_.certificate());
  }

  void Use(const Issued& issued) {
    TlsIdentity identity;
    identity.certificate = issued.certificate;
    identity.key = issued.key;
    auto context = NewServerContext(identity);
    ASSERT_TRUE(context.ok()) << context.status();
    MutexLock lock(mutex_);
    context_ = *std::move(context);
  }
  // Of a client that trusts the authority: -1 if it takes the server for another.
  int SecureStatus(const std::string& path) const {
    httplib::SSLClient client("127.0.0.1", Port());
    client.set_ca_cert_path((directory_.path() + "/ca.pem").c_str());
    client.enable_server_certificate_verification(true);
    const auto answer = client.Get(path);
    return answer ? answer->status : -1;
  }

  const TemporaryDirectory directory_;
  const TestCa ca_;
  Mutex mutex_;
  std::shared_ptr<SSL_CTX> context_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(HttpsServerTest, ServesWithTheCertificateThatHoldsWhenAClientComes) {
  Serve();
  EXPECT_EQ(SecureStatus("/metrics"), 200);
  EXPECT_EQ(Status("/metrics"), -1);  // in plain text
  const TestCa other("another");
  Use(other.Issue({"localhost", "DNS:localhost,IP:127.0.0.1"}));
  EXPECT_EQ(SecureStatus("/metrics"), -1);
}

TEST_F(HttpsServerTest, StreamsWhatChanges) {
  Serve();
  httplib::SSLClient client("127.0.0.1", Port());
  client.enable_server_certificate_verification(false);
  std::string text;
  client.Get("/events", [&](const char* data, size_t length) {
    text.append(data, length);
    return !absl::StrContains(text, "event: operations");
  });
  EXPECT_THAT(text, HasSubstr("event: databases"));
}

TEST_F(HttpsServerTest, HandshakesThatDoNotEndKeepNobodyWaiting) {
  Serve();
  std::vector<UniqueFd> slow;
  for (int i = 0; i < 200; ++i) slow.push_back(Connect("\x16\x03\x01"));
  EXPECT_EQ(SecureStatus("/healthz"), 200);
  EXPECT_TRUE(IsSilent(slow.back()));
}

TEST_F(HttpsServerTest, AUnixSocketIsInPlainText) {
  const std::string path = directory_.path() + "/http.sock";
  Serve("unix:" + path);
  httplib::Client client(path);
  client.set_address_family(AF_UNIX);
  EXPECT_EQ(client.Get("/healthz")->body, "ok\n");
}

}  // namespace
}  // namespace migd
