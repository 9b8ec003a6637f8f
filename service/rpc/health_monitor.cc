#include "service/rpc/health_monitor.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "service/base/log.h"

namespace migd {
namespace {

// Tells of one database; called on the thread of its poller only, but for its making.
class DatabaseHealth {
 public:
  DatabaseHealth(std::string database, grpc::HealthCheckServiceInterface& health)
      : database_(std::move(database)), health_(health) {
    health_.SetServingStatus(HealthServiceOf(database_), false);
  }

  void Note(const absl::Status& status) {
    health_.SetServingStatus(HealthServiceOf(database_), status.ok());
    if (was_ok_ && *was_ok_ == status.ok()) return;
    if (!status.ok()) {
      LogWarning("the database does not answer",
                 {{"database", database_}, {"error", std::string(status.message())}});
    } else if (was_ok_) {
      LogInfo("the database answers again", {{"database", database_}});
    }
    was_ok_ = status.ok();
  }

 private:
  const std::string database_;
  grpc::HealthCheckServiceInterface& health_;
  absl::optional<bool> was_ok_;
};

}  // namespace

std::string HealthServiceOf(absl::string_view database) {
  return absl::StrCat("database/", database);
}

HealthMonitor::HealthMonitor(const Catalog& catalog, grpc::HealthCheckServiceInterface& health) {
  for (const Workspace* workspace : catalog.workspaces()) {
    if (workspace->database == nullptr) continue;
    auto told = std::make_shared<DatabaseHealth>(workspace->name, health);
    pollers_.push_back(std::make_unique<RowPoller>(
        *workspace->database, kInterval,
        [told](const RowPoller::Reading& reading) { told->Note(reading.rows.status()); }));
    pollers_.back()->Join();
  }
}

void HealthMonitor::End() {
  for (const auto& poller : pollers_) poller->End();
}

}  // namespace migd
