#include "service/monitor/http_connections.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/time/clock.h"

namespace migd {

HttpConnections::HttpConnections(int threads, Answer answer)
    : answer_(std::move(answer)),
      wakeup_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      workers_(std::make_unique<WorkerPool>(threads)),
      waiter_([this] { Wait(); }) {}

HttpConnections::~HttpConnections() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    for (const HttpConnection* connection : answered_) connection->Interrupt();
  }
  eventfd_write(wakeup_.get(), 1);
  waiter_.join();
  workers_.reset();
}

void HttpConnections::Add(ConnectionPointer connection) {
  {
    MutexLock lock(mutex_);
    if (ending_) return;
    arrivals_.push_back(std::move(connection));
  }
  eventfd_write(wakeup_.get(), 1);
}

void HttpConnections::Wait() {
  // In the order in which they have come here.
  std::vector<ConnectionPointer> waiting;
  while (TakeArrivals(waiting)) {
    LookThrough(waiting);
    Poll(waiting);
  }
}

bool HttpConnections::TakeArrivals(std::vector<ConnectionPointer>& waiting) {
  eventfd_t ignored = 0;
  eventfd_read(wakeup_.get(), &ignored);
  MutexLock lock(mutex_);
  for (ConnectionPointer& connection : arrivals_) waiting.push_back(std::move(connection));
  arrivals_.clear();
  return !ending_;
}

void HttpConnections::Poll(const std::vector<ConnectionPointer>& waiting) const {
  std::vector<pollfd> awaited = {{wakeup_.get(), POLLIN, 0}};
  absl::Time next = absl::InfiniteFuture();
  for (const ConnectionPointer& connection : waiting) {
    awaited.push_back({connection->socket(), connection->awaited(), 0});
    next = std::min(next, connection->deadline());
  }
  const absl::Duration left =
      std::clamp(next - absl::Now(), absl::ZeroDuration(), absl::Minutes(1));
  poll(awaited.data(), awaited.size(), static_cast<int>(absl::ToInt64Milliseconds(left)) + 1);
}

void HttpConnections::LookThrough(std::vector<ConnectionPointer>& waiting) {
  const absl::Time now = absl::Now();
  std::vector<ConnectionPointer> still;
  for (ConnectionPointer& connection : waiting) {
    const HttpConnection::Progress progress = connection->Receive();
    if (progress == HttpConnection::Progress::kHasRequest) Serve(std::move(connection));
    const bool waits = progress == HttpConnection::Progress::kWaits && now < connection->deadline();
    if (waits) still.push_back(std::move(connection));
  }
  if (still.size() > kMostWaiting) {
    still.erase(still.begin(), still.end() - static_cast<std::ptrdiff_t>(kMostWaiting));
  }
  waiting = std::move(still);
}

void HttpConnections::Serve(ConnectionPointer connection) {
  {
    MutexLock lock(mutex_);
    if (ending_ || requests_ >= kMostRequests) return;
    ++requests_;
    answered_.insert(connection.get());
  }
  // A task can be copied, a connection cannot.
  auto shared = std::make_shared<ConnectionPointer>(std::move(connection));
  workers_->Submit([this, shared] {
    HttpConnection& served = **shared;
    const bool goes_on = answer_(served, served.HasBody());
    {
      MutexLock lock(mutex_);
      --requests_;
      answered_.erase(&served);
    }
    if (!goes_on) return;
    served.AwaitNext();
    Add(std::move(*shared));
  });
}

}  // namespace migd
