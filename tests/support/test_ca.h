// A certificate authority for one test.
#pragma once

#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"

struct evp_pkey_st;
struct x509_st;

namespace migd {

// What is to stand in a certificate.
struct CertificateWish {
  std::string common_name;
  // As OpenSSL writes alternative names: "DNS:localhost, URI:spiffe://example.org/billing". None if
  // empty.
  std::string alternative_names = "";
  absl::Time begin = absl::Now() - absl::Hours(1);
  absl::Time end = absl::Now() + absl::Hours(1);
};

// A certificate and its key, in PEM.
struct Issued {
  std::string certificate;
  std::string key;
};

// Has a key and a certificate of its own; no file keeps them.
class TestCa {
 public:
  explicit TestCa(const std::string& name = "Test CA");
  ~TestCa();
  TestCa(const TestCa&) = delete;
  TestCa& operator=(const TestCa&) = delete;

  // Its certificate, in PEM.
  std::string certificate() const;
  Issued Issue(const CertificateWish& wish) const;

 private:
  evp_pkey_st* const key_;
  x509_st* const certificate_;
};

}  // namespace migd
