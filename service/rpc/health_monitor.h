// Whether each database answers, as grpc.health.v1 tells it.
#pragma once

#include <grpcpp/health_check_service_interface.h>

#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/rpc/catalog.h"
#include "service/rpc/row_poller.h"

namespace migd {

// The name by which the health service knows a database: "database/NAME".
std::string HealthServiceOf(absl::string_view database);

// Asks every database now and then, each on a thread of its own, and says what came of it. A
// database that has not been asked yet, or does not answer, is NOT_SERVING; the server itself and
// its service do not depend on that. Databases of --offline are not told of.
class HealthMonitor {
 public:
  static constexpr absl::Duration kInterval = absl::Seconds(5);

  // Both must outlive it.
  HealthMonitor(const Catalog& catalog, grpc::HealthCheckServiceInterface& health);
  // Ends, and waits for questions that are under way.
  ~HealthMonitor() { End(); }

  // Asks no more from now on.
  void End();

 private:
  std::vector<std::unique_ptr<RowPoller>> pollers_;
};

}  // namespace migd
