#include "service/access/certificates.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/base/errors.h"

namespace migd {
namespace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Source = std::unique_ptr<BIO, Deleter<BIO_free>>;

absl::Status Problem(const std::string& path, absl::string_view problem) {
  return errors::InvalidRequest("tls", absl::StrCat(path, ": ", problem));
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) {
    return Problem(path, absl::StrCat("cannot be read: ", std::strerror(errno)));
  }
  std::ostringstream contents;
  contents << file.rdbuf();
  return contents.str();
}

Source Open(const std::string& pem) {
  return Source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// Nobody is there to be asked for a passphrase; OpenSSL would ask at the terminal.
int NoPassphrase(char*, int, int, void*) { return 0; }

// All certificates of a PEM text; none if any of them is malformed.
std::vector<Certificate> ParseCertificates(const std::string& pem) {
  std::vector<Certificate> certificates;
  const Source source = Open(pem);
  while (true) {
    Certificate certificate(PEM_read_bio_X509(source.get(), nullptr, &NoPassphrase, nullptr));
    if (certificate == nullptr) break;
    certificates.push_back(std::move(certificate));
  }
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (!at_end) certificates.clear();
  return certificates;
}

Key ParseKey(const std::string& pem) {
  const Source source = Open(pem);
  Key key(PEM_read_bio_PrivateKey(source.get(), nullptr, &NoPassphrase, nullptr));
  ERR_clear_error();
  return key;
}

absl::Time ToTime(const ASN1_TIME* time) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTimeT(timegm(&parts));
}

std::string Text(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<TlsIdentity> ReadTlsFiles(const TlsFiles& files) {
  TlsIdentity identity;
  auto certificate = ReadFile(files.certificate);
  if (!certificate.ok()) return certificate.status();
  auto key = ReadFile(files.key);
  if (!key.ok()) return key.status();
  identity.certificate = *std::move(certificate);
  identity.key = *std::move(key);

  const std::vector<Certificate> chain = ParseCertificates(identity.certificate);
  if (chain.empty()) return Problem(files.certificate, "is no PEM file of certificates");
  const Key private_key = ParseKey(identity.key);
  if (private_key == nullptr) {
    return Problem(files.key, "is no PEM file of a private key without a passphrase");
  }
  const bool belongs = X509_check_private_key(chain.front().get(), private_key.get()) == 1;
  ERR_clear_error();
  if (!belongs) {
    return Problem(files.key,
                   absl::StrCat("is not the key of the first certificate in ", files.certificate));
  }
  identity.begins = ToTime(X509_get0_notBefore(chain.front().get()));
  identity.expires = ToTime(X509_get0_notAfter(chain.front().get()));

  if (files.client_ca.empty()) return identity;
  auto client_ca = ReadFile(files.client_ca);
  if (!client_ca.ok()) return client_ca.status();
  identity.client_ca = *std::move(client_ca);
  if (ParseCertificates(identity.client_ca).empty()) {
    return Problem(files.client_ca, "is no PEM file of certificates");
  }
  return identity;
}

absl::Status CheckValidity(const TlsIdentity& identity, absl::Time now) {
  if (now < identity.begins) {
    return errors::InvalidRequest(
        "tls", absl::StrCat("the certificate holds only from ", Text(identity.begins), " on"));
  }
  if (now >= identity.expires) {
    return errors::InvalidRequest(
        "tls", absl::StrCat("the certificate has expired at ", Text(identity.expires)));
  }
  return absl::OkStatus();
}

std::string ExpiryWarning(const TlsIdentity& identity, absl::Time now) {
  const absl::Status validity = CheckValidity(identity, now);
  if (!validity.ok()) return std::string(validity.message());
  constexpr absl::Duration kAhead = absl::Hours(30 * 24);
  const absl::Duration left = identity.expires - now;
  if (left >= std::min(kAhead, (identity.expires - identity.begins) / 4)) return "";
  return absl::StrCat("the certificate expires at ", Text(identity.expires), ", in ",
                      left / absl::Hours(24) >= 2
                          ? absl::StrCat(absl::ToInt64Hours(left) / 24, " days")
                          : absl::FormatDuration(absl::Trunc(left, absl::Minutes(1))));
}

absl::StatusOr<std::shared_ptr<SSL_CTX>> NewServerContext(const TlsIdentity& identity) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  std::vector<Certificate> chain = ParseCertificates(identity.certificate);
  const Key key = ParseKey(identity.key);
  bool is_good = context != nullptr && !chain.empty() && key != nullptr &&
                 SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1 &&
                 SSL_CTX_use_certificate(context.get(), chain.front().get()) == 1 &&
                 SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1;
  for (size_t i = 1; is_good && i < chain.size(); ++i) {
    // Takes a reference of its own.
    is_good = SSL_CTX_add1_chain_cert(context.get(), chain[i].get()) == 1;
  }
  ERR_clear_error();
  if (!is_good) return errors::Internal("OpenSSL does not take the certificate and its key");
  return context;
}

}  // namespace migd
