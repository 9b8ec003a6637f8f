// All connections of the HTTP listener.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "service/base/mutex.h"
#include "service/base/unique_fd.h"
#include "service/base/worker_pool.h"
#include "service/monitor/http_connection.h"

namespace migd {

// One thread waits for all requests that have not come yet; a fixed number of others answer those
// that have. So connections that send nothing, or too slowly, keep nobody from being answered:
// where there are too many, the one that has waited longest is closed. Thread-safe.
class HttpConnections {
 public:
  // So many wait to send a request, and so many requests for their answer.
  static constexpr size_t kMostWaiting = 256;
  static constexpr size_t kMostRequests = 256;

  // Answers the one request that has come, on one of `threads` threads. `is_last`: the connection
  // is closed after it. False if it is to be closed all the same.
  using Answer = std::function<bool(HttpConnection& connection, bool is_last)>;
  HttpConnections(int threads, Answer answer);
  // Closes all, and waits for answers that are under way.
  ~HttpConnections();

  // Serves a connection from now on.
  void Add(std::unique_ptr<HttpConnection> connection);

 private:
  using ConnectionPointer = std::unique_ptr<HttpConnection>;

  // --- On the thread that waits ---
  void Wait();
  // Adds those that are new there. False at the end.
  bool TakeArrivals(std::vector<ConnectionPointer>& waiting);
  // Waits until something is to be done about any.
  void Poll(const std::vector<ConnectionPointer>& waiting) const;
  // Lets those go that have sent a request, or will not.
  void LookThrough(std::vector<ConnectionPointer>& waiting);

  // --- On the threads that answer ---
  void Serve(ConnectionPointer connection);

  const Answer answer_;
  const UniqueFd wakeup_;  // an eventfd
  Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<ConnectionPointer> arrivals_ ABSL_GUARDED_BY(mutex_);
  // Those with a request that is not answered yet.
  size_t requests_ ABSL_GUARDED_BY(mutex_) = 0;
  std::set<const HttpConnection*> answered_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<WorkerPool> workers_;
  std::thread waiter_;  // last: runs with everything above in place
};

}  // namespace migd
