// SHA-256, from OpenSSL.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

struct evp_md_ctx_st;

namespace migd {

// Hashes what it is fed. Thread-compatible.
class Sha256 {
 public:
  Sha256();
  ~Sha256();

  void Update(absl::string_view data);
  // Returns the hash of all that was fed, in lower-case hex. Call once, last.
  std::string FinishHex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace migd
