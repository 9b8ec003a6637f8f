#include "service/monitor/database_probe.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "service/base/errors.h"
#include "service/base/proto_time.h"
#include "service/operation/operation_state.h"
#include "service/rpc/queries.h"

namespace migd {
namespace {

using State = migration::v1::Operation;

// What the page shows: the newest.
constexpr int kMostRevisions = 300;
constexpr int kMostOperations = 20;

bool IsBusy(const DatabaseStatus& status) {
  return std::any_of(status.operations.begin(), status.operations.end(),
                     [](const State& operation) { return !IsFinal(operation.state()); });
}

}  // namespace

DatabaseProbe::DatabaseProbe(const Catalog& catalog, OperationManager& operations,
                             const std::string& name,
                             std::function<void(std::shared_ptr<const DatabaseStatus>)> on_status)
    : catalog_(catalog),
      operations_(operations),
      name_(name),
      on_status_(std::move(on_status)),
      thread_([this] { Run(); }) {}

DatabaseProbe::~DatabaseProbe() {
  End();
  thread_.join();
}

void DatabaseProbe::End() {
  MutexLock lock(mutex_);
  ending_ = true;
  changed_.NotifyAll();
}

void DatabaseProbe::Wake() {
  MutexLock lock(mutex_);
  woken_ = true;
  changed_.NotifyAll();
}

void DatabaseProbe::Run() {
  auto status = std::make_shared<const DatabaseStatus>();
  while (AwaitTurn(IsBusy(*status) ? kBusyInterval : kInterval)) {
    status = std::make_shared<const DatabaseStatus>(Look(*status));
    on_status_(status);
  }
}

bool DatabaseProbe::AwaitTurn(absl::Duration interval) {
  MutexLock lock(mutex_);
  const absl::Time next = absl::Now() + interval;
  while (!woken_ && !ending_ && absl::Now() < next) changed_.WaitFor(mutex_, next - absl::Now());
  woken_ = false;
  return !ending_;
}

DatabaseStatus DatabaseProbe::Look(const DatabaseStatus& before) const {
  DatabaseStatus status = before;
  status.name = name_;
  const Workspace& workspace = **catalog_.Find(name_);
  status.is_offline = workspace.database == nullptr;
  migration::v1::HistoryRequest request;
  request.set_database(name_);
  request.set_page_size(kMostRevisions);
  migration::v1::HistoryResponse history;
  status.files_error = AnswerHistory(catalog_, request, history);
  if (history.has_database_error())
    status.database_error = errors::FromProto(history.database_error());
  const bool is_known = status.files_error.ok() && !history.has_database_error();
  if (is_known || (status.files_error.ok() && before.history.revisions().empty())) {
    status.history = std::move(history);
  }
  if (!status.is_offline) LookAtDatabase(status);
  return status;
}

void DatabaseProbe::LookAtDatabase(DatabaseStatus& status) const {
  Database& database = *(*catalog_.Find(name_))->database;
  const auto rows = database.ReadRows();
  status.database_error = rows.status();
  if (!rows.ok()) return;
  status.rows = {rows->begin(), rows->end()};
  const auto blocked = database.CountBlockedSessions();
  if (blocked.ok()) status.blocked_sessions = *blocked;
  const auto newest = operations_.List({name_, {}}, "", kMostOperations);
  if (newest.ok()) status.operations = newest->operations;
  const auto succeeded = operations_.List({name_, {State::STATE_SUCCEEDED}}, "", 1);
  if (succeeded.ok() && !succeeded->operations.empty()) {
    status.last_success = FromProtoTimestamp(succeeded->operations.front().finish_time());
  }
}

}  // namespace migd
