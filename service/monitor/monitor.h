// What people and programs see of the server from outside gRPC.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "service/monitor/database_probe.h"
#include "service/monitor/http_server.h"
#include "service/monitor/metrics.h"
#include "service/monitor/operation_feed.h"
#include "service/monitor/status_board.h"
#include "service/rpc/tls.h"

namespace migd {

struct MonitorOptions {
  // Where to listen.
  std::string address;
  // Also where a network reaches it.
  bool allow_network = false;
  // Serve with the server's certificate, but on a unix socket.
  bool use_tls = false;
  std::string version;
};

// A check for ViewerCheck::may_view: whether a token is the one in a file, which is read anew
// for each, so that it can be replaced. Nobody's is while the file cannot be read, or is empty.
std::function<bool(absl::string_view token)> TokenOfFile(const std::string& path);

// Counts calls from its making on; watches databases and operations, and serves, while it is
// started. Must outlive the server whose calls it counts, which is there before it is started.
class Monitor {
 public:
  explicit Monitor(MonitorOptions options);

  // Is to be told of calls.
  CallObserver& calls() { return metrics_; }

  // InvalidRequest as HttpServer::Start. All must stay until Stop. `tls`, null without one, has the
  // server's certificate.
  absl::Status Start(const Catalog& catalog, OperationManager& operations,
                     Announcements& announcements, ViewerCheck viewers, const Tls* tls);

  // The server takes no new operations any more: it is not ready.
  void SetDraining() { draining_ = true; }

  // Ends what Start has begun. Calls are counted still.
  void Stop();

  // Where it listens.
  const std::string& address() const { return server_->address(); }

 private:
  // Wakes the probe of the database in question.
  class Waker : public OperationObserver {
   public:
    explicit Waker(Monitor& monitor) : monitor_(monitor) {}
    void OperationHappened(const migration::v1::Operation& now,
                           const migration::v1::OperationEvent& event, bool is_own) override;
    void OperationFound(const migration::v1::Operation& now) override;
    void Announced(const migration::v1::OperationEvent&) override {}

   private:
    Monitor& monitor_;
  };

  const MonitorOptions options_;
  std::atomic<bool> draining_ = false;
  Metrics metrics_;
  StatusBoard board_;
  Waker waker_;
  // By name; not changed after the start.
  std::map<std::string, std::unique_ptr<DatabaseProbe>> probes_;
  std::unique_ptr<OperationFeed> feed_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace migd
