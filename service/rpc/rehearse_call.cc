#include "service/rpc/rehearse_call.h"

#include <thread>
#include <utility>

#include "service/base/errors.h"
#include "service/base/mutex.h"
#include "service/execute/cancellation.h"
#include "service/execute/rehearsal.h"

namespace migd {
namespace {

// How soon a rehearsal ends whose caller has gone.
constexpr absl::Duration kLook = absl::Milliseconds(100);

// Looks whether anybody still wants the rehearsal: it may be in the middle of a long statement.
class CallerWatch {
 public:
  CallerWatch(grpc::ServerContext& context, const std::atomic<bool>& closing,
              Cancellation& cancellation)
      : thread_([this, &context, &closing, &cancellation] {
          MutexLock lock(mutex_);
          while (!ended_) {
            if (context.IsCancelled()) cancellation.Request("the caller has gone");
            if (closing) cancellation.Request("the server stops");
            changed_.WaitFor(mutex_, kLook);
          }
        }) {}

  ~CallerWatch() {
    {
      MutexLock lock(mutex_);
      ended_ = true;
      changed_.NotifyAll();
    }
    thread_.join();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: runs with everything above in place
};

}  // namespace

absl::Status RunRehearsal(const Catalog& catalog, grpc::ServerContext& context,
                          const migration::v1::RehearseRequest& request,
                          grpc::ServerWriter<migration::v1::RehearseResponse>& writer,
                          const std::atomic<bool>& closing) {
  const auto workspace = catalog.Find(request.database());
  if (!workspace.ok()) return workspace.status();
  Cancellation cancellation;
  const CallerWatch watch(context, closing, cancellation);
  const absl::Status status = Rehearse(**workspace, request, cancellation,
                                       [&](const migration::v1::RehearseResponse& response) {
                                         if (!writer.Write(response))
                                           cancellation.Request("the caller has gone");
                                       });
  return closing && !status.ok() ? errors::Draining() : status;
}

}  // namespace migd
