// The key and the certificates of TLS, looked at before they are used.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

struct ssl_ctx_st;

namespace migd {

// Where they stand, each in PEM.
struct TlsFiles {
  // The server's certificate, and after it those between it and its CA.
  std::string certificate;
  // Its private key, without a passphrase.
  std::string key;
  // The CAs of the clients' certificates; empty if clients need none.
  std::string client_ca;

  friend bool operator==(const TlsFiles&, const TlsFiles&) = default;
};

// `tls` of the configuration.
struct TlsOptions {
  TlsFiles files;
  // With a client_ca: whether a connection without a client certificate is refused, or is that of
  // somebody who brings a token, or nothing.
  bool require_client_certificate = true;

  friend bool operator==(const TlsOptions&, const TlsOptions&) = default;
};

// What stands in them. A plain value.
struct TlsIdentity {
  std::string certificate;
  std::string key;
  std::string client_ca;
  // From when and until when the server's certificate holds.
  absl::Time begins;
  absl::Time expires;
};

// Reads them. InvalidRequest says which file cannot be read or is not what it is to be: no PEM, a
// key with a passphrase, a key that is not the certificate's, no CA. Whether a certificate holds
// at present is not looked at.
absl::StatusOr<TlsIdentity> ReadTlsFiles(const TlsFiles& files);

// OK if the server's certificate holds at `now`; InvalidRequest says since or until when it does
// not.
absl::Status CheckValidity(const TlsIdentity& identity, absl::Time now);

// What is to be said at `now` about the server's certificate, in words: that it does not hold, or
// that it ends soon: within a month, or a quarter of its time if that is less. "" while there is
// nothing to say.
std::string ExpiryWarning(const TlsIdentity& identity, absl::Time now);

// What OpenSSL serves `identity` with, by TLS 1.2 and newer, without asking clients for a
// certificate. Internal if OpenSSL does not take what ReadTlsFiles has found good.
absl::StatusOr<std::shared_ptr<ssl_ctx_st>> NewServerContext(const TlsIdentity& identity);

}  // namespace migd
