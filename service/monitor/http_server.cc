#include "service/monitor/http_server.h"

#include <httplib.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/monitor/page_files.h"

namespace migd {
namespace {

// A stream keeps a thread as long as it lasts: they must leave some to the others.
constexpr int kThreads = 32;
constexpr int kMostStreams = 16;
// More than may wait: those that are answered have their place, too. So many descriptors the server
// of calls leaves to others.
constexpr int kMostConnections = 512;

// A stream has something to say at least so often: its client knows that it lives, and the server
// that the client does. And at most so often, whatever happens.
constexpr absl::Duration kBetweenSigns = absl::Seconds(5);
constexpr absl::Duration kBetweenEvents = absl::Milliseconds(200);

// A page that gets all it needs from here, and nothing from elsewhere.
constexpr char kContentPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

void AddPage(httplib::Server& server, const std::string& path, absl::string_view contents,
             const std::string& type) {
  server.Get(path, [contents, type](const httplib::Request&, httplib::Response& response) {
    response.set_content(contents.data(), contents.size(), type);
  });
}

// The token of a request; empty if it has none.
std::string TokenOf(const httplib::Request& request) {
  const std::string header = request.get_header_value("Authorization");
  absl::string_view value = header;
  const size_t space = value.find(' ');
  if (space == value.npos) return "";
  const absl::string_view scheme = value.substr(0, space);
  const absl::string_view rest = absl::StripAsciiWhitespace(value.substr(space));
  if (absl::EqualsIgnoreCase(scheme, "Bearer")) return std::string(rest);
  std::string decoded;
  if (!absl::EqualsIgnoreCase(scheme, "Basic") || !absl::Base64Unescape(rest, &decoded)) return "";
  const size_t colon = decoded.find(':');
  return colon == decoded.npos ? "" : decoded.substr(colon + 1);
}

// A page of elsewhere can have its own name resolve to this machine (DNS rebinding); its requests
// have that name. Addresses, `localhost` and names without a dot are nobody's elsewhere.
bool IsForeignHost(const std::string& host_header) {
  absl::string_view host = host_header;
  if (absl::StartsWith(host, "[")) return false;
  host = host.substr(0, host.find(':'));
  if (host.find('.') == host.npos) return false;
  return !std::all_of(host.begin(), host.end(),
                      [](unsigned char c) { return std::isdigit(c) || c == '.'; });
}

std::string EventText(const std::string& name, const std::string& data) {
  // JSON of one line: no end of a line in it can end the event.
  return absl::StrCat("event: ", name, "\ndata: ", data, "\n\n");
}

// What one stream has sent.
struct StreamPlace {
  int64_t databases = 0;
  int64_t operations = 0;
  bool has_begun = false;
};

// Waits for news and sends them. False when the stream is to end.
bool SendNews(StatusBoard& board, StreamPlace& place, httplib::DataSink& sink) {
  if (place.has_begun) {
    if (!board.AwaitNews(place.databases, place.operations, kBetweenSigns)) return false;
  }
  std::string text = place.has_begun ? "" : "retry: 2000\n\n";
  place.has_begun = true;
  const StatusBoard::Document databases = board.Databases();
  if (databases.version > place.databases) text += EventText("databases", *databases.json);
  const StatusBoard::Document operations = board.Operations();
  if (operations.version > place.operations) text += EventText("operations", *operations.json);
  place.databases = databases.version;
  place.operations = operations.version;
  if (text.empty()) text = ": still here\n\n";
  if (!sink.write(text.data(), text.size())) return false;
  absl::SleepFor(kBetweenEvents);
  return true;
}

}  // namespace

// httplib's routes and answers. Its own loop for connections ends for good at a lack of
// descriptors, and lends each connection a thread; so it is given connections here.
class HttpServer::Handler : public httplib::Server {
 public:
  // Any but INVALID_SOCKET says that it serves.
  Handler() { svr_sock_ = 0; }

  // Streams end when they would go on.
  void EndStreams() { svr_sock_ = INVALID_SOCKET; }

  // Answers one request. False if the connection is to be closed.
  bool Answer(httplib::Stream& stream, bool is_last) {
    bool is_closed = false;
    return process_request(stream, is_last, is_closed, nullptr) && !is_closed && !is_last;
  }
};

HttpServer::HttpServer(Listener listener, bool is_local, HttpContents contents)
    : listener_(std::move(listener)),
      is_local_(is_local),
      contents_(std::move(contents)),
      handler_(std::make_unique<Handler>()),
      acceptor_(kMostConnections) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address,
                                                              bool allow_network,
                                                              HttpContents contents) {
  const bool is_local = Listener::Prepare(address, /*allow_network=*/false).ok();
  auto listener = Listener::Open(address, allow_network);
  if (!listener.ok()) return listener.status();
  std::unique_ptr<HttpServer> server(
      new HttpServer(*std::move(listener), is_local, std::move(contents)));
  server->AddRoutes();
  server->connections_ = std::make_unique<HttpConnections>(
      kThreads, [handler = server->handler_.get()](HttpConnection& connection, bool is_last) {
        return handler->Answer(connection, is_last);
      });
  for (const UniqueFd& socket : server->listener_.sockets()) {
    server->acceptor_.Add(socket.get(), [raw = server.get()](UniqueFd connection) {
      return raw->Take(std::move(connection));
    });
  }
  server->acceptor_.Start();
  return server;
}

HttpServer::~HttpServer() {
  if (contents_.board != nullptr) contents_.board->Close();
  acceptor_.Stop();
  handler_->EndStreams();
  connections_.reset();
}

int HttpServer::Take(UniqueFd connection) {
  const int descriptor = connection.get();
  HttpConnection::TlsPointer tls;
  if (contents_.tls != nullptr && !listener_.is_unix()) {
    const auto context = contents_.tls();
    tls.reset(SSL_new(context.get()));  // keeps the context
    if (tls == nullptr) return -1;
  }
  connections_->Add(std::make_unique<HttpConnection>(std::move(connection), std::move(tls)));
  return descriptor;
}

void HttpServer::AddRoutes() {
  httplib::Server& http = *handler_;
  http.set_default_headers({{"Cache-Control", "no-store"},
                            {"Content-Security-Policy", kContentPolicy},
                            {"Referrer-Policy", "no-referrer"},
                            {"X-Content-Type-Options", "nosniff"}});
  // What answers say of it; the connections keep it.
  http.set_keep_alive_timeout(absl::ToInt64Seconds(HttpConnection::kLongestIdle));
  http.set_pre_routing_handler(
      [this](const httplib::Request& request, httplib::Response& response) {
        return Refuses(request, response) ? httplib::Server::HandlerResponse::Handled
                                          : httplib::Server::HandlerResponse::Unhandled;
      });
  AddPage(http, "/", kPageHtml, "text/html; charset=utf-8");
  AddPage(http, "/status.css", kPageCss, "text/css; charset=utf-8");
  AddPage(http, "/status.js", kPageJs, "text/javascript; charset=utf-8");
  http.Get("/metrics", [this](const httplib::Request&, httplib::Response& response) {
    response.set_content(contents_.metrics(), "text/plain; version=0.0.4; charset=utf-8");
  });
  http.Get("/healthz", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("ok\n", "text/plain");
  });
  http.Get("/readyz", [this](const httplib::Request&, httplib::Response& response) {
    const bool is_ready = contents_.is_ready();
    response.status = is_ready ? 200 : 503;
    response.set_content(is_ready ? "ready\n" : "draining\n", "text/plain");
  });
  http.Get("/events", [this](const httplib::Request& request, httplib::Response& response) {
    StreamEvents(TokenOf(request), response);
  });
}

bool HttpServer::IsOpen() const {
  const ViewerCheck& viewers = contents_.viewers;
  return !viewers.may_view || (viewers.is_open && viewers.is_open());
}

bool HttpServer::MayView(const std::string& token) const {
  return IsOpen() || contents_.viewers.may_view(token);
}

bool HttpServer::Refuses(const httplib::Request& request, httplib::Response& response) const {
  if (request.method != "GET" && request.method != "HEAD") {
    response.status = 405;
    response.set_header("Allow", "GET, HEAD");
    return true;
  }
  if (request.path == "/healthz" || request.path == "/readyz") return false;
  if (IsOpen()) {
    if (!is_local_ || !IsForeignHost(request.get_header_value("Host"))) return false;
    response.status = 403;
    response.set_content("name this server by its address, or set a token\n", "text/plain");
    return true;
  }
  const std::string token = TokenOf(request);
  if (MayView(token)) return false;
  response.status = 401;
  response.set_header("WWW-Authenticate", "Basic realm=\"migd\", charset=\"UTF-8\"");
  response.set_content(token.empty()
                           ? "needs a token: Authorization: Bearer TOKEN\n"
                           : "this token does not do: it must be that of the metrics, or, with "
                             "`authorization`, of a viewer of every database\n",
                       "text/plain");
  return true;
}

void HttpServer::StreamEvents(const std::string& token, httplib::Response& response) {
  if (streams_.fetch_add(1) >= kMostStreams) {
    streams_.fetch_sub(1);
    response.status = 503;
    response.set_header("Retry-After", "10");
    response.set_content("too many streams\n", "text/plain");
    return;
  }
  auto place = std::make_shared<StreamPlace>();
  response.set_chunked_content_provider(
      "text/event-stream",
      [this, place, token](size_t, httplib::DataSink& sink) {
        // What is granted may be taken away while the stream lasts.
        return MayView(token) && SendNews(*contents_.board, *place, sink);
      },
      [this](bool) { streams_.fetch_sub(1); });
}

}  // namespace migd
