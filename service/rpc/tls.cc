#include "service/rpc/tls.h"

#include <fcntl.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/log.h"

namespace migd {
namespace {

namespace grpc_tls = grpc::experimental;

// How often gRPC looks at what it reads.
constexpr unsigned int kRefreshSeconds = 1;

std::string Text(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

absl::Status Problem(absl::string_view what) {
  return errors::Internal(absl::StrCat(what, ": ", std::strerror(errno)));
}

}  // namespace

absl::Status MemoryFile::Replace(const std::string& contents) {
  UniqueFd next(memfd_create("migd-tls", MFD_CLOEXEC));
  if (next.get() < 0) return Problem("memory for certificates");
  if (write(next.get(), contents.data(), contents.size()) !=
      static_cast<ssize_t>(contents.size())) {
    return Problem("memory for certificates");
  }
  // gRPC reads a pair again if the time of change, in whole seconds, is not what it was before.
  const std::array<timespec, 2> times = {timespec{++changes_, 0}, timespec{changes_, 0}};
  if (futimens(next.get(), times.data()) != 0) return Problem("the time of certificates");
  if (descriptor_.get() < 0) {
    descriptor_ = std::move(next);
  } else if (dup3(next.get(), descriptor_.get(), O_CLOEXEC) < 0) {
    return Problem("replacing certificates");
  }
  return absl::OkStatus();
}

std::string MemoryFile::path() const { return absl::StrCat("/proc/self/fd/", descriptor_.get()); }

absl::StatusOr<std::unique_ptr<Tls>> Tls::Make(const TlsOptions& options) {
  std::unique_ptr<Tls> tls(new Tls(options));
  std::vector<std::string> paths = {options.files.certificate, options.files.key};
  if (!options.files.client_ca.empty()) paths.push_back(options.files.client_ca);
  // Watched before they are read, so that no change falls between the two.
  MutexLock lock(tls->mutex_);
  tls->watch_ = std::make_unique<FileWatch>(std::move(paths), [raw = tls.get()] { raw->Reload(); });
  auto identity = ReadTlsFiles(options.files);
  if (!identity.ok()) return identity.status();
  struct stat about = {};
  if (stat(options.files.key.c_str(), &about) == 0 && (about.st_mode & S_IROTH) != 0) {
    LogWarning("the private key can be read by everybody", {{"file", options.files.key}});
  }
  LogInfo("tls",
          {{"certificate", options.files.certificate}, {"expires", Text(identity->expires)}});
  const absl::Status published = tls->Publish(*std::move(identity));
  if (!published.ok()) return published;
  tls->reminder_ = std::thread([raw = tls.get()] { raw->Remind(); });
  return tls;
}

Tls::~Tls() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    ended_.NotifyAll();
  }
  if (reminder_.joinable()) reminder_.join();
}

void Tls::Remind() {
  MutexLock lock(mutex_);
  while (!ending_) {
    const std::string warning = ExpiryWarning(current_, absl::Now());
    if (!warning.empty()) {
      LogWarning("tls", {{"problem", warning}, {"certificate", options_.files.certificate}});
    }
    const absl::Time next = absl::Now() + absl::Hours(24);
    while (!ending_ && absl::Now() < next) ended_.WaitFor(mutex_, next - absl::Now());
  }
}

std::shared_ptr<ssl_ctx_st> Tls::context() const {
  MutexLock lock(mutex_);
  return context_;
}

absl::Time Tls::expires() const {
  MutexLock lock(mutex_);
  return current_.expires;
}

std::shared_ptr<grpc::ServerCredentials> Tls::NewCredentials() const {
  const bool asks_clients = !options_.files.client_ca.empty();
  grpc_tls::TlsServerCredentialsOptions options(
      std::make_shared<grpc_tls::FileWatcherCertificateProvider>(
          identity_.path(), identity_.path(), asks_clients ? client_ca_.path() : "",
          kRefreshSeconds));
  options.watch_identity_key_cert_pairs();
  if (asks_clients) {
    options.watch_root_certs();
    options.set_cert_request_type(options_.require_client_certificate
                                      ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                      : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc_tls::TlsServerCredentials(options);
}

absl::Status Tls::Publish(TlsIdentity identity) {
  if (identity.certificate != current_.certificate || identity.key != current_.key) {
    auto context = NewServerContext(identity);
    if (!context.ok()) return context.status();
    context_ = *std::move(context);
    const absl::Status status =
        identity_.Replace(absl::StrCat(identity.certificate, "\n", identity.key));
    if (!status.ok()) return status;
  }
  if (identity.client_ca != current_.client_ca) {
    const absl::Status status = client_ca_.Replace(identity.client_ca);
    if (!status.ok()) return status;
  }
  current_ = std::move(identity);
  return absl::OkStatus();
}

void Tls::Reload() {
  MutexLock lock(mutex_);
  auto identity = ReadTlsFiles(options_.files);
  absl::Status status = identity.status();
  const absl::Time now = absl::Now();
  // Where the one in use does not hold either, whatever comes is taken.
  if (status.ok() && CheckValidity(current_, now).ok()) status = CheckValidity(*identity, now);
  if (status.ok()) status = Publish(*std::move(identity));
  if (!status.ok()) {
    LogWarning("certificates not reloaded; those before stay",
               {{"problem", std::string(status.message())}});
    return;
  }
  LogInfo("certificates reloaded",
          {{"certificate", options_.files.certificate}, {"expires", Text(current_.expires)}});
  const std::string warning = ExpiryWarning(current_, now);
  if (!warning.empty()) LogWarning("tls", {{"problem", warning}});
}

}  // namespace migd
