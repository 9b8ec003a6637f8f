#include "tests/support/test_ca.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>

namespace migd {
namespace {

void Require(bool condition, const char* what) {
  if (condition) return;
  std::cerr << "the test's CA: " << what << " failed\n";
  std::abort();
}

EVP_PKEY* NewKey() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  Require(key != nullptr, "making a key");
  return key;
}

void AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  Require(extension != nullptr, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Without extensions and signature. `issuer` may be null, for one that issues itself.
X509* NewCertificate(const CertificateWish& wish, X509* issuer, EVP_PKEY* key) {
  X509* certificate = X509_new();
  Require(certificate != nullptr, "making a certificate");
  X509_set_version(certificate, X509_VERSION_3);
  uint32_t serial = 0;
  Require(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "a number");
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), uint64_t{serial} + 1);
  ASN1_TIME_set(X509_getm_notBefore(certificate), absl::ToTimeT(wish.begin));
  ASN1_TIME_set(X509_getm_notAfter(certificate), absl::ToTimeT(wish.end));
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1,
                             -1, 0);
  X509_set_issuer_name(certificate,
                       X509_get_subject_name(issuer == nullptr ? certificate : issuer));
  X509_set_pubkey(certificate, key);
  return certificate;
}

template <typename Write>
std::string ToPem(Write write) {
  BIO* out = BIO_new(BIO_s_mem());
  Require(out != nullptr && write(out) == 1, "writing PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  std::string pem(data, static_cast<size_t>(size));
  BIO_free(out);
  return pem;
}

std::string ToPem(X509* certificate) {
  return ToPem([&](BIO* out) { return PEM_write_bio_X509(out, certificate); });
}

}  // namespace

TestCa::TestCa(const std::string& name)
    : key_(NewKey()), certificate_(NewCertificate({name}, nullptr, key_)) {
  AddExtension(certificate_, certificate_, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate_, certificate_, NID_key_usage, "critical,keyCertSign");
  Require(X509_sign(certificate_, key_, EVP_sha256()) > 0, "signing");
}

TestCa::~TestCa() {
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

std::string TestCa::certificate() const { return ToPem(certificate_); }

Issued TestCa::Issue(const CertificateWish& wish) const {
  EVP_PKEY* key = NewKey();
  X509* certificate = NewCertificate(wish, certificate_, key);
  AddExtension(certificate, certificate_, NID_basic_constraints, "critical,CA:FALSE");
  if (!wish.alternative_names.empty()) {
    AddExtension(certificate, certificate_, NID_subject_alt_name, wish.alternative_names);
  }
  Require(X509_sign(certificate, key_, EVP_sha256()) > 0, "signing");
  Issued issued{ToPem(certificate), ToPem([&](BIO* out) {
                  return PEM_write_bio_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
                })};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return issued;
}

}  // namespace migd
