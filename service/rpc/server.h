// The gRPC server: listeners, health, reflection.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/operation/auditor.h"
#include "service/operation/operation_manager.h"
#include "service/rpc/admission.h"
#include "service/rpc/call_tracker.h"
#include "service/rpc/catalog.h"
#include "service/rpc/health_monitor.h"
#include "service/rpc/listener.h"
#include "service/rpc/migration_service.h"

namespace migd {

// Serves the migration service, grpc.health.v1 and reflection from its start to its end.
class Server {
 public:
  // Listens on `addresses`. InvalidRequest for an address that is not of its form, is given twice,
  // is taken, or would be open to a network though `allow_network` is false. `observer`, null for
  // none, is told of all calls, and must outlive the server.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const std::vector<std::string>& addresses,
                                                       bool allow_network, const Catalog& catalog,
                                                       OperationManager& operations,
                                                       CallObserver* observer = nullptr);
  ~Server();

  // The addresses, with the port that was chosen where port 0 was asked for.
  const std::vector<std::string>& addresses() const { return addresses_; }

  // What is told of the databases beside operations, such as what Verify has found.
  Announcements& announcements() { return service_.announcements(); }

  // Says NOT_SERVING, lets the operations end for `grace`, leaves what still runs to other servers,
  // then sends those who wait away and ends what is left of the calls. Returns when all has ended.
  void Shutdown(absl::Duration grace);

 private:
  Server(const Catalog& catalog, OperationManager& operations, CallObserver* observer);

  OperationManager& operations_;
  const Admission admission_;
  Auditor auditor_;
  CallTracker calls_;
  MigrationServiceImpl service_;
  std::vector<Listener> listeners_;
  std::vector<std::string> addresses_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<HealthMonitor> health_monitor_;
};

}  // namespace migd
