#include "service/monitor/http_server.h"

#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/monitor/page_files.h"

namespace migd {
namespace {

// Each connection takes a thread while it is open: streams must leave some to the others, and none
// that is silent keeps one for long.
constexpr size_t kThreads = 32;
constexpr int kMostStreams = 16;
constexpr time_t kTimeoutSeconds = 5;
constexpr time_t kIdleSeconds = 2;
constexpr size_t kLongestBody = 1024;

// A stream has something to say at least so often: its client knows that it lives, and the server
// that the client does. And at most so often, whatever happens.
constexpr absl::Duration kBetweenSigns = absl::Seconds(5);
constexpr absl::Duration kBetweenEvents = absl::Milliseconds(200);

// A page that gets all it needs from here, and nothing from elsewhere.
constexpr char kContentPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

// As httplib's own, but for SO_REUSEPORT, by which a second server would share the port silently.
void SetSocketOptions(socket_t socket) {
  const int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

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

HttpServer::HttpServer(Listener listener, bool is_local, HttpContents contents)
    : listener_(std::move(listener)),
      is_local_(is_local),
      contents_(std::move(contents)),
      server_(std::make_unique<httplib::Server>()) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address,
                                                              bool allow_network,
                                                              HttpContents contents) {
  const bool is_local = Listener::Prepare(address, /*allow_network=*/false).ok();
  auto listener = Listener::Prepare(address, allow_network);
  if (!listener.ok()) return listener.status();
  std::unique_ptr<HttpServer> server(
      new HttpServer(*std::move(listener), is_local, std::move(contents)));
  httplib::Server& http = *server->server_;
  http.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  http.set_socket_options(SetSocketOptions);
  http.set_read_timeout(kTimeoutSeconds);
  http.set_write_timeout(kTimeoutSeconds);
  http.set_keep_alive_timeout(kIdleSeconds);
  http.set_payload_max_length(kLongestBody);
  http.set_default_headers({{"Cache-Control", "no-store"},
                            {"Content-Security-Policy", kContentPolicy},
                            {"Referrer-Policy", "no-referrer"},
                            {"X-Content-Type-Options", "nosniff"}});
  server->AddRoutes();
  const absl::Status bound = server->Bind();
  if (!bound.ok()) return bound;
  server->thread_ = std::thread([&http] { http.listen_after_bind(); });
  return server;
}

HttpServer::~HttpServer() {
  if (contents_.board != nullptr) contents_.board->Close();
  if (!thread_.joinable()) return;
  // stop() does nothing to a server that has not come to listen yet.
  while (!server_->is_running()) absl::SleepFor(absl::Milliseconds(1));
  server_->stop();
  thread_.join();
  absl::string_view path = address_;
  if (absl::ConsumePrefix(&path, "unix:")) unlink(std::string(path).c_str());
}

absl::Status HttpServer::Bind() {
  absl::string_view address = listener_.address();
  address_ = std::string(address);
  bool bound = false;
  if (absl::ConsumePrefix(&address, "unix:")) {
    // The listener has the lock: nobody serves what is left there.
    unlink(std::string(address).c_str());
    server_->set_address_family(AF_UNIX);
    bound = server_->bind_to_port(std::string(address), 1);
  } else {
    const size_t colon = address.rfind(':');
    std::string host(address.substr(0, colon));
    host = std::string(absl::StripPrefix(absl::StripSuffix(host, "]"), "["));
    int port = 0;
    const bool is_number = absl::SimpleAtoi(address.substr(colon + 1), &port);
    if (is_number && port == 0)
      port = server_->bind_to_any_port(host);
    else if (!server_->bind_to_port(host, port))
      port = -1;
    bound = port > 0;
    address_ = absl::StrCat(address.substr(0, colon), ":", port);
  }
  if (bound) return absl::OkStatus();
  return errors::InvalidRequest("metrics_listen",
                                absl::StrCat(listener_.address(), ": cannot listen there"));
}

void HttpServer::AddRoutes() {
  httplib::Server& http = *server_;
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
  if (MayView(TokenOf(request))) return false;
  response.status = 401;
  response.set_header("WWW-Authenticate", "Basic realm=\"migd\", charset=\"UTF-8\"");
  response.set_content("needs a token: Authorization: Bearer TOKEN\n", "text/plain");
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
