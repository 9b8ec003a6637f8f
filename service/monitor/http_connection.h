// One connection of the HTTP listener, in plain text or TLS.
#pragma once

#include <httplib.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "service/base/unique_fd.h"

namespace migd {

// httplib reads a request from it, which has come by then as a whole: who sends slowly, or nothing,
// keeps no thread. Used by one thread at a time, but for Interrupt.
class HttpConnection : public httplib::Stream {
 public:
  // How long a request may take to come, with the handshake before it; how long a connection may be
  // silent between two; and how long its client may take for an answer, or an event.
  static constexpr absl::Duration kLongestRequest = absl::Seconds(5);
  static constexpr absl::Duration kLongestIdle = absl::Seconds(60);
  static constexpr absl::Duration kLongestWrite = absl::Seconds(5);

  struct FreeTls {
    void operator()(SSL* tls) const { SSL_free(tls); }
  };
  using TlsPointer = std::unique_ptr<SSL, FreeTls>;

  // `socket` does not block. `tls`, null for plain text, is new.
  HttpConnection(UniqueFd socket, TlsPointer tls);
  // Says goodbye to a client of TLS, without waiting.
  ~HttpConnection() override;

  enum class Progress {
    kWaits,
    // A request is there, but for its body, which no request needs.
    kHasRequest,
    // The client has gone, or sends what is no request.
    kGone,
  };
  // Takes in what has come, without waiting.
  Progress Receive();
  // What it waits for (POLLIN or POLLOUT), and until when.
  short awaited() const { return awaited_; }
  absl::Time deadline() const { return deadline_; }

  // Whether the request that is there has a body: what follows is no request then.
  bool HasBody() const;
  // It was answered, and may send another.
  void AwaitNext();

  // Ends whatever is read or written, now and later. From any thread.
  void Interrupt() const;

  // --- httplib::Stream ---
  bool is_readable() const override { return !received_.empty(); }
  bool is_writable() const override { return true; }
  // From what was received; 0 at its end.
  ssize_t read(char* into, size_t size) override;
  // All of it, or -1.
  ssize_t write(const char* from, size_t size) override;
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return socket_.get(); }

 private:
  // As read(2) and write(2) do; sets what is awaited where they would block.
  ssize_t ReadSome(char* into, size_t size);
  ssize_t WriteSome(const char* from, size_t size);
  // What a call of OpenSSL has come to, as read(2) tells it.
  ssize_t ResultOf(int result);
  bool HasRequest() const;

  const UniqueFd socket_;
  const TlsPointer tls_;
  std::string received_;
  short awaited_;
  absl::Time deadline_;
};

}  // namespace migd
