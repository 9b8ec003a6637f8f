#include "service/monitor/http_connection.h"

#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"

namespace migd {
namespace {

constexpr size_t kLongestHeader = 16 << 10;
constexpr char kEndOfHeader[] = "\r\n\r\n";

// An answer fits into it, but for those that are told as a stream: whoever does not read it keeps
// no thread either. The kernel takes less if its limit is lower.
constexpr int kSendBuffer = 1 << 20;

}  // namespace

HttpConnection::HttpConnection(UniqueFd socket, TlsPointer tls)
    : socket_(std::move(socket)),
      tls_(std::move(tls)),
      awaited_(POLLIN),
      deadline_(absl::Now() + kLongestRequest) {
  setsockopt(socket_.get(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  if (tls_ == nullptr) return;
  SSL_set_fd(tls_.get(), socket_.get());
  SSL_set_accept_state(tls_.get());
  SSL_set_mode(tls_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

HttpConnection::~HttpConnection() {
  if (tls_ != nullptr && SSL_is_init_finished(tls_.get()) == 1) SSL_shutdown(tls_.get());
  ERR_clear_error();
}

HttpConnection::Progress HttpConnection::Receive() {
  std::array<char, 4096> piece;
  while (!HasRequest()) {
    if (received_.size() > kLongestHeader) return Progress::kGone;
    const ssize_t got = ReadSome(piece.data(), piece.size());
    if (got < 0 && errno == EAGAIN) return Progress::kWaits;
    if (got <= 0) return Progress::kGone;
    if (received_.empty()) deadline_ = std::min(deadline_, absl::Now() + kLongestRequest);
    received_.append(piece.data(), static_cast<size_t>(got));
  }
  return Progress::kHasRequest;
}

bool HttpConnection::HasRequest() const { return absl::StrContains(received_, kEndOfHeader); }

bool HttpConnection::HasBody() const {
  const std::string header =
      absl::AsciiStrToLower(received_.substr(0, received_.find(kEndOfHeader)));
  return absl::StrContains(header, "\ncontent-length:") ||
         absl::StrContains(header, "\ntransfer-encoding:");
}

void HttpConnection::AwaitNext() {
  deadline_ = absl::Now() + (received_.empty() ? kLongestIdle : kLongestRequest);
}

void HttpConnection::Interrupt() const { shutdown(socket_.get(), SHUT_RDWR); }

ssize_t HttpConnection::read(char* into, size_t size) {
  const size_t taken = received_.copy(into, size);
  received_.erase(0, taken);
  return static_cast<ssize_t>(taken);
}

ssize_t HttpConnection::write(const char* from, size_t size) {
  const absl::Time deadline = absl::Now() + kLongestWrite;
  size_t done = 0;
  while (done < size) {
    const ssize_t written = WriteSome(from + done, size - done);
    if (written > 0) {
      done += static_cast<size_t>(written);
      continue;
    }
    const absl::Duration left = deadline - absl::Now();
    if (errno != EAGAIN || left <= absl::ZeroDuration()) return -1;
    pollfd socket = {socket_.get(), awaited_, 0};
    poll(&socket, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1);
  }
  return static_cast<ssize_t>(size);
}

ssize_t HttpConnection::ReadSome(char* into, size_t size) {
  if (tls_ != nullptr) return ResultOf(SSL_read(tls_.get(), into, static_cast<int>(size)));
  awaited_ = POLLIN;
  return recv(socket_.get(), into, size, MSG_DONTWAIT);
}

ssize_t HttpConnection::WriteSome(const char* from, size_t size) {
  if (tls_ != nullptr) return ResultOf(SSL_write(tls_.get(), from, static_cast<int>(size)));
  awaited_ = POLLOUT;
  return send(socket_.get(), from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t HttpConnection::ResultOf(int result) {
  if (result > 0) return result;
  const int error = SSL_get_error(tls_.get(), result);
  ERR_clear_error();
  const bool would_block = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  awaited_ = error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
  errno = would_block ? EAGAIN : ECONNRESET;
  return -1;
}

}  // namespace migd
