// The HTTP listener: metrics, probes and the status page.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/base/unique_fd.h"
#include "service/monitor/http_connections.h"
#include "service/monitor/status_board.h"
#include "service/rpc/acceptor.h"
#include "service/rpc/listener.h"

struct ssl_ctx_st;

namespace httplib {
struct Request;
struct Response;
}  // namespace httplib

namespace migd {

// Who may see metrics and the page. Both functions are called by several threads.
struct ViewerCheck {
  // Whether a token may; an empty one is that of somebody who brings none. Not set: everybody who
  // reaches the listener may.
  std::function<bool(absl::string_view token)> may_view = nullptr;
  // Whether nobody is asked at the moment, all the same. Not set: never.
  std::function<bool()> is_open = nullptr;
};

// What the listener answers with. Functions are called by several threads, and wait for nothing.
struct HttpContents {
  // What GET /metrics returns.
  std::function<std::string()> metrics;
  // Whether new operations are taken: GET /readyz.
  std::function<bool()> is_ready;
  // What tells nothing about databases, /healthz and /readyz, needs no token.
  ViewerCheck viewers;
  // With what a new connection is encrypted, but for those of a unix socket. Not set: they are not.
  std::function<std::shared_ptr<ssl_ctx_st>()> tls = nullptr;
  // Outlives the server.
  StatusBoard* board = nullptr;
};

// Serves from its start to its end. A token comes as `Authorization: Bearer TOKEN`, or, since a
// browser asks for that itself, as the password of `Basic` with any name.
class HttpServer {
 public:
  // InvalidRequest for an address that is not of its form, is taken, or would be open to a network
  // though `allow_network` is false.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           bool allow_network,
                                                           HttpContents contents);
  // Ends what is under way, streams included.
  ~HttpServer();

  // With the port that was chosen where port 0 was asked for.
  const std::string& address() const { return listener_.address(); }

 private:
  class Handler;

  HttpServer(Listener listener, bool is_local, HttpContents contents);

  // Takes a connection that was accepted. Returns its descriptor; -1 if it is closed already.
  int Take(UniqueFd connection);
  void AddRoutes();
  // Refuses a request (true) that may not see what it asks for.
  bool Refuses(const httplib::Request& request, httplib::Response& response) const;
  // Whether nobody is asked for a token at the moment; and whether one may see what a viewer may.
  bool IsOpen() const;
  bool MayView(const std::string& token) const;
  void StreamEvents(const std::string& token, httplib::Response& response);

  const Listener listener_;
  // Only this machine reaches it.
  const bool is_local_;
  const HttpContents contents_;
  std::atomic<int> streams_ = 0;
  std::unique_ptr<Handler> handler_;
  std::unique_ptr<HttpConnections> connections_;
  Acceptor acceptor_;  // last: its thread uses everything above
};

}  // namespace migd
