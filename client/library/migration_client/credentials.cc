#include "migration_client/credentials.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace migration_client {
namespace {

using migration::v1::Error;

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Certificate = std::unique_ptr<X509, FreeCertificate>;
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;

std::unique_ptr<BIO, FreeBio> BioOf(const std::string& pem) {
  return std::unique_ptr<BIO, FreeBio>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// Null if there is none.
Certificate FirstCertificate(const std::string& pem) {
  return Certificate(PEM_read_bio_X509(BioOf(pem).get(), nullptr, nullptr, nullptr));
}

Key PrivateKey(const std::string& pem) {
  // A key with a passphrase: nobody is asked for it.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  return Key(PEM_read_bio_PrivateKey(BioOf(pem).get(), nullptr, no_passphrase, nullptr));
}

Result<std::string> ReadCertificates(const std::string& path) {
  auto pem = ReadFile(path);
  if (!pem.ok() || FirstCertificate(*pem) != nullptr) return pem;
  return InvalidOption(absl::StrCat("the file ", path, " holds no certificate"),
                       "it must be PEM: -----BEGIN CERTIFICATE-----");
}

// Reads the client's own certificate into `ssl`.
std::optional<Error> ReadOwnCertificate(const TlsOptions& tls, grpc::SslCredentialsOptions& ssl) {
  if (tls.cert_file.empty() && tls.key_file.empty()) return std::nullopt;
  if (tls.cert_file.empty() || tls.key_file.empty()) {
    return InvalidOption("a certificate needs its key, and a key its certificate",
                         "give both: --tls-cert FILE --tls-key FILE");
  }
  auto chain = ReadCertificates(tls.cert_file);
  if (!chain.ok()) return chain.error();
  auto pem = ReadFile(tls.key_file);
  if (!pem.ok()) return pem.error();
  const Key key = PrivateKey(*pem);
  if (key == nullptr) {
    return InvalidOption(absl::StrCat("the file ", tls.key_file, " holds no private key"),
                         "it must be PEM, and not encrypted with a passphrase");
  }
  if (X509_check_private_key(FirstCertificate(*chain).get(), key.get()) != 1) {
    return InvalidOption(absl::StrCat("the key ", tls.key_file, " is not that of ", tls.cert_file),
                         "give the key that the certificate was made for");
  }
  ssl.pem_cert_chain = std::move(*chain);
  ssl.pem_private_key = std::move(*pem);
  return std::nullopt;
}

bool IsUnixSocket(absl::string_view server) {
  return absl::StartsWith(server, "unix:") || absl::StartsWith(server, "unix-abstract:");
}

bool IsLoopback(const std::string& host) {
  // What looks like 127.x may also be a name.
  const bool is_number = host.find_first_not_of("0123456789.") == host.npos;
  return host == "localhost" || host == "::1" || (is_number && absl::StartsWith(host, "127."));
}

}  // namespace

Error InvalidOption(std::string message, std::string hint) {
  Error error;
  error.set_code("INVALID_ARGUMENT");
  error.set_message(std::move(message));
  error.set_hint(std::move(hint));
  return error;
}

Result<std::string> ReadFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(file), {}};
  if (file.is_open() && !file.bad() && errno != EISDIR) return content;
  const char* why = errno != 0 ? std::strerror(errno) : "it cannot be read";
  return InvalidOption(absl::StrCat("cannot read ", path, ": ", why), "name a file that is there");
}

Result<std::shared_ptr<grpc::ChannelCredentials>> ChannelCredentialsFor(
    const ConnectOptions& options) {
  if (!options.tls.has_value()) return grpc::InsecureChannelCredentials();
  if (options.tls->server_name.empty() && AddressesOf(options.server).size() > 1) {
    return InvalidOption("several addresses have no name that a certificate could be for",
                         "say which name the certificates have: --tls-server-name NAME");
  }
  grpc::SslCredentialsOptions ssl;
  if (!options.tls->ca_file.empty()) {
    auto roots = ReadCertificates(options.tls->ca_file);
    if (!roots.ok()) return roots.error();
    ssl.pem_root_certs = std::move(*roots);
  }
  if (const auto error = ReadOwnCertificate(*options.tls, ssl); error.has_value()) return *error;
  return grpc::SslCredentials(ssl);
}

std::string HostOf(absl::string_view server) {
  if (IsUnixSocket(server)) return "";
  for (const char* scheme : {"ipv4:", "ipv6:", "dns:"}) absl::ConsumePrefix(&server, scheme);
  // dns://AUTHORITY/host
  if (absl::ConsumePrefix(&server, "//")) server.remove_prefix(server.find('/') + 1);
  if (absl::ConsumePrefix(&server, "[")) return std::string(server.substr(0, server.find(']')));
  return std::string(server.substr(0, server.find(':')));
}

bool StaysOnThisMachine(absl::string_view server) {
  return IsUnixSocket(server) || absl::c_all_of(AddressesOf(server), [](absl::string_view address) {
           return IsLoopback(HostOf(address));
         });
}

std::vector<std::string> AddressesOf(absl::string_view server) {
  for (const char* scheme : {"ipv4:", "ipv6:"}) {
    if (absl::ConsumePrefix(&server, scheme)) return absl::StrSplit(server, ',');
  }
  return {std::string(server)};
}

}  // namespace migration_client
