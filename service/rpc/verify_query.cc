#include "service/rpc/verify_query.h"

#include <utility>

#include "absl/time/clock.h"
#include "service/base/log.h"
#include "service/base/proto_time.h"
#include "service/execute/verify.h"

namespace migd {
namespace {

void Announce(const migration::v1::VerifyResponse& response, Announcements& announcements) {
  const std::string differences = std::to_string(response.differences_size());
  LogInfo("compared a schema with its files",
          {{"database", response.database()}, {"differences", differences}});
  migration::v1::OperationEvent event;
  auto& report = *event.mutable_drift_reported();
  report.set_database(response.database());
  *report.mutable_revisions() = response.revisions();
  report.set_difference_count(response.differences_size());
  announcements.Publish(response.database(), std::move(event));
}

}  // namespace

absl::Status AnswerVerify(const Catalog& catalog, const migration::v1::VerifyRequest& request,
                          Cancellation& cancellation, Announcements& announcements,
                          migration::v1::VerifyResponse& response) {
  const absl::Time start = absl::Now();
  const auto workspace = catalog.Find(request.database());
  if (!workspace.ok()) return workspace.status();
  auto verified = VerifySchema(**workspace,
                               {{request.schemas().begin(), request.schemas().end()},
                                {request.ignore().begin(), request.ignore().end()}},
                               cancellation);
  if (!verified.ok()) return verified.status();
  response.set_database((*workspace)->name);
  response.mutable_revisions()->Add(verified->rows.begin(), verified->rows.end());
  Comparison& comparison = verified->comparison;
  response.set_object_count(comparison.object_count);
  response.set_ignored_count(comparison.ignored_count);
  for (auto& difference : comparison.differences) {
    *response.add_differences() = std::move(difference);
  }
  response.set_scratch(verified->scratch);
  *response.mutable_duration() = ToProtoDuration(absl::Now() - start);
  Announce(response, announcements);
  return absl::OkStatus();
}

}  // namespace migd
