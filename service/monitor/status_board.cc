#include "service/monitor/status_board.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "google/protobuf/util/json_util.h"
#include "service/base/json_text.h"
#include "service/base/proto_time.h"
#include "service/operation/operation_state.h"

namespace migd {
namespace {

using migration::v1::OperationEvent;

// The newest of all databases.
constexpr size_t kMostFinished = 30;

std::string Json(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  return status.ok() ? json : "null";
}

std::string ErrorJson(const absl::Status& status) {
  return status.ok() ? "null" : JsonString(status.message());
}

template <typename Messages>
std::string JsonList(const Messages& messages) {
  return absl::StrCat("[",
                      absl::StrJoin(messages, ",",
                                    [](std::string* out, const google::protobuf::Message& message) {
                                      *out += Json(message);
                                    }),
                      "]");
}

std::string DatabaseJson(const DatabaseStatus& status) {
  const std::string rows = absl::StrJoin(
      status.rows, ",", [](std::string* out, const std::string& row) { *out += JsonString(row); });
  const migration::v1::HistoryResponse& history = status.history;
  return absl::StrCat(
      "{\"name\":", JsonString(status.name), ",\"offline\":", status.is_offline ? "true" : "false",
      ",\"database_error\":", status.is_offline ? "null" : ErrorJson(status.database_error),
      ",\"files_error\":", ErrorJson(status.files_error), ",\"rows\":[", rows,
      "],\"total\":", history.total_count(), ",\"applied\":", history.applied_count(),
      ",\"heads\":", history.head_count(), ",\"blocked_sessions\":", status.blocked_sessions,
      ",\"revisions\":", JsonList(history.revisions()));
}

bool IsListed(const migration::v1::Operation& operation, const DatabaseStatus& status) {
  return std::any_of(status.operations.begin(), status.operations.end(),
                     [&operation](const migration::v1::Operation& listed) {
                       return listed.operation() == operation.operation() &&
                              IsFinal(listed.state());
                     });
}

bool IsNewer(const migration::v1::Operation& a, const migration::v1::Operation& b) {
  return FromProtoTimestamp(a.create_time()) > FromProtoTimestamp(b.create_time());
}

}  // namespace

StatusBoard::StatusBoard(std::string server, std::string version)
    : server_(std::move(server)), version_(std::move(version)) {}

StatusBoard::Document StatusBoard::Databases() {
  MutexLock lock(mutex_);
  Document& document = databases_document_;
  if (document.json == nullptr) {
    document.json = std::make_shared<const std::string>(WriteDatabases());
  }
  return document;
}

StatusBoard::Document StatusBoard::Operations() {
  MutexLock lock(mutex_);
  Document& document = operations_document_;
  if (document.json == nullptr) {
    document.json = std::make_shared<const std::string>(WriteOperations());
  }
  return document;
}

bool StatusBoard::AwaitNews(int64_t databases, int64_t operations, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  MutexLock lock(mutex_);
  while (!closed_ && databases_document_.version <= databases &&
         operations_document_.version <= operations && absl::Now() < deadline) {
    changed_.WaitFor(mutex_, deadline - absl::Now());
  }
  return !closed_;
}

void StatusBoard::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  changed_.NotifyAll();
}

void StatusBoard::SetDatabase(std::shared_ptr<const DatabaseStatus> status) {
  MutexLock lock(mutex_);
  // What is in the list of the database, or too old for it, needs no place of its own.
  for (auto entry = finished_.begin(); entry != finished_.end();) {
    const migration::v1::Operation& operation = entry->second;
    const bool is_told =
        operation.database() == status->name && !status->operations.empty() &&
        (IsListed(operation, *status) || IsNewer(status->operations.back(), operation));
    entry = is_told ? finished_.erase(entry) : std::next(entry);
  }
  databases_[status->name] = std::move(status);
  Touch(databases_document_);
  Touch(operations_document_);
}

void StatusBoard::OperationHappened(const migration::v1::Operation& now,
                                    const OperationEvent& event, bool /*is_own*/) {
  OperationFound(now);
  MutexLock lock(mutex_);
  const auto found = running_.find(now.operation());
  if (found == running_.end()) return;
  Running& running = found->second;
  if (event.has_lock_wait()) {
    running.lock_wait = event.lock_wait();
  } else if (event.has_statement_finished() || event.has_step_retried() ||
             event.has_step_finished() || event.has_operation_interrupted()) {
    running.lock_wait.Clear();
  }
  if (event.has_waiting_for_mutex()) {
    running.mutex_wait = event.waiting_for_mutex();
  } else if (!IsTransient(event)) {
    running.mutex_wait.Clear();
  }
}

void StatusBoard::OperationFound(const migration::v1::Operation& now) {
  MutexLock lock(mutex_);
  if (IsFinal(now.state())) {
    running_.erase(now.operation());
    finished_[now.operation()] = now;
  } else {
    running_[now.operation()].operation = now;
  }
  Touch(operations_document_);
}

void StatusBoard::Announced(const OperationEvent& event) {
  if (!event.has_drift_reported()) return;
  MutexLock lock(mutex_);
  drift_[event.drift_reported().database()] = event;
  Touch(databases_document_);
}

void StatusBoard::Touch(Document& document) {
  ++document.version;
  document.json = nullptr;
  changed_.NotifyAll();
}

std::string StatusBoard::WriteDatabases() const {
  std::vector<std::string> databases;
  for (const auto& [name, status] : databases_) {
    const auto drift = drift_.find(name);
    databases.push_back(absl::StrCat(DatabaseJson(*status), ",\"drift\":",
                                     drift == drift_.end() ? "null" : Json(drift->second), "}"));
  }
  return absl::StrCat("{\"server\":", JsonString(server_), ",\"version\":", JsonString(version_),
                      ",\"databases\":[", absl::StrJoin(databases, ","), "]}");
}

std::string StatusBoard::WriteOperations() const {
  std::vector<std::string> running;
  for (const auto& [id, entry] : running_) {
    running.push_back(absl::StrCat("{\"operation\":", Json(entry.operation),
                                   ",\"lock_wait\":", Json(entry.lock_wait),
                                   ",\"mutex_wait\":", Json(entry.mutex_wait), "}"));
  }
  std::vector<migration::v1::Operation> finished;
  for (const auto& [id, operation] : finished_) finished.push_back(operation);
  for (const auto& [name, status] : databases_) {
    for (const migration::v1::Operation& operation : status->operations) {
      if (IsFinal(operation.state())) finished.push_back(operation);
    }
  }
  std::sort(finished.begin(), finished.end(), IsNewer);
  if (finished.size() > kMostFinished) finished.resize(kMostFinished);
  return absl::StrCat("{\"running\":[", absl::StrJoin(running, ","),
                      "],\"finished\":", JsonList(finished), "}");
}

}  // namespace migd
