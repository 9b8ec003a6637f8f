#include "service/monitor/monitor.h"

#include <openssl/crypto.h>

#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "service/base/sha256.h"

namespace migd {

namespace {

std::string Hash(absl::string_view text) {
  Sha256 hash;
  hash.Update(text);
  return hash.FinishHex();
}

}  // namespace

std::function<bool(absl::string_view token)> TokenOfFile(const std::string& path) {
  return [path](absl::string_view token) {
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line)) return false;
    const absl::string_view wanted = absl::StripAsciiWhitespace(line);
    // Of their hashes, so that the time tells nothing, not even the length.
    const std::string a = Hash(wanted);
    const std::string b = Hash(token);
    return !wanted.empty() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
  };
}

void Monitor::Waker::OperationHappened(const migration::v1::Operation& now,
                                       const migration::v1::OperationEvent& event, bool) {
  const bool changes_much = event.has_operation_accepted() || event.has_plan() ||
                            event.has_step_finished() || event.has_operation_interrupted() ||
                            event.has_operation_finished();
  if (changes_much) OperationFound(now);
}

void Monitor::Waker::OperationFound(const migration::v1::Operation& now) {
  const auto probe = monitor_.probes_.find(now.database());
  if (probe != monitor_.probes_.end()) probe->second->Wake();
}

Monitor::Monitor(MonitorOptions options)
    : options_(std::move(options)),
      metrics_(options_.version),
      board_(NameOfServer(), options_.version),
      waker_(*this) {}

absl::Status Monitor::Start(const Catalog& catalog, OperationManager& operations,
                            Announcements& announcements, ViewerCheck viewers, const Tls* tls) {
  HttpContents contents;
  contents.metrics = [this, tls] {
    if (tls != nullptr) metrics_.SetCertificateExpiry(tls->expires());
    return metrics_.Text();
  };
  if (options_.use_tls && tls != nullptr) contents.tls = [tls] { return tls->context(); };
  contents.is_ready = [this] { return !draining_; };
  contents.viewers = std::move(viewers);
  contents.board = &board_;
  auto server = HttpServer::Start(options_.address, options_.allow_network, std::move(contents));
  if (!server.ok()) return server.status();
  for (const Workspace* workspace : catalog.workspaces()) {
    probes_[workspace->name] = std::make_unique<DatabaseProbe>(
        catalog, operations, workspace->name, [this](std::shared_ptr<const DatabaseStatus> status) {
          metrics_.SetDatabase(*status);
          board_.SetDatabase(std::move(status));
        });
  }
  feed_ = std::make_unique<OperationFeed>(
      operations, announcements, std::vector<OperationObserver*>{&metrics_, &board_, &waker_});
  server_ = *std::move(server);
  return absl::OkStatus();
}

void Monitor::Stop() {
  server_.reset();
  feed_.reset();
  // All at once: one that waits for its database may take its time.
  for (auto& [name, probe] : probes_) probe->End();
  probes_.clear();
}

}  // namespace migd
