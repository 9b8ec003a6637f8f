#include "service/postgres/cancel_request.h"

#include <array>
#include <system_error>
#include <thread>

#include "absl/time/clock.h"
#include "service/base/mutex.h"

namespace migd {
namespace {

struct FreeCancel {
  void operator()(PGcancel* cancel) const { PQfreeCancel(cancel); }
};

}  // namespace

// Kept by the thread, too, that sends.
struct CancelRequest::State {
  explicit State(PGconn* connection) : cancel(PQgetCancel(connection)) {}

  const std::unique_ptr<PGcancel, FreeCancel> cancel;
  Mutex mutex;
  CondVar arrived;
  bool under_way ABSL_GUARDED_BY(mutex) = false;
};

CancelRequest::CancelRequest(PGconn* connection) : state_(std::make_shared<State>(connection)) {}

CancelRequest::~CancelRequest() = default;

void CancelRequest::Send(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  MutexLock lock(state_->mutex);
  if (!state_->under_way) {
    try {
      std::thread([state = state_] {
        std::array<char, 256> error;
        PQcancel(state->cancel.get(), error.data(), static_cast<int>(error.size()));
        MutexLock done(state->mutex);
        state->under_way = false;
        state->arrived.NotifyAll();
      }).detach();
    } catch (const std::system_error&) {
      return;  // no thread to be had now
    }
    state_->under_way = true;
  }
  while (state_->under_way && absl::Now() < deadline) {
    state_->arrived.WaitFor(state_->mutex, deadline - absl::Now());
  }
}

}  // namespace migd
