// TLS for gRPC, with certificates that are taken anew when their files change.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/access/certificates.h"
#include "service/access/file_watch.h"
#include "service/base/mutex.h"
#include "service/base/unique_fd.h"

namespace migd {

// A file in memory, that others of this process read by a path, and that is replaced in one step.
class MemoryFile {
 public:
  // INTERNAL if the kernel gives no memory.
  absl::Status Replace(const std::string& contents);
  // Stays the same. Only after Replace.
  std::string path() const;

 private:
  UniqueFd descriptor_;
  // The time of its change as others see it, in seconds: each change has another.
  int64_t changes_ = 0;
};

// A certificate, its key and the clients' CAs as a listener uses them. Files that change are looked
// at before they are taken: what is no certificate, or one that has expired while the one in use
// holds, is logged, and the one in use stays. Connections that are open stay as they are.
//
// gRPC reads certificates from files by itself, takes whatever is there, and reads the key and the
// certificate one after the other. What it reads here is not the files of the configuration, but
// memory that only holds what was found good, both in one.
class Tls {
 public:
  // The errors of ReadTlsFiles. A certificate that does not hold at present is only logged.
  static absl::StatusOr<std::unique_ptr<Tls>> Make(const TlsOptions& options);
  ~Tls();

  // Credentials for listeners, which must not outlive this object.
  std::shared_ptr<grpc::ServerCredentials> NewCredentials() const;

  // What others than gRPC serve a new connection with, without asking clients for a certificate.
  std::shared_ptr<ssl_ctx_st> context() const;
  // Until when the certificate in use holds.
  absl::Time expires() const;

 private:
  explicit Tls(TlsOptions options) : options_(std::move(options)) {}
  // Lets gRPC see `identity` from its next look on.
  absl::Status Publish(TlsIdentity identity) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Reload();
  // Logs, at the beginning and once a day, that the certificate ends soon.
  void Remind();

  const TlsOptions options_;
  mutable Mutex mutex_;
  CondVar ended_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  TlsIdentity current_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<ssl_ctx_st> context_ ABSL_GUARDED_BY(mutex_);
  // The certificate with its key. The path of neither changes.
  MemoryFile identity_;
  MemoryFile client_ca_;
  // Last: their threads use everything above.
  std::unique_ptr<FileWatch> watch_;
  std::thread reminder_;
};

}  // namespace migd
