#include "migration_client/tls_diagnosis.h"

#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "migration_client/credentials.h"

namespace migration_client {
namespace {

using migration::v1::Error;

// How long the server may take for each part of the handshake.
constexpr int kPatienceSeconds = 2;

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Free<SSL_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;
using Addresses = std::unique_ptr<addrinfo, Free<freeaddrinfo>>;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// The file descriptor of a connection to a host and a port; -1 if there is none.
int Dial(const std::string& host, const std::string& port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return -1;
  const Addresses addresses(found);
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    const int fd =
        socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0) continue;
    const timeval patience = {.tv_sec = kPatienceSeconds, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0) return fd;
    close(fd);
  }
  return -1;
}

// The port of a target that has one.
std::string PortOf(absl::string_view target) {
  return std::string(target.substr(target.rfind(':') + 1));
}

Context ContextFor(const TlsOptions& tls) {
  Context context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  if (tls.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else {
    SSL_CTX_load_verify_locations(context.get(), tls.ca_file.c_str(), nullptr);
  }
  if (!tls.cert_file.empty()) {
    SSL_CTX_use_certificate_chain_file(context.get(), tls.cert_file.c_str());
    SSL_CTX_use_PrivateKey_file(context.get(), tls.key_file.c_str(), SSL_FILETYPE_PEM);
  }
  // The handshake is to go on, for the result to be looked at.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  static constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context.get(), kHttp2, sizeof kHttp2);
  return context;
}

Session SessionFor(SSL_CTX& context, int fd, const std::string& name) {
  Session session(SSL_new(&context));
  SSL_set_fd(session.get(), fd);
  X509_VERIFY_PARAM* parameters = SSL_get0_param(session.get());
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) != 1) {
    SSL_set1_host(session.get(), name.c_str());
    SSL_set_tlsext_host_name(session.get(), name.c_str());
  }
  return session;
}

// "2026-08-22", in UTC.
std::string Date(const ASN1_TIME* time) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unknown day";
  return absl::FormatTime("%Y-%m-%d", absl::FromTM(parts, absl::UTCTimeZone()),
                          absl::UTCTimeZone());
}

std::string NameText(const X509_NAME* name) {
  char text[256] = "";
  X509_NAME_oneline(name, text, sizeof text);
  return text;
}

// The DNS names and the number of addresses that a certificate is for.
std::string NamesOf(const X509& certificate) {
  const Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string list;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    const ASN1_STRING* value = name->d.ia5;
    const unsigned char* bytes = ASN1_STRING_get0_data(value);
    std::string text(reinterpret_cast<const char*>(bytes),
                     static_cast<size_t>(ASN1_STRING_length(value)));
    if (name->type == GEN_IPADD) {
      text = text.size() == 4 ? absl::StrCat(bytes[0], ".", bytes[1], ".", bytes[2], ".", bytes[3])
                              : "an IPv6 address";
    }
    absl::StrAppend(&list, list.empty() ? "" : ", ", text);
  }
  return list.empty() ? NameText(X509_get_subject_name(&certificate)) : list;
}

Error Unavailable(std::string message, std::string hint) {
  Error error;
  error.set_code("UNAVAILABLE");
  error.set_message(std::move(message));
  error.set_hint(std::move(hint));
  return error;
}

// What is wrong with the server's certificate.
Error BadCertificate(const std::string& server, const std::string& name, const X509& certificate,
                     long result) {
  const std::string whose = absl::StrCat("the certificate of migd at ", server);
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Unavailable(
          absl::StrCat(whose, " has expired on ", Date(X509_get0_notAfter(&certificate))),
          "renew it, or its authority's; see that the clocks of both machines are right");
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return Unavailable(
          absl::StrCat(whose, " is valid from ", Date(X509_get0_notBefore(&certificate)), " on"),
          "see that the clocks of both machines are right");
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return Unavailable(absl::StrCat(whose, " is for ", NamesOf(certificate), ", not for ", name),
                         "connect by one of those names, or expect it: --tls-server-name NAME");
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return Unavailable(absl::StrCat(whose, " comes from an authority that is not trusted here: ",
                                      NameText(X509_get_issuer_name(&certificate))),
                         "name the authority's certificate: --tls-ca FILE");
    default:
      return Unavailable(
          absl::StrCat(whose, " is not good: ", X509_verify_cert_error_string(result)),
          "see the certificate, and the authority that --tls-ca names");
  }
}

// The server has not accepted the certificate of this side, or that there is none, and does not say
// why: gRPC only hangs up.
Error HungUpOn(const ConnectOptions& options) {
  const std::string server = absl::StrCat("migd at ", options.server);
  const std::string& own = options.tls->cert_file;
  if (own.empty()) {
    return Unavailable(absl::StrCat(server, " wants a certificate of who calls"),
                       "give one: --tls-cert FILE --tls-key FILE");
  }
  return Unavailable(absl::StrCat(server, " refuses the certificate ", own),
                     "see that it is valid, and from the authority in migd's --tls-client-ca");
}

// What the server has said about the certificate of this side, if it has.
std::optional<Error> RefusedByServer(const ConnectOptions& options, unsigned long code) {
  const std::string server = absl::StrCat("migd at ", options.server);
  const std::string& own = options.tls->cert_file;
  if (own.empty()) {
    // TLS 1.3 says what it lacks, TLS 1.2 only that it is not content.
    const int reason = ERR_GET_REASON(code);
    const bool wants_one = reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED ||
                           reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE;
    if (!wants_one) return std::nullopt;
    return HungUpOn(options);
  }
  const auto refused = [&](absl::string_view why, std::string hint) {
    return Unavailable(absl::StrCat(server, " refuses the certificate ", own, ": ", why),
                       std::move(hint));
  };
  switch (ERR_GET_REASON(code)) {
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return refused("it has expired", "renew it");
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
      return refused("it was revoked", "get another one");
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return refused("it comes from an authority that migd does not trust",
                     "use one that comes from the authority in migd's --tls-client-ca");
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
      return refused("it is not good for migd",
                     "see that it is valid, and from the authority in migd's --tls-client-ca");
    default:
      return std::nullopt;
  }
}

// The other end did not answer the handshake with one.
bool SpeaksNoTls(unsigned long code) {
  const int reason = ERR_GET_REASON(code);
  return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG ||
         reason == SSL_R_UNEXPECTED_MESSAGE || reason == SSL_R_HTTP_REQUEST;
}

std::optional<Error> DiagnoseWithTls(const ConnectOptions& options, SSL& session,
                                     const std::string& name) {
  // Called when the server asks for a certificate.
  bool was_asked = false;
  const auto note_request = [](SSL*, void* asked) {
    *static_cast<bool*>(asked) = true;
    return 1;
  };
  SSL_set_cert_cb(&session, note_request, &was_asked);
  if (SSL_connect(&session) != 1) {
    const unsigned long code = ERR_peek_last_error();
    if (SpeaksNoTls(code)) {
      return Unavailable(absl::StrCat("the server at ", options.server, " does not speak TLS"),
                         "connect without --tls, or to the address where migd has TLS");
    }
    return RefusedByServer(options, code);
  }
  const long result = SSL_get_verify_result(&session);
  const Certificate certificate(SSL_get1_peer_certificate(&session));
  if (result != X509_V_OK && certificate != nullptr) {
    return BadCertificate(options.server, name, *certificate, result);
  }
  // In TLS 1.3 the server looks at this side's certificate when the handshake is over here.
  char byte = 0;
  const int read = SSL_read(&session, &byte, 1);
  if (read > 0) return std::nullopt;
  if (auto refused = RefusedByServer(options, ERR_peek_last_error()); refused.has_value()) {
    return refused;
  }
  const bool timed_out = SSL_get_error(&session, read) == SSL_ERROR_WANT_READ;
  if (was_asked && !timed_out) return HungUpOn(options);
  return std::nullopt;
}

// What is wrong with a connection to one address of the server; nothing if nobody is there.
std::optional<Error> DiagnoseAddress(const ConnectOptions& options, const std::string& address) {
  const std::string host = HostOf(address);
  if (host.empty()) return std::nullopt;
  const Socket socket(Dial(host, PortOf(address)));
  if (socket.fd() < 0) return std::nullopt;

  const TlsOptions tls = options.tls.value_or(TlsOptions());
  const std::string name = tls.server_name.empty() ? host : tls.server_name;
  ERR_clear_error();
  const Context context = ContextFor(tls);
  const Session session = SessionFor(*context, socket.fd(), name);
  ERR_clear_error();
  if (options.tls.has_value()) return DiagnoseWithTls(options, *session, name);
  if (SSL_connect(session.get()) != 1) return std::nullopt;
  return Unavailable(
      absl::StrCat("the server at ", options.server, " wants TLS"),
      "encrypt the connection: --tls, or --tls-ca FILE for an authority of your own");
}

}  // namespace

std::optional<Error> DiagnoseTls(const ConnectOptions& options, const std::string& target) {
  for (const std::string& address : AddressesOf(target)) {
    if (auto error = DiagnoseAddress(options, address); error.has_value()) return error;
  }
  return std::nullopt;
}

}  // namespace migration_client
