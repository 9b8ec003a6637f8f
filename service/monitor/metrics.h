// The server's metrics, as Prometheus reads them.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "migration/v1/operation.pb.h"
#include "service/base/mutex.h"
#include "service/monitor/database_probe.h"
#include "service/monitor/operation_feed.h"
#include "service/rpc/call_tracker.h"

namespace migd {

// Counts the calls as `grpc_server_*`, the family that gRPC's Prometheus interceptors of other
// languages have, and what migrations do as `migd_*`, from the events that callers are told, and
// from what the probes of the databases find. Of operations it counts those that this server runs,
// so that sums over several servers are right. docker/README.md lists all. Thread-safe.
class Metrics : public CallObserver, public OperationObserver {
 public:
  explicit Metrics(const std::string& version);

  // All of it, in Prometheus' text format. Waits for nothing but other readers.
  std::string Text() const;

  void SetDatabase(const DatabaseStatus& status);
  // Until when the server's certificate holds.
  void SetCertificateExpiry(absl::Time expires);

  void CallStarted(const CallName& call) override;
  void MessageReceived(const CallName& call) override;
  void MessageSent(const CallName& call) override;
  void CallEnded(const CallName& call, grpc::StatusCode code, absl::Duration duration) override;

  void OperationHappened(const migration::v1::Operation& now,
                         const migration::v1::OperationEvent& event, bool is_own) override;
  void OperationFound(const migration::v1::Operation&) override {}
  void Announced(const migration::v1::OperationEvent& event) override;

 private:
  using Counters = prometheus::Family<prometheus::Counter>;
  using Gauges = prometheus::Family<prometheus::Gauge>;
  using Histograms = prometheus::Family<prometheus::Histogram>;

  // An operation of this server that is not finished.
  struct Unfinished {
    std::string database;
    migration::v1::Operation::State state = migration::v1::Operation::STATE_UNSPECIFIED;
    // Since when its statement waits for a lock, if it does, and how many are in its way.
    absl::optional<absl::Time> waiting_since;
    int blockers = 0;
  };

  // Makes the metrics of a database that has none yet, so that they are there, with 0, from the
  // beginning: a rate over what appears with 1 misses the first.
  void AddDatabase(const std::string& database) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FollowLockWait(const migration::v1::OperationEvent& event, Unfinished& operation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finish(const migration::v1::Operation& now, const migration::v1::OperationEvent& event);
  // Sets the gauges that count operations of a database.
  void CountUnfinished(const std::string& database) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetRows(const DatabaseStatus& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  prometheus::Registry registry_;
  Counters& calls_started_;
  Counters& calls_handled_;
  Counters& messages_received_;
  Counters& messages_sent_;
  Histograms& call_seconds_;
  Gauges& watchers_;
  Counters& operations_;
  Gauges& running_;
  Gauges& pending_operations_;
  Counters& interruptions_;
  Histograms& revision_seconds_;
  Histograms& lock_wait_seconds_;
  Counters& lock_timeouts_;
  Gauges& blockers_;
  Gauges& blocked_sessions_;
  Gauges& up_;
  Gauges& files_valid_;
  Gauges& revisions_;
  Gauges& pending_revisions_;
  Gauges& heads_;
  Gauges& revision_info_;
  Gauges& drift_;
  Gauges& last_success_;
  // Without a gauge where there is no certificate.
  Gauges& certificate_expiry_;

  Mutex mutex_;
  std::map<std::string, Unfinished> unfinished_ ABSL_GUARDED_BY(mutex_);
  // By database: what revision_info_ says of it.
  std::map<std::string, std::map<std::string, prometheus::Gauge*>> rows_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace migd
