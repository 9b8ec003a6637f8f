#include "service/monitor/metrics.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "service/base/proto_time.h"
#include "service/operation/operation_log.h"
#include "service/operation/operation_state.h"

namespace migd {
namespace {

using migration::v1::OperationEvent;
using State = migration::v1::Operation;
using Buckets = prometheus::Histogram::BucketBoundaries;

// In seconds.
const Buckets& CallBuckets() {
  static const Buckets buckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                  0.5,   1,      2.5,   5,    10,    30,   60,  300};
  return buckets;
}
const Buckets& RevisionBuckets() {
  static const Buckets buckets = {0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400};
  return buckets;
}
const Buckets& LockBuckets() {
  static const Buckets buckets = {0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900};
  return buckets;
}

prometheus::Family<prometheus::Counter>& AddCounter(prometheus::Registry& registry,
                                                    const std::string& name,
                                                    const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
prometheus::Family<prometheus::Gauge>& AddGauge(prometheus::Registry& registry,
                                                const std::string& name, const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}
prometheus::Family<prometheus::Histogram>& AddHistogram(prometheus::Registry& registry,
                                                        const std::string& name,
                                                        const std::string& help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

prometheus::Labels LabelsOf(const CallName& call) {
  return {{"grpc_type", call.type}, {"grpc_service", call.service}, {"grpc_method", call.method}};
}

// As dashboards made for other servers expect it, with Go's spelling: "OK", "NotFound", "Canceled".
std::string CodeWord(grpc::StatusCode code) {
  if (code == grpc::StatusCode::OK) return "OK";
  if (code == grpc::StatusCode::CANCELLED) return "Canceled";
  const std::string name = absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
  std::string word;
  bool begins = true;
  for (const char c : name) {
    if (c != '_') word += begins ? c : absl::ascii_tolower(static_cast<unsigned char>(c));
    begins = c == '_';
  }
  return word;
}

bool IsWatch(const CallName& call) {
  return call.service == "migration.v1.MigrationService" &&
         (call.method == "Watch" || call.method == "WatchOperation");
}

// "succeeded", "failed", "cancelled"; "refused" for one that failed before anything was tried.
std::string ResultWord(const State& operation) {
  if (IsRefused(operation)) return "refused";
  return absl::AsciiStrToLower(absl::StripPrefix(State::State_Name(operation.state()), "STATE_"));
}

}  // namespace

Metrics::Metrics(const std::string& version)
    : calls_started_(
          AddCounter(registry_, "grpc_server_started_total", "RPCs started on the server.")),
      calls_handled_(AddCounter(registry_, "grpc_server_handled_total",
                                "RPCs completed on the server, by status code.")),
      messages_received_(AddCounter(registry_, "grpc_server_msg_received_total",
                                    "Messages received from callers.")),
      messages_sent_(
          AddCounter(registry_, "grpc_server_msg_sent_total", "Messages sent to callers.")),
      call_seconds_(AddHistogram(registry_, "grpc_server_handling_seconds",
                                 "How long RPCs took, in seconds; streams until their end.")),
      watchers_(AddGauge(registry_, "migd_watchers", "Streams that follow operations.")),
      operations_(AddCounter(registry_, "migd_operations_total",
                             "Operations that this server has finished, by result.")),
      running_(AddGauge(registry_, "migd_operations_running",
                        "Operations of this server that hold the database's mutex and work.")),
      pending_operations_(AddGauge(registry_, "migd_operations_pending",
                                   "Operations of this server that wait for their turn.")),
      interruptions_(
          AddCounter(registry_, "migd_operation_interruptions_total",
                     "How often an operation of this server was cut off; not what it gave "
                     "to others when it was stopped.")),
      revision_seconds_(AddHistogram(registry_, "migd_revision_duration_seconds",
                                     "How long it took to apply a revision, or to take it down.")),
      lock_wait_seconds_(AddHistogram(registry_, "migd_lock_wait_seconds",
                                      "How long statements of revisions waited for locks, of those "
                                      "that were seen to wait.")),
      lock_timeouts_(AddCounter(registry_, "migd_lock_timeouts_total",
                                "How often a revision ran into its lock timeout.")),
      blockers_(AddGauge(registry_, "migd_blocking_sessions",
                         "Sessions that keep a statement of an operation waiting.")),
      blocked_sessions_(AddGauge(registry_, "migd_blocked_sessions",
                                 "Sessions that wait for a lock that an operation holds.")),
      up_(AddGauge(registry_, "migd_database_up", "Whether the database answers.")),
      files_valid_(AddGauge(registry_, "migd_migrations_valid",
                            "Whether the migration files can be read, and fit together.")),
      revisions_(AddGauge(registry_, "migd_revisions", "Revisions that the files have.")),
      pending_revisions_(AddGauge(registry_, "migd_pending_revisions",
                                  "Revisions of the files that the database does not have.")),
      heads_(AddGauge(registry_, "migd_heads", "Heads that the files have.")),
      revision_info_(AddGauge(registry_, "migd_current_revision_info",
                              "1 for each row of the version table.")),
      drift_(AddGauge(registry_, "migd_drift_objects",
                      "Objects that the last comparison of the schema with its files found to "
                      "differ; there is none before the first.")),
      last_success_(AddGauge(registry_, "migd_last_success_timestamp_seconds",
                             "When an operation on the database last succeeded.")),
      certificate_expiry_(AddGauge(registry_, "migd_certificate_expiry_timestamp_seconds",
                                   "Until when the server's certificate holds.")) {
  AddGauge(registry_, "migd_build_info", "The version of this server.")
      .Add({{"version", version}})
      .Set(1);
  AddGauge(registry_, "process_start_time_seconds", "When this server was started.")
      .Add({})
      .Set(absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()));
  watchers_.Add({});
}

std::string Metrics::Text() const {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, registry_.Collect());
  return text.str();
}

// --- Calls ---

void Metrics::SetCertificateExpiry(absl::Time expires) {
  certificate_expiry_.Add({}).Set(absl::ToDoubleSeconds(expires - absl::UnixEpoch()));
}

void Metrics::CallStarted(const CallName& call) {
  calls_started_.Add(LabelsOf(call)).Increment();
  if (IsWatch(call)) watchers_.Add({}).Increment();
}

void Metrics::MessageReceived(const CallName& call) {
  messages_received_.Add(LabelsOf(call)).Increment();
}

void Metrics::MessageSent(const CallName& call) { messages_sent_.Add(LabelsOf(call)).Increment(); }

void Metrics::CallEnded(const CallName& call, grpc::StatusCode code, absl::Duration duration) {
  prometheus::Labels labels = LabelsOf(call);
  call_seconds_.Add(labels, CallBuckets()).Observe(absl::ToDoubleSeconds(duration));
  labels["grpc_code"] = CodeWord(code);
  calls_handled_.Add(labels).Increment();
  if (IsWatch(call)) watchers_.Add({}).Decrement();
}

// --- Operations ---

void Metrics::OperationHappened(const State& now, const OperationEvent& event, bool is_own) {
  MutexLock lock(mutex_);
  const std::string& database = now.database();
  if (!is_own || event.has_operation_finished()) {
    const auto found = unfinished_.find(now.operation());
    if (found != unfinished_.end()) {
      FollowLockWait(event, found->second);
      unfinished_.erase(found);
      CountUnfinished(database);
    }
    if (is_own) Finish(now, event);
    return;
  }
  Unfinished& operation = unfinished_[now.operation()];
  operation.database = database;
  operation.state = now.state();
  FollowLockWait(event, operation);
  CountUnfinished(database);
  const prometheus::Labels labels = {{"database", database}};
  if (event.has_step_finished()) {
    const migration::v1::StepFinished& step = event.step_finished();
    const bool is_up = step.direction() == migration::v1::DIRECTION_UPGRADE;
    if (!is_up && step.direction() != migration::v1::DIRECTION_DOWNGRADE) return;
    revision_seconds_
        .Add({{"database", database}, {"direction", is_up ? "upgrade" : "downgrade"}},
             RevisionBuckets())
        .Observe(absl::ToDoubleSeconds(FromProtoDuration(step.duration())));
  } else if (event.step_retried().error().reason() == "LOCK_TIMEOUT") {
    lock_timeouts_.Add(labels).Increment();
  } else if (event.has_operation_interrupted() && !event.operation_interrupted().handed_over()) {
    interruptions_.Add(labels).Increment();
  }
}

void Metrics::Finish(const State& now, const OperationEvent& event) {
  const migration::v1::OperationFinished& end = event.operation_finished();
  State finished = now;
  ApplyEvent(event, finished);
  operations_
      .Add({{"database", now.database()},
            {"action", ActionWord(now.action())},
            {"result", ResultWord(finished)}})
      .Increment();
  if (end.error().reason() == "LOCK_TIMEOUT") {
    lock_timeouts_.Add({{"database", now.database()}}).Increment();
  }
  if (end.state() != State::STATE_SUCCEEDED) return;
  last_success_.Add({{"database", now.database()}})
      .Set(absl::ToDoubleSeconds(FromProtoTimestamp(event.time()) - absl::UnixEpoch()));
}

void Metrics::FollowLockWait(const OperationEvent& event, Unfinished& operation) {
  const absl::Time time = FromProtoTimestamp(event.time());
  if (event.has_lock_wait() && event.lock_wait().blockers_size() > 0) {
    if (!operation.waiting_since) {
      operation.waiting_since = time - FromProtoDuration(event.lock_wait().waited());
    }
    operation.blockers = event.lock_wait().blockers_size();
    return;
  }
  // A progress says nothing about locks: CREATE INDEX CONCURRENTLY tells of both.
  if (!operation.waiting_since || IsTransient(event)) return;
  const bool goes_on = !event.has_lock_wait() && !event.has_statement_finished() &&
                       !event.has_step_retried() && !event.has_step_finished() &&
                       !event.has_operation_interrupted() && !event.has_operation_finished();
  if (goes_on) return;
  lock_wait_seconds_.Add({{"database", operation.database}}, LockBuckets())
      .Observe(absl::ToDoubleSeconds(time - *operation.waiting_since));
  operation.waiting_since.reset();
  operation.blockers = 0;
}

void Metrics::CountUnfinished(const std::string& database) {
  int running = 0;
  int pending = 0;
  int blockers = 0;
  for (const auto& [id, operation] : unfinished_) {
    if (operation.database != database) continue;
    running += operation.state == State::STATE_RUNNING;
    pending += operation.state == State::STATE_PENDING;
    blockers += operation.blockers;
  }
  const prometheus::Labels labels = {{"database", database}};
  running_.Add(labels).Set(running);
  pending_operations_.Add(labels).Set(pending);
  blockers_.Add(labels).Set(blockers);
}

void Metrics::Announced(const OperationEvent& event) {
  if (!event.has_drift_reported()) return;
  drift_.Add({{"database", event.drift_reported().database()}})
      .Set(event.drift_reported().difference_count());
}

// --- Databases ---

void Metrics::AddDatabase(const std::string& database) {
  const prometheus::Labels labels = {{"database", database}};
  for (const char* action : {"upgrade", "downgrade", "stamp"}) {
    for (const char* result : {"succeeded", "failed", "refused", "cancelled"}) {
      operations_.Add({{"database", database}, {"action", action}, {"result", result}});
    }
  }
  for (const char* direction : {"upgrade", "downgrade"}) {
    revision_seconds_.Add({{"database", database}, {"direction", direction}}, RevisionBuckets());
  }
  lock_wait_seconds_.Add(labels, LockBuckets());
  lock_timeouts_.Add(labels);
  interruptions_.Add(labels);
  CountUnfinished(database);
}

void Metrics::SetDatabase(const DatabaseStatus& status) {
  MutexLock lock(mutex_);
  const prometheus::Labels labels = {{"database", status.name}};
  files_valid_.Add(labels).Set(status.files_error.ok() ? 1 : 0);
  if (status.files_error.ok()) {
    revisions_.Add(labels).Set(status.history.total_count());
    heads_.Add(labels).Set(status.history.head_count());
  }
  if (status.is_offline) return;
  AddDatabase(status.name);
  up_.Add(labels).Set(status.database_error.ok() ? 1 : 0);
  if (status.last_success) {
    // The probe may have looked before the event that was counted last.
    prometheus::Gauge& last = last_success_.Add(labels);
    last.Set(
        std::max(last.Value(), absl::ToDoubleSeconds(*status.last_success - absl::UnixEpoch())));
  }
  if (!status.database_error.ok()) return;
  blocked_sessions_.Add(labels).Set(status.blocked_sessions);
  if (status.files_error.ok()) {
    pending_revisions_.Add(labels).Set(status.history.total_count() -
                                       status.history.applied_count());
  }
  SetRows(status);
}

void Metrics::SetRows(const DatabaseStatus& status) {
  auto& told = rows_[status.name];
  const std::set<std::string> rows(status.rows.begin(), status.rows.end());
  for (auto row = told.begin(); row != told.end();) {
    if (rows.count(row->first) > 0) {
      ++row;
      continue;
    }
    revision_info_.Remove(row->second);
    row = told.erase(row);
  }
  for (const std::string& row : rows) {
    if (told.count(row) > 0) continue;
    told[row] = &revision_info_.Add({{"database", status.name}, {"revision", row}});
    told[row]->Set(1);
  }
}

}  // namespace migd
