#include "service/monitor/http_server.h"

#include <httplib.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/errors.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace migd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class HttpServerTest : public ::testing::Test {
 protected:
  void Serve(const std::string& address = "127.0.0.1:0",
             std::function<bool(absl::string_view)> may_view = nullptr) {
    HttpContents contents;
    contents.metrics = [] { return std::string("a_metric 1\n"); };
    contents.is_ready = [this] { return ready_.load(); };
    contents.viewers.may_view = std::move(may_view);
    contents.board = &board_;
    auto server = HttpServer::Start(address, false, std::move(contents));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  httplib::Client NewClient() const {
    const std::string& address = server_->address();
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port)) << address;
    return httplib::Client("127.0.0.1", port);
  }

  int Status(const std::string& path, const httplib::Headers& headers = {}) const {
    httplib::Client client = NewClient();
    const auto answer = client.Get(path, headers);
    return answer ? answer->status : -1;
  }

  std::atomic<bool> ready_ = true;
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
  std::vector<std::thread> readers;
  for (int i = 0; i < kMany; ++i) {
    readers.emplace_back([&] {
      bool begun = false;
      const auto answer = NewClient().Get(
          "/events",
          [&](const httplib::Response& response) {
            if (response.status == 503) ++refused;
            return true;
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

}  // namespace
}  // namespace migd
