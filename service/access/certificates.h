// The key and the certificates of TLS, looked at before they are used.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

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
  // Until when the server's certificate holds.
  absl::Time expires;
};

// Reads them. InvalidRequest says which file cannot be read or is not what it is to be: no PEM, a
// key with a passphrase, a key that is not the certificate's, no CA. Whether a certificate holds
// at present is not looked at.
absl::StatusOr<TlsIdentity> ReadTlsFiles(const TlsFiles& files);

// OK if the server's certificate holds at `now`; InvalidRequest says since or until when it does
// not.
absl::Status CheckValidity(const TlsIdentity& identity, absl::Time now);

}  // namespace migd
