// The gRPC server: listeners, health, reflection.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "service/access/access_control.h"
#include "service/access/policy.h"
#include "service/operation/auditor.h"
#include "service/operation/operation_manager.h"
#include "service/rpc/acceptor.h"
#include "service/rpc/admission.h"
#include "service/rpc/call_tracker.h"
#include "service/rpc/catalog.h"
#include "service/rpc/health_monitor.h"
#include "service/rpc/limits.h"
#include "service/rpc/listener.h"
#include "service/rpc/migration_service.h"
#include "service/rpc/tls.h"
#include "service/rpc/unix_peers.h"

namespace migd {

// How to serve. A plain value.
struct ServerOptions {
  // Where: HOST:PORT, [IPV6]:PORT or unix:PATH.
  std::vector<std::string> addresses;
  // Also where it is open to a network, without TLS.
  bool insecure = false;
  // For all addresses but unix sockets.
  absl::optional<TlsOptions> tls = {};
  // Without it everybody who reaches the server is admin.
  absl::optional<AccessPolicy> authorization = {};
  Limits limits = {};
  // Told of all calls; null for nobody. Must outlive the server.
  CallObserver* observer = nullptr;
};

// Serves the migration service, grpc.health.v1 and reflection from its start to its end.
class Server {
 public:
  // InvalidRequest for an address that is not of its form, is given twice, is taken, or is open to
  // a network without TLS and without `insecure`; the errors of Tls::Make and AccessControl::Make.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       const Catalog& catalog,
                                                       OperationManager& operations);
  ~Server();

  // The addresses, with the port that was chosen where port 0 was asked for.
  const std::vector<std::string>& addresses() const { return addresses_; }

  // What is told of the databases beside operations, such as what Verify has found.
  Announcements& announcements() { return service_.announcements(); }

  // Whether nobody is asked who they are; and whether whoever brings `token` (empty: none), by
  // other ways than gRPC, may read every database.
  bool is_open() const { return access_->is_open(); }
  bool MayReadAll(absl::string_view token) const { return admission_.MayReadAll(token); }

  // What the connections are encrypted with; null for plain text.
  const Tls* tls() const { return tls_.get(); }

  // Takes another `authorization` from now on, for open streams, too, whose rules may name
  // `databases`: also some that are not served. InvalidRequest, with which all stays as it is.
  // Tokens and certificates need no such call: their files are watched.
  absl::Status Reload(absl::optional<AccessPolicy> authorization,
                      const std::set<std::string>& databases);

  // Whether the health service answers within `patience`, whatever it says: asked within the
  // process, but by the queues and threads that all calls go through.
  bool Answers(absl::Duration patience) const;

  // Says NOT_SERVING, lets the operations end for `grace`, leaves what still runs to other servers,
  // then sends those who wait away and ends what is left of the calls. Returns when all has ended.
  void Shutdown(absl::Duration grace);

 private:
  Server(const ServerOptions& options, const Catalog& catalog, OperationManager& operations,
         std::unique_ptr<AccessControl> access);

  absl::Status Listen(const ServerOptions& options);
  // Reads all migration files, for which the first call would have to wait, and says SERVING then.
  // Returns soon, whether they are read or not.
  void WarmUp();
  void SetServing(bool is_serving);
  // Lets the acceptor hand the connections of all listeners to gRPC.
  void AcceptConnections();

  const Catalog& catalog_;
  OperationManager& operations_;
  const std::unique_ptr<AccessControl> access_;
  UnixPeers peers_;
  const Admission admission_;
  Auditor auditor_;
  CallTracker calls_;
  MigrationServiceImpl service_;
  std::vector<Listener> listeners_;
  std::vector<std::string> addresses_;
  std::unique_ptr<Tls> tls_;
  // Takes connections over TCP.
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> tcp_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<HealthMonitor> health_monitor_;
  std::thread warm_up_;
  Acceptor acceptor_;  // last: its thread uses everything above
};

}  // namespace migd
